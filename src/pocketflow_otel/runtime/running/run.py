"""A run of a plan: begun once, and ended once, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime as dt
import math
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context

from pocketflow_otel.budgets import BudgetExceeded, budgets_of, with_budget
from pocketflow_otel.runtime.errors import Cancelled, Interrupted, LimitReached, RunError
from pocketflow_otel.runtime.planning import outputs_by_name
from pocketflow_otel.runtime.registry.node_types import ClassType
from pocketflow_otel.runtime.registry.signatures import arguments
from pocketflow_otel.runtime.running.clock import Clock
from pocketflow_otel.runtime.running.crew import Crew
from pocketflow_otel.runtime.running.ending import finished
from pocketflow_otel.runtime.running.events import Event, Events
from pocketflow_otel.runtime.running.flows import workflow
from pocketflow_otel.runtime.running.folder import Folder
from pocketflow_otel.runtime.running.frames import Frame
from pocketflow_otel.runtime.running.homes import Homes, check_visits
from pocketflow_otel.runtime.running.loop import Loop
from pocketflow_otel.runtime.running.printed import listening
from pocketflow_otel.runtime.running.recording import Recorder
from pocketflow_otel.runtime.running.records import ErrorInfo, NodeRecord
from pocketflow_otel.runtime.running.showing import qualified, said
from pocketflow_otel.runtime.running.stepping import Stepping
from pocketflow_otel.runtime.running.summaries import counting_calls
from pocketflow_otel.runtime.running.taking import inputs_of
from pocketflow_otel.runtime.running.undoing import take_back
from pocketflow_otel.runtime.secrets import Environment, Secrets
from pocketflow_otel.runtime.values.envelope import copied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.planning import Plan, PlannedNode
    from pocketflow_otel.runtime.running.events import Kind
    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.running.stepping import OnStep
    from pocketflow_otel.runtime.running.steps import Step

GRACE_SECONDS: Final = 5.0
"""How long a run that was interrupted, or has reached a limit, waits for nodes that go on in their threads."""
_LEAVING_SECONDS: Final = 0.5
_LOOK_EVERY: Final = 0.5


class Run:
    """A run of a plan.

    Args:
        plan: What is run.
        on_event: Is told of what happens, in the thread in which it does.
        directory: The run's own folder, which is made; without one, nothing is kept but artifacts.
        decisions: What people have decided beforehand, by the names of ``approve`` nodes.
        may_ask: Whether a person may be waited for; else the run ends, waiting.
        run_id: The run's id, if it has one.
        loop: The event loop for coroutine functions, if one runs already.
        on_step: Is asked before each node whether it is to run. Nodes run one at a time as long as it is, and neither
            the run's seconds are counted nor those of nodes that hold others.

    Attributes:
        id: The run's id.
        about: What ``${run}`` and ``_run`` in the store give: id, workflow, started.
        failure: The error that ended it, as it is told.
        ended_by: The same, as it was raised, where no node raised it.
        outputs: What it gives back.
        problems: What went wrong besides, and ended nothing.
        began: When it began, by `time.perf_counter`.
        ended: When it ended, likewise.
        abandoned: How many threads go on though their nodes were given up.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        on_event: Callable[[Event], object] | None = None,
        directory: Path | None = None,
        decisions: Mapping[str, str] | None = None,
        may_ask: bool = True,
        run_id: str | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        started = dt.datetime.now(dt.UTC).isoformat()
        self.plan = plan
        self.id = run_id or uuid.uuid4().hex
        self.about = {"id": self.id, "workflow": plan.document.name, "started": started}
        self.decisions = dict(decisions or {})
        self.may_ask = may_ask
        self.secrets = Secrets()
        self.environment = Environment(plan.environ, self.secrets)
        self.folder = Folder(directory)
        self.recorder = Recorder()
        self.stepping = None if on_step is None else Stepping(self, on_step)
        self.crew = Crew(1 if self.stepping else plan.parallel, leaves_loop_free=self.stepping is not None)
        self.loop = Loop(loop)
        self.clock = Clock()
        self.homes = Homes(self)
        listeners = [each for each in (on_event, self.folder.note if directory else None) if each is not None]
        self.happenings = Events(listeners, self.secrets.shown)
        self.has_classes = any(isinstance(node.type, ClassType) for node in plan.document.all_nodes())
        self.failure: ErrorInfo | None = None
        self.ended_by: BaseException | None = None
        self.outputs: dict[str, Any] = {}
        self.problems: list[str] = []
        self.abandoned = 0
        self.began = self.ended = time.perf_counter()
        self.is_interrupted = False
        self._interrupted_at = math.inf
        self._runs_several = any(scope.runs_several for scope in plan.document.all_scopes())
        self._prototypes: dict[str, Any] = {}
        self._instances: dict[str, Any] = {}
        self._has_begun = False
        self._is_over = threading.Event()
        self._is_left = False
        self._will_give_up = False
        self._result: Result | None = None
        self._finishing = threading.Lock()
        self.root = self._new_root()

    def _new_root(self) -> Frame:
        plan = self.plan
        inputs = copied(dict(plan.inputs))
        root = Frame(self, plan.document.scope, self.homes.open(plan.document, inputs, None))
        root.store.update(copied(inputs))
        root.store["_run"] = dict(self.about)
        return root

    # From outside.

    def start(self) -> Run:
        """Begins, in a thread of its own.

        Raises:
            RunError: It has begun before.
            OSError: Its folder can't be made.
        """
        if self._has_begun:
            raise RunError("a run begins once: make another one of the same plan")
        self.folder.open()
        self._has_begun = True
        self.began = time.perf_counter()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._main,), name="pocketflow-run", daemon=True).start()
        return self

    def wait(self) -> Run:
        """Waits for its end. If this is interrupted (Ctrl-C), the run is, and then the interrupt goes on.

        Raises:
            RunError: It has not begun; or it needs the event loop that runs in this thread.
        """
        try:
            self._wait()
        except KeyboardInterrupt:
            self.interrupt()
            self._wait()
            self.result()
            raise
        return self

    async def wait_async(self) -> Run:
        """As `wait`. If the task is cancelled, the run is interrupted."""
        self._check_begun()
        try:
            while not self._is_to_be_left:
                await asyncio.to_thread(self._is_over.wait, _LOOK_EVERY)
        except asyncio.CancelledError:
            self.interrupt()
            await self.result_async()
            raise
        return self

    async def result_async(self) -> Result:
        """As `result`, of a run that is over. A task that is cancelled meanwhile waits for it all the same, once."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def tell(result: Result) -> None:
            if not done.done():
                done.set_result(result)

        def finish() -> None:
            result = self.result()
            # A loop that has been closed waits for nothing.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell, result)

        # A thread of its own: one of the loop's executor may never begin, once a task is cancelled.
        threading.Thread(target=finish, name="pocketflow-result", daemon=True).start()
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.shield(done)
            raise

    def interrupt(self) -> None:
        """Begins nothing more, ends what can be ended, and takes nothing back. Safe from any thread."""
        with self.crew.lock:
            if not self.is_interrupted:
                self.is_interrupted, self._interrupted_at = True, time.monotonic()
        self.stop(Interrupted("the run was interrupted"))

    async def events(self) -> AsyncIterator[Event]:
        """Begins the run if it has not begun, and gives what happens from now on, up to ``run.finished``."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()

        def listen(event: Event) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        self.happenings.add(listen)
        if not self._has_begun:
            self.start()
        ending = asyncio.ensure_future(self._ended_async())
        # After all that was told: there may be no last event, where another listener keeps it from being told.
        ending.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await ending
        finally:
            if not ending.done():
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)
            self.happenings.remove(listen)

    async def _ended_async(self) -> None:
        await self.wait_async()
        await self.result_async()

    def _wait(self) -> None:
        self._check_begun()
        if self.loop.runs_here() and not self._is_to_be_left:
            raise RunError(
                "the run needs this event loop, which stands still as long as this waits: await wait_async()"
            )
        while not self._is_to_be_left:
            self._is_over.wait(_LOOK_EVERY)

    def _check_begun(self) -> None:
        if not self._has_begun:
            raise RunError("the run has not begun: start() begins it")

    @property
    def _is_to_be_left(self) -> bool:
        """Whether it is over, or was interrupted and what is left of it was waited for long enough."""
        return self._is_over.is_set() or time.monotonic() - self._interrupted_at > GRACE_SECONDS + _LEAVING_SECONDS

    def result(self) -> Result:
        """What came of it; waits for its end.

        Raises:
            RunError: As of `wait`.
        """
        self._wait()
        return self._finish()

    # From inside.

    def _main(self) -> None:
        listening.begin()
        try:
            self._tell_run("run.started", {"workflow": self.plan.document.name})
            self.homes.limit_time(self.root.home)
            flow = workflow(self.plan.document.name, self.plan.document.scope, self._prototypes)
            flow.frames[id(self.root.store)] = self.root
            otel_context.attach(with_budget(otel_context.get_current(), self.root.home.budget))
            with counting_calls(needed=self.plan.document.limits_calls):
                flow._run(self.root.store)  # noqa: SLF001 - as PocketFlow's own flows are run
                self.root.home.over()
                self._give_back()
        except BaseException as error:  # noqa: BLE001 - it is told in the result
            self.ended_by = error
            if self.failure is None:
                self.failure = self.root.failure or ErrorInfo("", qualified(error), self.secrets.shown(said(error)))
        finally:
            listening.end()
            with self.crew.lock:
                self.crew.close()
            self.ended = time.perf_counter()
            try:
                self._finish(is_left=False)
            finally:
                self._is_over.set()

    def _finish(self, *, is_left: bool = True) -> Result:
        """Ends it, unless that is done: in its own thread; by whoever waits for it where that one hangs."""
        with self._finishing:
            if self._result is None:
                self._is_left = is_left
                self._result = finished(self, is_left=is_left)
            return self._result

    def _give_back(self) -> None:
        document, root = self.plan.document, self.root
        if document.outputs is None:
            held = {name: envelope.body for name, envelope in root.outputs.items()}
            self.outputs = outputs_by_name(document.scope, held)
            return
        try:
            self.outputs = document.outputs.resolve(root.lookup)
        except Exception as error:
            with self.crew.lock:
                self.failure = ErrorInfo("", qualified(error), self.secrets.shown(f"outputs: {said(error)}"))
                root.stopped = root.stopped or error
            take_back(root, error)
            raise

    def stop(self, error: BaseException | None, failure: ErrorInfo | None = None) -> None:
        """Ends the run early. What reaches a limit waits for its nodes for some time; a failure, until they end."""
        with self.crew.lock:
            if error is None:
                return
            if self.root.stopped is None:
                self.failure = failure or ErrorInfo("", qualified(error), self.secrets.shown(said(error)))
                self.root.stop(error)
            if issubclass(type(error), Interrupted | LimitReached | BudgetExceeded) and not self._will_give_up:
                self._will_give_up = True
                with contextlib.suppress(RuntimeError):  # there may be no thread for it: then nodes are waited for
                    self.clock.later(GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self.give_up([self.root])

    def give_up(self, frames: list[Frame]) -> None:
        """Waits no longer for nodes of stopped frames that go on in their threads. The lock is not held."""
        with self.crew.lock:
            steps = [step for frame in frames for step in frame.give_up()]
        # Before those of what holds them, which ends then; whoever listens to spans may take long.
        for step in steps:
            step.end_spans(Cancelled("given up, and goes on"))
        with self.crew.lock:
            for step in steps:
                step.leave()
            # Others have room now.
            self.crew.assign()
        self.tell_noted()

    def may_be_cut_short(self) -> bool:
        """Whether a limit, of the document or around the run, can be reached while a node is at work.

        Then threads that run frames leave the nodes' code to others, for a node may have to be given up.
        """
        limited = any(budget.is_limited for budget in budgets_of(otel_context.get_current()))
        return self.plan.may_be_cut_short or (limited and self._runs_several)

    def step_no_more(self) -> None:
        """Goes on without stopping before nodes."""
        with self.crew.lock:
            self.crew.widen(self.plan.parallel)

    @property
    def takes_nothing_back(self) -> bool:
        """Whether no undo node is begun any more."""
        return self.is_interrupted or self._is_left

    def prototype(self, planned: PlannedNode) -> Any:
        """What stands for a node in the flow's graph."""
        return self._prototypes[planned.path]

    def instance_of(self, step: Step) -> Any:
        """The node that a visit runs a copy of: of a class one for the run, unless its arguments differ by visit."""
        planned = step.planned
        prototype = self.prototype(planned)
        if not isinstance(planned.type, ClassType):
            return prototype
        with self.crew.lock:
            made = self._instances.get(planned.path)
        if made is None:
            inputs_of(step)
            made = planned.type.make(**arguments(step.config))
            made.successors = prototype.successors
            if planned.config is not None and planned.config.is_constant:
                with self.crew.lock:
                    made = self._instances.setdefault(planned.path, made)
        return made

    def count_visit(self, step: Step) -> None:
        """Counts a visit.

        Raises:
            LimitReached: There are more than there may be.
        """
        planned, frame = step.planned, step.frame
        with self.crew.lock:
            step.number = frame.visits[planned.name] = frame.visits.get(planned.name, 0) + 1
            if step.takes_back:
                return
            frame.home.count_visit()
            if planned.node.visits is not None:
                check_visits(planned.path, step.number, planned.node.visits)

    def record_skip(self, frame: Frame, planned: PlannedNode, reason: str) -> None:
        """Records a node that was skipped because of others. The lock is held."""
        record = NodeRecord(planned.path, 0, "skipped", at=frame.at, started=time.time(), reason=reason)
        self.recorder.record(record)
        if self.happenings.wanted:
            event = Event("node.skipped", time.time(), self.id, planned.path, 0, frame.at, record.as_json())
            self.happenings.note(event)

    def note(self, kind: Kind, step: Step, data: Callable[[], Mapping[str, Any]]) -> None:
        """As `tell`, while the lock is held: `tell_noted` tells it."""
        if self.happenings.wanted:
            event = Event(kind, time.time(), self.id, step.planned.path, step.number, step.frame.at, data())
            self.happenings.note(event)

    def thread_abandoned(self) -> None:
        """Takes note of a thread that goes on though its node was given up."""
        with self.crew.lock:
            self.abandoned += 1

    # Telling.

    def tell(self, kind: Kind, step: Step, data: Callable[[], Mapping[str, Any]] | None = None) -> None:
        """Tells of something that happened to a node."""
        if self.happenings.wanted:
            told = None if data is None else data()
            event = Event(kind, time.time(), self.id, step.planned.path, step.number, step.frame.at, told)
            self.happenings.tell(event)

    def tell_items(self, step: Step, done: int, total: int) -> None:
        """Tells how far a map has come."""
        self.tell("node.progress", step, lambda: {"done": done, "total": total, "unit": "items"})

    def tell_noted(self) -> None:
        """Tells what was noted while the crew's lock was held."""
        self.happenings.tell()

    def _tell_run(self, kind: Kind, data: Mapping[str, Any]) -> None:
        if self.happenings.wanted:
            self.happenings.tell(Event(kind, time.time(), self.id, data=data))
