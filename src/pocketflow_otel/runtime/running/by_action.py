"""Nodes ordered by edges: the action that a node chooses decides which one is next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.errors import UnroutedAction

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.frames import Frame
    from pocketflow_otel.runtime.running.records import NodeStatus
    from pocketflow_otel.runtime.running.steps import Step


class ByAction:
    """The order of a frame's nodes. All is called with the crew's lock held.

    Args:
        frame: The frame.

    Attributes:
        is_done: Whether no node is next.
    """

    def __init__(self, frame: Frame) -> None:
        self.is_done = False
        self._frame = frame
        self._scope = frame.scope

    def begin(self) -> None:
        """Finds what is first."""
        self._frame.offer(self._scope.nodes[self._scope.start])

    def went_well(self, step: Step) -> None:
        """Finds what is next after a step that succeeded, or was skipped."""
        routes = self._scope.routes.get(step.planned.name)
        if not routes or self._frame.stopped is not None:
            self.is_done = True
            return
        action = step.action or "default"
        if action not in routes:
            self._unrouted(step, action, list(routes))
            return
        name = routes[action]
        if name is None:
            self.is_done = True
        else:
            self._frame.offer(self._scope.nodes[name], follows=step.planned.name, cause=step.record)

    def went_wrong(self, step: Step, status: NodeStatus) -> None:  # noqa: ARG002 - the same after whatever step
        """Takes note that a step led nowhere."""
        self.is_done = True

    def handed_over(self, step: Step) -> None:
        """Takes note that another node takes over for a step that failed: the flow goes on with that one's edges."""
        step.becomes_degraded()

    def status_of(self, name: str) -> str | None:  # noqa: ARG002 - any node may be visited again
        """What came of a node, if nothing more can come of it."""
        return None

    def _unrouted(self, step: Step, action: str, there: list[str]) -> None:
        near = nearest(action, there)
        hint = f"; did you mean {near!r}?" if near else ""
        name = step.planned.name
        error = UnroutedAction(
            f"{name} chose action {action!r}, which no edge takes; there are {', '.join(there)}{hint}"
        )
        self._frame.fails_late(step, error)
