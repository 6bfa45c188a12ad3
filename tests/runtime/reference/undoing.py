"""Holds what a run took back against what its events tell: one by one, and the other way round than it was done."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.reference.model import Workflow, nested

At = tuple[int, ...]  # the numbers of the items around


@dataclass
class Done:
    """A visit that may have to be taken back: its undo node runs first, then those of what was done in it."""

    undo: tuple[str, At] | None
    inner: "list[FlowRun]"

    @property
    def is_left(self) -> bool:
        return self.undo is not None or any(run.is_left for run in self.inner)


@dataclass
class FlowRun:
    """What was done in one run of a flow, and the place of its last event among all."""

    ended: int = 0
    done: list[Done] = field(default_factory=list)

    @property
    def is_left(self) -> bool:
        return any(one.is_left for one in self.done)

    def next_one(self) -> Done:
        """What has to be taken back next."""
        last = [one for one in self.done if one.is_left][-1]
        return last if last.undo else [run for run in last.inner if run.is_left][-1].next_one()


class Undoing:
    """Follows the events of a run.

    Args:
        workflow: Its document.
        result: What came of it.
    """

    def __init__(self, workflow: Workflow, result: Any) -> None:
        self.specs = {path: (spec, flow) for path, spec, flow in nested(workflow)}
        self.undo_nodes = {beside(path, spec["undo"]) for path, (spec, _) in self.specs.items() if "undo" in spec}
        self.records: dict[tuple[str, At, int], deque[Any]] = defaultdict(deque)
        for record in result.nodes:
            self.records[record.node, record.at, record.visit].append(record)
        self.runs: dict[tuple[str, At], FlowRun] = {}

    def follow(self, events: Sequence[Any]) -> None:
        for number, event in enumerate(events):
            if event.kind not in ("node.started", "node.finished", "node.skipped"):
                continue
            undo = next((path for path in self.undo_nodes if f"{event.node}.".startswith(f"{path}.")), None)
            if undo is None:
                self.done(number, event)
            elif undo == event.node:
                self.taken_back(event)

    def done(self, number: int, event: Any) -> None:
        run = self.runs.setdefault((event.node.rpartition(".")[0], event.at), FlowRun())
        run.ended = number
        if event.kind == "node.started":
            return
        record = self.records[event.node, event.at, event.visit].popleft()
        inner = self.inside(event.node, event.at)
        if event.data["status"] in ("succeeded", "degraded"):
            led_nowhere = record.status == "failed" or (record.error and "error" not in event.data)
            run.done += self.can_be_taken_back(event, inner, is_itself=not led_nowhere)
        else:
            assert not any(one.is_left for one in inner), f"{event.node} is over, and something in it is left"

    def inside(self, path: str, at: At) -> list[FlowRun]:
        """What was done inside of a node that is over, in the order in which it was."""
        keys = [key for key in self.runs if key[0] == path and key[1][: len(at)] == at]
        return sorted((self.runs.pop(key) for key in keys), key=lambda run: run.ended)

    def can_be_taken_back(self, event: Any, inner: list[FlowRun], *, is_itself: bool) -> Iterator[Done]:
        spec, flow = self.specs[event.node]
        undo = spec.get("undo") if is_itself else None
        yield Done(undo and (beside(event.node, undo), event.at), inner)
        if event.data.get("role") == "handler" and not flow.edges:
            name = event.node.rpartition(".")[2]
            undo = next(other.get("undo") for other in flow.do.values() if other.get("on_error") == name)
            yield Done(undo and (beside(event.node, undo), event.at), [])

    def taken_back(self, event: Any) -> None:
        one = self.holding(event.node, event.at).next_one()
        assert one.undo == (event.node, event.at)
        if event.kind != "node.started":
            one.undo = None

    def holding(self, path: str, at: At) -> FlowRun:
        """The innermost run of a flow around an undo node in which something is left."""
        while path:
            path = path.rpartition(".")[0]
            for length in range(len(at), -1, -1):
                run = self.runs.get((path, at[:length]))
                if run and run.is_left:
                    return run
        raise AssertionError("there was nothing left to take back")


def beside(path: str, name: str) -> str:
    """The path of a node next to another."""
    holder, dot, _ = path.rpartition(".")
    return holder + dot + name


def check_undo_order(workflow: Workflow, result: Any, events: Sequence[Any]) -> None:
    """What was done was taken back in reverse order, and in a run that ended early nothing was left."""
    undoing = Undoing(workflow, result)
    undoing.follow(events)
    if result.status in ("failed", "limit"):
        assert not any(run.is_left for run in undoing.runs.values())
