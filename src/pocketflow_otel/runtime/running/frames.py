"""One run of the nodes of a scope: what they see, what they gave, and what is done with what came of each."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.errors import Interrupted
from pocketflow_otel.runtime.expressions.errors import MissingValue
from pocketflow_otel.runtime.expressions.paths import Namespace
from pocketflow_otel.runtime.running.by_action import ByAction
from pocketflow_otel.runtime.running.by_data import ByData
from pocketflow_otel.runtime.running.crew import Post
from pocketflow_otel.runtime.running.steps import Step
from pocketflow_otel.runtime.running.undoing import Undo, take_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.planning import PlannedNode, PlannedScope
    from pocketflow_otel.runtime.running.homes import Home
    from pocketflow_otel.runtime.running.records import ErrorInfo
    from pocketflow_otel.runtime.running.run import Run
    from pocketflow_otel.runtime.running.undoing import Undoable
    from pocketflow_otel.runtime.values.envelope import Envelope


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
        ended_as: A number: of two frames the one with the smaller number had its last step over first.
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
        self.undoable: list[Undoable] = []
        self.stopped: BaseException | None = None
        self.failure: ErrorInfo | None = None
        self.post: Post | None = None
        self.holders = 0
        self.held_back: list[Step] = []
        self.context: contextvars.Context = contextvars.copy_context()
        self.visits: dict[str, int] = {}
        self.last: str | None = None
        self.order: ByAction | ByData = ByAction(self) if scope.by_action else ByData(self)
        self.ended_as = 0
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
        if head == "store":
            return _StoreNames(self)
        if self.outer is not None and self.parent is not None:
            return self.parent.lookup(head)
        if head in self.home.known:
            return self.home.known[head]
        raise MissingValue(f"{head} has no value here")

    def _why_not(self, name: str) -> str:
        status = self.order.status_of(name)
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
            self.post = Post(self, stays_free=self.run.may_be_cut_short())
            if self.parent is not None:
                self.parent.frame.children.add(self)
                stopped = self.parent.timed_out
                if stopped is None and self.parent.is_to_end:
                    stopped = self.parent.frame.stopped
                if stopped is not None:
                    self.stop(stopped)
            self.order.begin()
        try:
            self._work()
            if self.stopped is not None:
                take_back(self, self.stopped)
                raise self.stopped
        finally:
            with crew.lock:
                if self.parent is not None:
                    self.parent.frame.children.discard(self)
        return self.last

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
        return not self.running and (self.stopped is not None or self.order.is_done)

    def offer(self, planned: PlannedNode, **how: Any) -> None:
        """Puts a visit of a node among those that are ready."""
        self.run.crew.offer(Step(self, planned, **how))

    # What came of a step. All of this is called with the lock held.

    def step_over(self, step: Step) -> None:
        """Takes note of what came of a step, and finds what is next."""
        self.running.discard(step)
        if step.role != "undo":
            self._take_outcome(step)
        self._look_whether_over()

    def _take_outcome(self, step: Step) -> None:
        match step.status:
            case "limit":
                self.fail(step, everywhere=True)
            case "waiting":
                self.run.stop(step.error, step.told_error)
                # Inside an undo node, where the run has been stopped before.
                self.stop(step.error)
                self.order.went_wrong(step, "failed")
            case "cancelled":
                self.order.went_wrong(step, "cancelled")
            case "failed":
                self._step_failed(step)
            case _:
                if step.status != "skipped":
                    self.last = step.action
                    self.note_undoable(step)
                self.order.went_well(step)

    def _step_failed(self, step: Step) -> None:
        handler = step.planned.takes_over
        if self.stopped is not None or step.stands_for is not None or handler is None:
            self.fail(step.stands_for or step)
            return
        self.order.handed_over(step)
        self.offer(self.scope.nodes[handler], stands_for=step, error=step.told_error, cause=step.record)

    def fail(self, step: Step, *, everywhere: bool = False) -> None:
        """Ends early, because of a step that failed for good; everywhere: the whole run."""
        error = step.error or Interrupted("the run has ended")
        if self.failure is None and self.stopped is None:
            self.failure = step.inner_failure or step.told_error
        if everywhere:
            self.run.stop(error, self.failure)
        self.stop(error)
        self.order.went_wrong(step, "failed")

    def fails_late(self, step: Step, error: BaseException) -> None:
        """Takes note that a step, which went well, has failed after all: what it gave is not there."""
        if step.status != "skipped":
            self.outputs.pop(step.planned.name, None)
            self.undoable = [entry for entry in self.undoable if not (isinstance(entry, Undo) and entry.step is step)]
        step.fail_late(error)
        self._step_failed(step)

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
        self._look_whether_over()

    def give_up(self) -> list[Step]:
        """Gives up steps that go on in their threads; what is being taken back is waited for.

        Returns:
            These steps.
        """
        given_up = [step for step in list(self.running) if step.give_up()]
        return given_up + [step for child in list(self.children) for step in child.give_up()]

    def _look_whether_over(self) -> None:
        if not self._is_over:
            return
        self.ended_as = self.ended_as or self.run.crew.next_number()
        if self.post is not None and self.post.is_waiting:
            self.post.ring()

    def let_go(self, planned: PlannedNode) -> list[str]:
        """Drops outputs that nothing can use any more, as a node comes to its end: its span tells that they went.

        Returns:
            The keys of the store that went.
        """
        if not isinstance(self.order, ByData):
            return []
        with self.run.crew.lock:
            return self.order.done_with(planned)

    # Taking back.

    def note_undoable(self, step: Step) -> None:
        """Takes note of what was done, and can be taken back. The lock is held."""
        if inside := step.taken_undoable():
            self.undoable.append(inside)
        if step.planned.node.undo is not None:
            envelope = self.outputs.get(step.planned.name)
            self.undoable.append(Undo(step, None if envelope is None else envelope.body))

    def perform_undo(self, entry: Undo, failure: ErrorInfo | None) -> None:
        """Runs an undo node, and waits for it."""
        planned = self.scope.nodes[entry.step.planned.node.undo or ""]
        step = Step(self, planned, role="undo", error=failure, undoes=entry)
        crew = self.run.crew
        with crew.lock:
            self.post = Post(self, stays_free=self.run.may_be_cut_short())
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
