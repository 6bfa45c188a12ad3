"""A run of a plan: begun once, ended once, whatever happens, and then told of in a result."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime as dt
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context

from pocketflow_otel.budgets import Budget, BudgetExceeded, Limits, with_budget
from pocketflow_otel.runtime.connections.families import Families
from pocketflow_otel.runtime.connections.opened import Connections
from pocketflow_otel.runtime.errors import Interrupted, LimitReached, RunError
from pocketflow_otel.runtime.planning import outputs_by_name
from pocketflow_otel.runtime.registry.node_types import ClassType, Waiting
from pocketflow_otel.runtime.registry.signatures import arguments
from pocketflow_otel.runtime.running.crew import Crew
from pocketflow_otel.runtime.running.events import Event, Events
from pocketflow_otel.runtime.running.flows import workflow
from pocketflow_otel.runtime.running.folder import Folder
from pocketflow_otel.runtime.running.frames import Frame, Home
from pocketflow_otel.runtime.running.loop import Loop
from pocketflow_otel.runtime.running.printed import listening
from pocketflow_otel.runtime.running.recording import Recorder, left_behind
from pocketflow_otel.runtime.running.records import ErrorInfo, NodeRecord, Result, RunStatus
from pocketflow_otel.runtime.running.result import as_json
from pocketflow_otel.runtime.running.showing import qualified, said
from pocketflow_otel.runtime.running.summaries import counting_calls, summary_of
from pocketflow_otel.runtime.secrets import Environment, Secrets
from pocketflow_otel.runtime.values.envelope import copied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.planning import Plan, PlannedDocument, PlannedNode
    from pocketflow_otel.runtime.running.events import Kind
    from pocketflow_otel.runtime.running.steps import Step

GRACE_SECONDS: Final = 5.0
"""How long a run that was interrupted, or has reached a limit, waits for nodes that go on in their threads."""
_LOOK_EVERY: Final = 0.1


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

    Attributes:
        id: The run's id.
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
    ) -> None:
        self.plan = plan
        self.id = run_id or uuid.uuid4().hex
        self.decisions = dict(decisions or {})
        self.may_ask = may_ask
        self.secrets = Secrets()
        self.folder = Folder(directory)
        self.recorder = Recorder()
        self.crew = Crew(plan.parallel)
        self.loop = Loop(loop)
        self.failure: ErrorInfo | None = None
        self.is_interrupted = False
        self.has_classes = any(isinstance(node.type, ClassType) for node in plan.document.all_nodes())
        self.environment = Environment(plan.environ, self.secrets)
        self.problems: list[str] = []
        limits = plan.document.loaded.document.limits
        self._budget = Budget(Limits(usd=limits.usd, tokens=limits.tokens))
        self._listeners = [each for each in (on_event, self.folder.note if directory else None) if each is not None]
        self._events = Events(self._listeners, self.secrets.shown)
        self._prototypes: dict[str, Any] = {}
        self._instances: dict[str, Any] = {}
        self._homes: list[Home] = []
        self._visits = 0
        self._abandoned = 0
        self._ended_error: BaseException | None = None
        self._outputs: dict[str, Any] = {}
        self._started_at = time.time()
        self._began = self._ended = time.perf_counter()
        self._started = False
        self._stopped_at: float | None = None
        self._takes_back = 0
        self._is_left = False
        self._is_over = threading.Event()
        self._result: Result | None = None
        self._finishing = threading.Lock()
        self._root = self._new_root()

    def _new_root(self) -> Frame:
        plan = self.plan
        started = dt.datetime.fromtimestamp(self._started_at, dt.UTC).isoformat()
        self._about = {"id": self.id, "workflow": plan.document.name, "started": started}
        inputs = copied(dict(plan.inputs))
        root = Frame(self, plan.document.scope, self.home(plan.document, inputs, None))
        root.store.update(copied(inputs))
        root.store["_run"] = dict(self._about)
        return root

    def home(self, document: PlannedDocument, inputs: dict[str, Any], around: Home | None) -> Home:
        """What the frames of one of its documents share."""
        loaded = document.loaded
        for name, declared in loaded.document.inputs.items():
            if declared.secret:
                self.secrets.add_all(inputs.get(name))
        about = {**self._about, "workflow": document.name}
        connections = Connections(
            loaded.document.connections, Families(), self.environment, self.secrets, inputs=inputs, base=loaded.base
        )
        known = {"inputs": inputs, "env": self.environment, "run": about}
        home = Home(document, inputs, known, connections, around)
        self._homes.append(home)
        if around is not None:
            self._limit_time(home)
        return home

    def leave(self, home: Home) -> None:
        """Takes note that a document inside another has been run, and that nothing in it is to be taken back."""
        self._homes.remove(home)
        self._close_connections([home])

    # From outside.

    def start(self) -> Run:
        """Begins, in a thread of its own.

        Raises:
            RunError: It has begun before.
            OSError: Its folder can't be made.
        """
        if self._started:
            raise RunError("a run begins once: make another one of the same plan")
        self.folder.open()
        self._started = True
        self._began = time.perf_counter()
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
                await asyncio.to_thread(self._is_over.wait, _LOOK_EVERY * 5)
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
                self.is_interrupted, self._stopped_at = True, None
        self.stop(Interrupted("the run was interrupted"))

    async def events(self) -> AsyncIterator[Event]:
        """Begins the run if it has not begun, and gives what happens from now on, up to ``run.finished``."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()

        def listen(event: Event) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        self._events.add(listen)
        if not self._started:
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
            self._events.remove(listen)

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
            self._is_over.wait(_LOOK_EVERY * 5)

    def _check_begun(self) -> None:
        if not self._started:
            raise RunError("the run has not begun: start() begins it")

    @property
    def _is_to_be_left(self) -> bool:
        """Whether it is over, or what is left of it was waited for long enough."""
        if self._is_over.is_set():
            return True
        with self.crew.lock:
            stopped = self._stopped_at
            if stopped is None or (self._takes_back and not self.is_interrupted):
                return False
            return time.monotonic() - stopped > GRACE_SECONDS

    def result(self) -> Result:
        """What came of it; waits for its end.

        Raises:
            RunError: As of `wait`.
        """
        self._wait()
        with self._finishing:
            if self._result is None:
                self._result = self._finish()
            return self._result

    # From inside.

    def _main(self) -> None:
        listening.begin()
        try:
            self._tell_run("run.started", {"workflow": self.plan.document.name})
            limits = self.plan.document.loaded.document.limits
            self._limit_time(self._root.home)
            flow = workflow(self.plan.document.name, self.plan.document.scope, self._prototypes)
            flow.frames[id(self._root.store)] = self._root
            otel_context.attach(with_budget(otel_context.get_current(), self._budget))
            with counting_calls(needed=limits.tokens is not None or limits.usd is not None):
                flow._run(self._root.store)  # noqa: SLF001 - as PocketFlow's own flows are run
                self._give_back()
        except BaseException as error:  # noqa: BLE001 - it is told in the result
            self._ended_error = error
            if self.failure is None:
                self.failure = self._root.failure or ErrorInfo("", qualified(error), self.secrets.shown(said(error)))
        finally:
            listening.end()
            with self.crew.lock:
                self.crew.close()
            self._ended = time.perf_counter()
            self._is_over.set()

    def _give_back(self) -> None:
        document, root = self.plan.document, self._root
        if document.outputs is None:
            held = {name: envelope.body for name, envelope in root.outputs.items()}
            self._outputs = outputs_by_name(document.scope, held)
            return
        try:
            self._outputs = document.outputs.resolve(root.lookup)
        except Exception as error:
            self.failure = ErrorInfo("", qualified(error), self.secrets.shown(f"outputs: {said(error)}"))
            root.take_back(error)
            raise

    def _limit_time(self, home: Home) -> None:
        name, seconds = home.document.name, home.document.loaded.document.limits.seconds
        if seconds is None:
            return

        def end() -> None:
            if not home.is_over:
                self.stop(LimitReached(f"{name} has taken the {seconds:g} s that it may take"))

        home.forget_time = self.loop.later(seconds, end)

    def stop(self, error: BaseException | None, failure: ErrorInfo | None = None) -> None:
        """Ends the run early."""
        with self.crew.lock:
            if error is None:
                return
            if isinstance(error, Interrupted | LimitReached | BudgetExceeded) and self._stopped_at is None:
                self._stopped_at = time.monotonic()
            if self._root.stopped is None:
                self.failure = failure or ErrorInfo("", qualified(error), self.secrets.shown(said(error)))
                self._root.stop(error)

    @contextlib.contextmanager
    def taking_back(self) -> Iterator[None]:
        """Meanwhile the run is not left, unless it is interrupted; what goes on afterwards is waited for anew."""
        with self.crew.lock:
            self._takes_back += 1
        try:
            yield
        finally:
            with self.crew.lock:
                self._takes_back -= 1
                if self._stopped_at is not None and not self.is_interrupted:
                    self._stopped_at = time.monotonic()

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
            step.inputs()
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
        name, planned = step.planned.name, step.planned
        with self.crew.lock:
            step.number = step.frame.visits[name] = step.frame.visits.get(name, 0) + 1
            if step.takes_back:
                return
            self._visits += 1
            home: Home | None = step.frame.home
            while home is not None:
                home.visits += 1
                _check(home.document.name, home.visits, home.document.loaded.document.limits.visits)
                home = home.around
            _check(planned.path, step.number, planned.node.visits)

    def record_skip(self, frame: Frame, planned: PlannedNode, reason: str) -> None:
        """Records a node that was skipped because of others."""
        record = NodeRecord(planned.path, 0, "skipped", at=frame.at, started=time.time(), reason=reason)
        self.recorder.record(record)
        if self._events.wanted:
            event = Event("node.skipped", time.time(), self.id, planned.path, 0, frame.at, record.as_json())
            self._events.note(event)

    def abandoned(self, step: Step) -> None:  # noqa: ARG002 - its record tells the rest
        """Takes note of a thread that goes on though its node was given up."""
        with self.crew.lock:
            self._abandoned += 1

    # Telling.

    def tell(self, kind: Kind, step: Step, data: Callable[[], Mapping[str, Any]] | None = None) -> None:
        """Tells of something that happened to a node."""
        if self._events.wanted:
            told = None if data is None else data()
            event = Event(kind, time.time(), self.id, step.planned.path, step.number, step.frame.at, told)
            self._events.tell(event)

    def tell_items(self, step: Step, done: int, total: int) -> None:
        """Tells how far a map has come."""
        self.tell("node.progress", step, lambda: {"done": done, "total": total, "unit": "items"})

    def tell_noted(self) -> None:
        """Tells what was noted while the crew's lock was held."""
        self._events.tell()

    def _tell_run(self, kind: Kind, data: Mapping[str, Any]) -> None:
        if self._events.wanted:
            self._events.tell(Event(kind, time.time(), self.id, data=data))

    # The end.

    def _finish(self) -> Result:
        self._is_left = is_left = not self._is_over.is_set()
        if is_left:
            self.failure = self.failure or self._root.failure
            self._record_left()
            self._ended = time.perf_counter()
        for home in list(self._homes):
            home.over()
        self._close_connections(list(self._homes))
        self.loop.close()
        result = self._made_result()
        event = Event("run.finished", time.time(), self.id, data={"status": result.status})
        self._events.tell(event, GRACE_SECONDS if is_left else -1)
        self._save(result)
        try:
            self.folder.close(succeeded=result.status in {"succeeded", "degraded"} and not is_left)
        except OSError as error:
            self.problems.append(f"the run's folder: {error}")
        return Result(**{**_fields(result), "problems": (*self.problems, *self._events.problems)})

    def _save(self, result: Result) -> None:
        try:
            self.folder.save(as_json(result, self.secrets))
        except OSError as error:
            self.problems.append(f"the result can't be saved in {self.folder.path}: {error.strerror or error}")

    def _close_connections(self, homes: list[Home]) -> None:
        async def close() -> None:
            for home in homes:
                self.problems.extend(await home.connections.aclose())

        in_loop = self.loop.is_used and not self.loop.runs_here()
        if in_loop and any(home.connections.is_used for home in homes):
            future = asyncio.run_coroutine_threadsafe(close(), self.loop.get())
            try:
                future.result(GRACE_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever a connection raises
                self.problems.append(f"connections can't be closed: {type(error).__name__}: {error}")
            return
        for home in homes:
            self.problems.extend(home.connections.close())

    def _record_left(self) -> None:
        """Records what goes on in its thread though the run is over."""
        is_undone = True
        with self.crew.lock:
            frames = [self._root]
            while frames:
                frame = frames.pop()
                frames.extend(frame.children)
                is_undone = is_undone and not frame.undoable
                for step in list(frame.running):
                    is_undone = is_undone and not step.undoable_inside
                    if step.status is None and not step.planned.is_holder:
                        self._abandoned += 1
                        self.recorder.record(left_behind(step))
        if not is_undone and not self.is_interrupted:
            self.problems.append("nothing is taken back: nodes go on in their threads, which were given up")

    def _made_result(self) -> Result:
        records = list(self.recorder.records)
        status = self._status(records)
        return Result(
            run_id=self.id,
            workflow=self.plan.document.name,
            status=status,
            started=self._about["started"],
            seconds=self._ended - self._began,
            outputs=self._outputs,
            error=self.failure if status not in {"succeeded", "degraded"} else None,
            nodes=tuple(record for record in records if record.role != "undo"),
            undone=tuple(record for record in records if record.role == "undo"),
            summary=summary_of(
                self.plan.document, records, self._ended - self._began, self._budget.spent, abandoned=self._abandoned
            ),
            problems=(*self.problems, *self._events.problems),
            store=self._root.store,
        )

    def _status(self, records: list[NodeRecord]) -> RunStatus:
        error = self._root.stopped or self._ended_error
        match error:
            case None:
                return "degraded" if any(record.status == "degraded" for record in records) else "succeeded"
            case Interrupted():
                return "interrupted"
            case Waiting():
                return "waiting"
            case LimitReached() | BudgetExceeded():
                return "limit"
            case _:
                return "failed"


def _check(name: str, visits: int, most: int | None) -> None:
    if most is not None and visits > most:
        raise LimitReached(f"{name} has had the {most:,} visit{'s' if most != 1 else ''} that it may have")


def _fields(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in Result.__dataclass_fields__}
