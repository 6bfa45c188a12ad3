"""Tracebacks of uncaught exceptions as they are without tracing.

A hooked call leaves its wrapper's frame in the traceback of what is raised through it. Readers look for their own lines
there, and tests and error trackers compare them; so what Python prints at the end leaves ours out.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_OURS: Final = (
    "pocketflow_otel.instrumentation",
    "pocketflow_otel.capture",
    "pocketflow_otel.budgets",
    "opentelemetry.instrumentation.threading",
)


def install() -> None:
    """Puts a step before Python's own hooks for uncaught exceptions. A hook of the program's takes its place."""
    _install_main(sys.excepthook)
    _install_threads(threading.excepthook)


def trim(error: BaseException | None) -> None:
    """Takes the frames of instrumentation out of an exception's traceback, and of those that led to it.

    Args:
        error: The exception; changed in place.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = _without_ours(current.__traceback__)
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions


def _without_ours(first: TracebackType | None) -> TracebackType | None:
    while first is not None and _is_ours(first):
        first = first.tb_next
    last = first
    while last is not None and last.tb_next is not None:
        if _is_ours(last.tb_next):
            last.tb_next = last.tb_next.tb_next
        else:
            last = last.tb_next
    return first


def _is_ours(entry: TracebackType) -> bool:
    module = entry.tb_frame.f_globals.get("__name__", "")
    return any(module == ours or str(module).startswith(f"{ours}.") for ours in _OURS)


def _install_main(hook: Callable[[type[BaseException], BaseException, TracebackType | None], object]) -> None:
    def excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        trim(error)
        hook(kind, error, _without_ours(traceback))

    sys.excepthook = excepthook


def _install_threads(hook: Callable[[threading.ExceptHookArgs], object]) -> None:
    def excepthook(arguments: threading.ExceptHookArgs, /) -> None:
        trim(arguments.exc_value)
        traceback = _without_ours(arguments.exc_traceback)
        hook(threading.ExceptHookArgs((arguments.exc_type, arguments.exc_value, traceback, arguments.thread)))

    threading.excepthook = excepthook
