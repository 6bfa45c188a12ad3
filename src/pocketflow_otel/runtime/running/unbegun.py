"""Nodes that failed before PocketFlow could run them: a trace has them all the same, each with its error."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pocketflow import Node

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.steps import Step


class Unbegun(Node):  # type: ignore[misc]  # PocketFlow has no types
    """Stands for a node whose condition, arguments or references could not be made sense of."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def prep(self, shared: Any) -> None:  # noqa: ARG002 - PocketFlow's signature
        """Fails as the node did."""
        raise self.error


def show(step: Step, error: BaseException) -> None:
    """Runs a stand-in for the node of a visit, which fails with its error."""
    node = Unbegun(error)
    prototype = step.frame.run.prototype(step.planned)
    node.name, node.successors = prototype.name, prototype.successors
    step.instance = node
    with suppress(Exception):  # a budget may be used up besides
        node._run(step.frame.store)  # noqa: SLF001 - as PocketFlow's own loop does
