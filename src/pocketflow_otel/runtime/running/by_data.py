"""Nodes ordered by data: each runs when what it waits for is there; outputs go when nothing needs them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pocketflow_otel.runtime.planning import PlannedNode
    from pocketflow_otel.runtime.running.frames import Frame
    from pocketflow_otel.runtime.running.records import NodeRecord, NodeStatus
    from pocketflow_otel.runtime.running.steps import Step

_NONE: Final = object()
_OK: Final = frozenset({"succeeded", "degraded"})


class ByData:
    """The order of a frame's nodes. All is called with the crew's lock held.

    Args:
        frame: The frame.
    """

    def __init__(self, frame: Frame) -> None:
        scope = frame.scope
        self._frame = frame
        self._nodes = scope.nodes
        self._left = len(scope.scheduled)
        self._settled: dict[str, NodeStatus] = {}
        self._offered: set[str] = set()
        self._seen_hard = dict.fromkeys(scope.scheduled, 0)
        self._ok_hard = dict.fromkeys(scope.scheduled, 0)
        self._open_soft = {name: len(scope.nodes[name].waits.soft) for name in scope.scheduled}
        self._readers = dict(scope.readers)
        self._done_reading: set[str] = set()
        self._records: dict[str, NodeRecord] = {}

    @property
    def is_done(self) -> bool:
        """Whether all nodes are settled."""
        return self._left == 0

    def begin(self) -> None:
        """Finds what waits for nothing."""
        for name in self._frame.scope.scheduled:
            if not self._nodes[name].waits.all:
                self._frame.offer(self._nodes[name])

    def went_well(self, step: Step) -> None:
        """Finds what is next after a step that succeeded, or was skipped."""
        failed = step.stands_for
        if failed is None:
            self._settle(step, step.status or "succeeded")
        elif step.status == "skipped":
            self._frame.fail(failed)
        else:
            failed.becomes_degraded(step.output)
            self._frame.note_undoable(failed)
            self._settle(failed, "degraded")

    def went_wrong(self, step: Step, status: NodeStatus) -> None:
        """Finds what can't run any more after a step that failed, or was cancelled."""
        self._settle(step, status)

    def handed_over(self, step: Step) -> None:
        """Takes note that another node takes over for a step that failed: it is settled with that one."""

    def status_of(self, name: str) -> str | None:
        """What came of a node, if it is settled."""
        return self._settled.get(name)

    def done_with(self, planned: PlannedNode) -> list[str]:
        """Takes note that a node needs no output any more; those that nothing else can use are dropped.

        Returns:
            The keys of the store that went with them.
        """
        if planned.name in self._done_reading:
            return []
        self._done_reading.add(planned.name)
        gone = []
        for name in planned.waits.all:
            self._readers[name] -= 1
            if not self._readers[name] and self._drop(name):
                gone.append(name)
        return gone

    def _settle(self, step: Step, status: NodeStatus) -> None:
        name = step.planned.name
        if self._frame.stopped is not None:
            return
        if step.record is not None:
            self._records[name] = step.record
        if name in self._settled:
            return
        self._settled[name] = status
        settled = [name]
        while settled:
            name = settled.pop()
            self._left -= 1
            for dependent in self._nodes[name].dependents:
                planned = self._nodes[dependent]
                if dependent not in self._settled and self._tell(planned, name, self._settled[name]):
                    self._skip(planned)
                    self._settled[dependent] = "skipped"
                    settled.append(dependent)
            self._let_go(self._nodes[name])

    def _tell(self, planned: PlannedNode, before: str, status: str) -> bool:
        """Tells a node that one before it is settled; whether it is to be skipped now."""
        name, waits = planned.name, planned.waits
        if before in waits.soft:
            self._open_soft[name] -= 1
        if before in waits.hard:
            self._seen_hard[name] += 1
            self._ok_hard[name] += status in _OK
        ok, left = self._ok_hard[name], len(waits.hard) - self._seen_hard[name]
        if ok + left < planned.needed:
            return True
        ready = not self._open_soft[name] and ok >= planned.needed and not (planned.waits_for_all and left)
        if ready and name not in self._offered:
            # Others that it waits for may still come.
            self._offered.add(name)
            self._frame.offer(planned, follows=before, cause=self._records.get(before))
        return False

    def _skip(self, planned: PlannedNode) -> None:
        hard = [name for name in planned.waits.hard if self._settled.get(name) not in {None, *_OK}]
        told = ", ".join(f"{name} {_was(self._settled[name])}" for name in hard)
        self._frame.run.record_skip(self._frame, planned, f"not enough of the nodes before it succeeded: {told}")

    def _let_go(self, planned: PlannedNode) -> None:
        self.done_with(planned)
        if not self._readers.get(planned.name) and planned.dependents:
            self._drop(planned.name)

    def _drop(self, name: str) -> bool:
        """Drops an output if it may go; whether a key of the store went with it."""
        frame = self._frame
        if name in frame.scope.kept or name not in self._settled or not frame.scope.readers[name]:
            return False
        if frame.outputs.pop(name, None) is None or not self._nodes[name].gives_to_store:
            return False
        return frame.store.pop(name, _NONE) is not _NONE


def _was(status: str) -> str:
    return {"skipped": "was skipped", "cancelled": "was cancelled"}.get(status, status)
