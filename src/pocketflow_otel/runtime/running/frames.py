"""One run of the nodes of a scope: which of them is next, what they gave, and what is taken back if it fails."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.errors import Interrupted, UnroutedAction
from pocketflow_otel.runtime.expressions.errors import MissingValue
from pocketflow_otel.runtime.expressions.paths import Namespace
from pocketflow_otel.runtime.registry.node_types import Waiting
from pocketflow_otel.runtime.running.crew import Post
from pocketflow_otel.runtime.running.records import ErrorInfo
from pocketflow_otel.runtime.running.showing import qualified, said
from pocketflow_otel.runtime.running.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pocketflow_otel.runtime.planning import PlannedDocument, PlannedNode, PlannedScope
    from pocketflow_otel.runtime.running.records import NodeRecord
    from pocketflow_otel.runtime.running.run import Run
    from pocketflow_otel.runtime.values.envelope import Envelope

_OK: Final = frozenset({"succeeded", "degraded"})


class Home:
    """What all frames of one document share.

    Args:
        document: The document.
        inputs: What it is given.
        known: What references may begin with, besides nodes: inputs, env, run.
        connections: Its connections.
        around: Of a document that is a node of another: that one's.

    Attributes:
        visits: How many visits of its nodes there were.
        is_over: Whether it has been run.
        forget_time: Ends the count of the time that it may take, if that is limited.
    """

    def __init__(
        self,
        document: PlannedDocument,
        inputs: Mapping[str, Any],
        known: Mapping[str, Any],
        connections: Any,
        around: Home | None,
    ) -> None:
        self.around = around
        self.visits = 0
        self.document = document
        self.inputs = inputs
        self.known = known
        self.connections = connections
        self.is_over = False
        self.forget_time: Callable[[], None] | None = None

    def over(self) -> None:
        """Takes note that it has been run: the time that it may take is counted no more."""
        self.is_over = True
        if self.forget_time is not None:
            self.forget_time()
            self.forget_time = None


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


class Frame:
    """One run of a scope's nodes.

    Args:
        run: The run it belongs to.
        scope: The nodes.
        home: What it shares with the other frames of its document.
        outer: The frame around it, whose nodes may be referred to; None for a document's own.
        parent: The step that holds it; None for the run's own.
        variables: A map's item and its number, by name.
        prefix: What its nodes' names are prefixed with: ``outer.``.
        at: The numbers of the items of the maps around.

    Attributes:
        takes_back: Whether an undo node holds it, at any depth.
        store: The shared store of its nodes.
        outputs: What its nodes gave, by name.
        running: The steps that are being done.
        undoable: What can be taken back, in the order in which it was done; lists are those of frames inside.
        stopped: Why no more is begun; None while it goes on.
        failure: The error that ended it, as it is told.
        post: Where the thread that runs it waits.
        holders: How many steps that hold frames are running.
        held_back: Those that are ready, and have to wait for one of them.
    """

    def __init__(
        self,
        run: Run,
        scope: PlannedScope,
        home: Home,
        *,
        outer: Frame | None = None,
        parent: Step | None = None,
        variables: Mapping[str, Any] | None = None,
        prefix: str = "",
        at: tuple[int, ...] = (),
    ) -> None:
        self.run = run
        self.scope = scope
        self.home = home
        self.outer = outer
        self.parent = parent
        self.variables = variables or {}
        self.prefix = prefix
        self.at = at
        self.takes_back = parent is not None and parent.takes_back
        self.store: dict[Any, Any] = {}
        self.outputs: dict[str, Envelope] = {}
        self.running: set[Step] = set()
        self.children: set[Frame] = set()
        self.undoable: list[Any] = []
        self.stopped: BaseException | None = None
        self.failure: ErrorInfo | None = None
        self.post: Post | None = None
        self.holders = 0
        self.held_back: list[Step] = []
        self.context: contextvars.Context = contextvars.copy_context()
        self.visits: dict[str, int] = {}
        self.last: str | None = None
        self._left = 0
        self._settled: dict[str, str] = {}
        self._seen_hard: dict[str, int] = {}
        self._ok_hard: dict[str, int] = {}
        self._open_soft: dict[str, int] = {}
        self._readers: dict[str, int] = {}
        self._done_reading: set[str] = set()
        self._records: dict[str, NodeRecord] = {}
        self._undo_step: Step | None = None
        self._stop_event: threading.Event | None = None

    # What its nodes see.

    def lookup(self, head: str) -> Any:
        """What a reference begins with."""
        if head in self.scope.nodes:
            envelope = self.outputs.get(head)
            if envelope is None:
                raise MissingValue(f"{head} has no value: node {head!r} has given nothing{self._why_not(head)}")
            return envelope.body
        if head in self.variables:
            return self.variables[head]
        if self.outer is not None and self.parent is not None:
            return self.parent.lookup(head)
        if head in self.home.known:
            return self.home.known[head]
        if head == "store":
            return _StoreNames(self)
        raise MissingValue(f"{head} has no value here")

    def _why_not(self, name: str) -> str:
        status = self._settled.get(name)
        if status is None:
            return " yet"
        return "; it was skipped" if status == "skipped" else f"; it {status}"

    def stores(self) -> list[dict[Any, Any]]:
        """Its store, and those around it that its nodes see through, the nearest first."""
        found, frame = [], self
        while True:
            found.append(frame.store)
            if frame.outer is None:
                return found
            frame = frame.outer

    # Running.

    def orchestrate(self) -> str | None:
        """Runs the nodes, in this thread and with the help of others.

        Returns:
            The action with which it ended, by action.

        Raises:
            BaseException: What ended it early; what could be taken back has been, where that is to be.
        """
        crew = self.run.crew
        self.context = contextvars.copy_context()
        with crew.lock:
            self.post = Post(self)
            if self.parent is not None:
                self.parent.frame.children.add(self)
                stopped = self.parent.timed_out
                if stopped is None and self.parent.is_to_end:
                    stopped = self.parent.frame.stopped
                if stopped is not None:
                    self.stop(stopped)
            self._begin()
        try:
            self._work()
            if self.stopped is not None:
                self.take_back(self.stopped)
                raise self.stopped
        finally:
            with crew.lock:
                if self.parent is not None:
                    self.parent.frame.children.discard(self)
        return self.last

    def _begin(self) -> None:
        if self.scope.by_action:
            self._left = 1
            self._offer(self.scope.nodes[self.scope.start])
            return
        self._left = len(self.scope.scheduled)
        self._readers = dict(self.scope.readers)
        for name in self.scope.scheduled:
            planned = self.scope.nodes[name]
            self._seen_hard[name] = self._ok_hard[name] = 0
            self._open_soft[name] = len(planned.waits.soft)
        for name in self.scope.scheduled:
            if not self.scope.nodes[name].waits.all:
                self._offer(self.scope.nodes[name])

    def _work(self) -> None:
        crew, post = self.run.crew, self.post
        if post is None:
            return
        while True:
            with crew.lock:
                step = crew.assign(post)
                if step is None:
                    if self._is_over:
                        return
                    post.is_waiting = True
            if step is None:
                step = post.wait()
            if step is not None:
                step.run()

    @property
    def _is_over(self) -> bool:
        if self._undo_step is not None:
            return self._undo_step.is_over and not self.running
        return not self.running and (self.stopped is not None or self._left == 0)

    def _offer(self, planned: PlannedNode, **how: Any) -> Step:
        step = Step(self, planned, **how)
        self.run.crew.offer(step)
        return step

    # What came of a step. All of this is called with the lock held.

    def step_over(self, step: Step) -> None:
        """Takes note of what came of a step, and finds what is next."""
        self.running.discard(step)
        if step.role == "undo":
            pass
        elif step.status == "limit":
            self._fail(step, everywhere=True)
        elif step.status == "waiting":
            self.run.stop(step.error, step.told_error)
        elif step.status == "cancelled":
            self._settle(step, "cancelled")
        elif step.status == "failed":
            self._step_failed(step)
        else:
            self._step_done(step)
        if self._is_over and self.post is not None and self.post.is_waiting:
            self.post.ring()

    def _step_done(self, step: Step) -> None:
        if step.status != "skipped":
            self.last = step.action
            self._can_undo(step)
        if step.stands_for is not None and not self.scope.by_action:
            if step.status == "skipped":
                self._fail(step.stands_for)
                return
            output = step.output
            step = step.stands_for
            step.becomes_degraded(output)
            self._can_undo(step)
        if self.scope.by_action:
            self._follow(step)
        else:
            self._settle(step, step.status)

    def _can_undo(self, step: Step) -> None:
        if step.undoable_inside:
            self.undoable.append(step.undoable_inside)
        if step.planned.node.undo is not None:
            envelope = self.outputs.get(step.planned.name)
            self.undoable.append(Undo(step, None if envelope is None else envelope.body))

    def _step_failed(self, step: Step) -> None:
        handler = step.planned.takes_over
        if self.stopped is not None or step.stands_for is not None or handler is None:
            self._fail(step.stands_for or step)
            return
        if self.scope.by_action:
            step.becomes_degraded()
        self._offer(self.scope.nodes[handler], stands_for=step, error=step.told_error, cause=step.record)

    def _fail(self, step: Step, *, everywhere: bool = False) -> None:
        error = step.error or Interrupted("the run has ended")
        if self.failure is None:
            self.failure = step.inner_failure or step.told_error
        if everywhere:
            self.run.stop(error, self.failure)
        else:
            self.stop(error)
        self._settle(step, "failed")

    def stop(self, error: BaseException | None) -> None:
        """Begins nothing more, here and inside, and ends what can be ended."""
        if self.stopped is not None or error is None:
            return
        self.stopped = error
        if self._stop_event is not None:
            self._stop_event.set()
        for step in list(self.running):
            step.cancel()
        for child in list(self.children):
            child.stop(error)
        if self._is_over and self.post is not None and self.post.is_waiting:
            self.post.ring()

    def _follow(self, step: Step) -> None:
        routes = self.scope.routes.get(step.planned.name)
        if not routes or self.stopped is not None:
            self._left = 0
            return
        action = step.action or "default"
        if action not in routes:
            self._unrouted(step, action, list(routes))
            return
        name = routes[action]
        if name is None:
            self._left = 0
        else:
            self._offer(self.scope.nodes[name], follows=step.planned.name, cause=step.record)

    def _unrouted(self, step: Step, action: str, there: list[str]) -> None:
        near = nearest(action, there)
        hint = f"; did you mean {near!r}?" if near else ""
        name = step.planned.name
        error = UnroutedAction(
            f"{name} chose action {action!r}, which no edge takes; there are {', '.join(there)}{hint}"
        )
        if step.status != "skipped":
            self.outputs.pop(name, None)
            self.undoable = [entry for entry in self.undoable if not (isinstance(entry, Undo) and entry.step is step)]
        step.fail_late(error)
        self._step_failed(step)

    # By data.

    def _settle(self, step: Step, status: str | None) -> None:
        if self.scope.by_action:
            self._left = 0
            return
        if self.stopped is not None:
            return
        if step.record is not None:
            self._records[step.planned.name] = step.record
        if step.planned.name in self._settled:
            return
        self._settled[step.planned.name] = status or "failed"
        settled = [step.planned.name]
        while settled:
            name = settled.pop()
            self._left -= 1
            for dependent in self.scope.nodes[name].dependents:
                planned = self.scope.nodes[dependent]
                if dependent not in self._settled and self._tell(planned, name, self._settled[name]):
                    self._skip(planned)
                    self._settled[dependent] = "skipped"
                    settled.append(dependent)
            self._let_go(self.scope.nodes[name])

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
        if ready and self.stopped is None and name not in self.visits:
            self.visits[name] = 0  # it is on its way: others that it waits for may still come
            self._offer(planned, follows=before, cause=self._records.get(before))
        return False

    def _skip(self, planned: PlannedNode) -> None:
        hard = [name for name in planned.waits.hard if self._settled.get(name) not in {None, *_OK}]
        told = ", ".join(f"{name} {_was(self._settled[name])}" for name in hard)
        self.run.record_skip(self, planned, f"not enough of the nodes before it succeeded: {told}")

    def let_go(self, planned: PlannedNode) -> None:
        """Drops outputs that nothing can use any more, as a node comes to its end: its span tells that they went."""
        if not self.scope.by_action:
            with self.run.crew.lock:
                self._done_with(planned)

    def _done_with(self, planned: PlannedNode) -> None:
        if planned.name in self._done_reading:
            return
        self._done_reading.add(planned.name)
        for name in planned.waits.all:
            self._readers[name] -= 1
            if not self._readers[name]:
                self._drop(name)

    def _let_go(self, planned: PlannedNode) -> None:
        self._done_with(planned)
        if not self._readers.get(planned.name) and planned.dependents:
            self._drop(planned.name)

    def _drop(self, name: str) -> None:
        if name in self.scope.kept or name not in self._settled or not self.scope.readers[name]:
            return
        if self.outputs.pop(name, None) is not None and self.scope.nodes[name].gives_to_store:
            self.store.pop(name, None)

    # Taking back.

    def take_back(self, error: BaseException) -> None:
        """Runs the undo nodes of what was done in it, the latest visit's first; not where the run was interrupted."""
        entries, self.undoable = self.undoable, []
        if entries and not isinstance(error, Interrupted | Waiting):
            with self.run.taking_back():
                self._undo(entries, self.failure or self.run.failure or self._told(error))

    def take_back_inside(self, step: Step, error: BaseException) -> None:
        """Runs the undo nodes of what a step of it holds."""
        entries, step.undoable_inside = step.undoable_inside, []
        if entries and not isinstance(error, Interrupted | Waiting):
            with self.run.taking_back():
                self._undo(entries, step.inner_failure or self.run.failure or self._told(error))

    def _told(self, error: BaseException) -> ErrorInfo:
        return ErrorInfo(self.prefix.rstrip("."), qualified(error), self.run.secrets.shown(said(error)), self.at)

    def _undo(self, entries: list[Any], failure: ErrorInfo | None) -> None:
        for entry in reversed(entries):
            if isinstance(entry, list):
                self._undo(entry, failure)
            elif not self.run.takes_nothing_back:
                entry.step.frame.perform_undo(entry, failure)

    def perform_undo(self, entry: Undo, failure: ErrorInfo | None) -> None:
        """Runs an undo node, and waits for it."""
        planned = self.scope.nodes[entry.step.planned.node.undo or ""]
        step = Step(self, planned, role="undo", error=failure, undoes=entry)
        crew = self.run.crew
        with crew.lock:
            self.post = Post(self)
            self._undo_step = step
            crew.offer(step)
        self._work()

    @property
    def stop_event(self) -> threading.Event:
        """Set when nothing more is to be begun."""
        with self.run.crew.lock:
            if self._stop_event is None:
                self._stop_event = threading.Event()
                if self.stopped is not None:
                    self._stop_event.set()
            return self._stop_event


def _was(status: str) -> str:
    return {"skipped": "was skipped", "cancelled": "was cancelled"}.get(status, status)


class _StoreNames(Namespace):
    """What ``${store.key}`` gives."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def item(self, key: str) -> Any:
        stores = self._frame.stores()
        for store in stores:
            if key in store:
                return store[key]
        from pocketflow_otel.runtime.expressions.paths import missing_key

        raise missing_key(key, (each for store in stores for each in store if isinstance(each, str)), f"store.{key}")
