"""What was done in a frame, and is taken back if it comes to nothing: the latest visit's first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.errors import Interrupted
from pocketflow_otel.runtime.registry.node_types import Waiting
from pocketflow_otel.runtime.running.records import ErrorInfo
from pocketflow_otel.runtime.running.showing import qualified, said

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.frames import Frame
    from pocketflow_otel.runtime.running.steps import Step


class Undo:
    """A visit that can be taken back.

    Args:
        step: The visit.
        output: What it gave.
    """

    __slots__ = ("output", "step")

    def __init__(self, step: Step, output: Any) -> None:
        self.step = step
        self.output = output


Undoable = Undo | list["Undoable"]
"""A visit, or what was done inside one, in the order in which it was done."""


def take_back(frame: Frame, error: BaseException) -> None:
    """Runs the undo nodes of what was done in a frame; not where the run was interrupted."""
    entries, frame.undoable = frame.undoable, []
    _take_back(entries, frame.failure or frame.run.failure or _told(frame, error), error)


def take_back_inside(step: Step, error: BaseException) -> None:
    """Runs the undo nodes of what was done in the frames that a step holds."""
    _take_back(step.taken_undoable(), step.inner_failure or step.frame.run.failure or step.told(error), error)


def _take_back(entries: list[Undoable], failure: ErrorInfo, error: BaseException) -> None:
    if not issubclass(type(error), Interrupted | Waiting):
        _undo(entries, failure)


def _told(frame: Frame, error: BaseException) -> ErrorInfo:
    message = frame.run.secrets.shown(said(error))
    return ErrorInfo(frame.prefix.rstrip("."), qualified(error), message, frame.at)


def _undo(entries: list[Undoable], failure: ErrorInfo) -> None:
    for entry in reversed(entries):
        if isinstance(entry, list):
            _undo(entry, failure)
        elif not entry.step.frame.run.takes_nothing_back:
            entry.step.frame.perform_undo(entry, failure)
