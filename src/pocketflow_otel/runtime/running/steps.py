"""A visit of a node: the one place where a node is called, and where what came of it is recorded."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import threading
import time
from types import CoroutineType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from opentelemetry import context as otel_context
from pydantic import ValidationError

from pocketflow_otel.budgets import BUDGETS, BudgetExceeded
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.errors import (
    Cancelled,
    Interrupted,
    InvalidConfig,
    LimitReached,
    NodeTimeout,
)
from pocketflow_otel.runtime.expressions.references import Template
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType, Output, Waiting
from pocketflow_otel.runtime.running.context import NodeContext
from pocketflow_otel.runtime.running.metering import Meter
from pocketflow_otel.runtime.running.printed import PRINTING, Prints
from pocketflow_otel.runtime.running.records import ErrorInfo, NodeRecord, NodeStatus
from pocketflow_otel.runtime.running.showing import qualified, said, shown
from pocketflow_otel.runtime.running.unbegun import show
from pocketflow_otel.runtime.running.views import View
from pocketflow_otel.runtime.values.envelope import Envelope, content_type, copied
from pocketflow_otel.visiting import VISITING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from pocketflow_otel.runtime.planning import PlannedNode
    from pocketflow_otel.runtime.running.frames import Frame, Undo
    from pocketflow_otel.visiting import Measured

_NO_META: Final[Mapping[str, Any]] = MappingProxyType({})
_NEVER_AGAIN: Final = (BudgetExceeded, LimitReached, Interrupted, Cancelled, Waiting)
"""What no further try would change."""


class Step:
    """A visit of a node.

    Args:
        frame: The run of the node's scope.
        planned: The node.
        role: What it runs for.
        stands_for: The visit that failed, for which this one takes over.
        error: What its references to ``error`` give.
        follows: The node because of which it runs now.
        cause: The record of that node's visit.
        undoes: What it takes back.

    Attributes:
        instance: The PocketFlow node that is run, in this try.
        status: What came of it; None as long as it is not over.
        error: What it raised.
        told_error: The same, as it is told.
        inner_failure: Of a node that holds others: what failed in it, as it is told.
        undoable_inside: Of such a node: what can be taken back in it.
        action: The action it chose.
        number: Which visit of its node it is, from 1.
        attempt: Which try, from 1.
        record: What is recorded of it.
        degraded_inside: Whether something that it holds is missing.
        timed_out: Of a node that holds others: why these are to end.
    """

    __slots__ = ("_asyncio_task", "_given_error", "_is_shown", "_meter", "_prints", "_reason", "_started", "_undoes",
                 "_view", "action", "attempt", "cause", "config", "degraded_inside", "error", "follows", "frame",
                 "inner_failure", "instance", "number", "output", "planned", "record", "role", "stands_for",
                 "status", "timed_out", "told_error", "undoable_inside")  # fmt: skip

    def __init__(
        self,
        frame: Frame,
        planned: PlannedNode,
        *,
        role: Literal["node", "handler", "undo"] = "node",
        stands_for: Step | None = None,
        error: ErrorInfo | None = None,
        follows: str | None = None,
        cause: NodeRecord | None = None,
        undoes: Undo | None = None,
    ) -> None:
        self.frame = frame
        self.planned = planned
        self.role: Literal["node", "handler", "undo"] = "handler" if stands_for is not None else role
        self.stands_for = stands_for
        self.follows = follows
        self.cause = cause
        self.instance: Any = None
        self.status: NodeStatus | None = None
        self.error: BaseException | None = None
        self.told_error: ErrorInfo | None = None
        self.inner_failure: ErrorInfo | None = None
        self.undoable_inside: list[Any] = []
        self.action: str | None = None
        self.output: Envelope | None = None
        self.number = 0
        self.attempt = 0
        self.degraded_inside = False
        self.timed_out: BaseException | None = None
        self.config: Any = None
        self.record: NodeRecord | None = None
        self._given_error = error
        self._undoes = undoes
        self._reason = ""
        self._prints: Prints | None = None
        self._meter: Meter | None = None
        self._view: View | None = None
        self._asyncio_task: Any = None
        self._started = 0.0
        self._is_shown = False

    @property
    def is_over(self) -> bool:
        """Whether all has come of it that will."""
        return self.status is not None

    @property
    def is_pointless(self) -> bool:
        """Whether it is not to begin any more."""
        return self.role != "undo" and self.frame.stopped is not None

    # What its references see.

    def lookup(self, head: str) -> Any:
        """What a reference of the node begins with."""
        if head == "error" and self._given_error is not None:
            told = self._given_error
            return {"node": told.node, "type": told.type, "message": told.message}
        if head == "output" and self._undoes is not None:
            return self._undoes.output
        return self.frame.lookup(head)

    # `Visiting`.

    def measured(self) -> Measured:
        """What it took up to now, for its span."""
        if self._meter is None:
            raise RuntimeError("a visit is measured once it has begun")
        return self._meter.measure()

    # Running it.

    def run(self) -> None:
        """Does the step, or begins it where it goes on in the event loop; never raises."""
        self.frame.context.copy().run(self._begin)

    def _begin(self) -> None:
        self._started = time.time()
        if self.role == "undo":
            # A budget that is used up would keep it from running.
            otel_context.attach(otel_context.set_value(BUDGETS, ()))
        try:
            self.frame.run.count_visit(self)
            if self.planned.when is not None and not self.planned.when.holds(self.lookup):
                self._reason = f"when: {self.planned.node.when}"
                self._over("skipped")
                return
            self._prints = Prints()
            PRINTING.set(self._prints)
            VISITING.set(self)
            is_async = self._is_async()
            self._meter = Meter(is_thread=not is_async)
            self.frame.run.tell("node.started", self)
            if is_async:
                self.frame.run.loop.start(self._run_async(), contextvars.copy_context(), self._task_started)
                return
            self._repeat()
        except BaseException as error:  # noqa: BLE001 - whatever a node raises is its outcome
            self._failed(error)
        else:
            self._succeeded()

    def _is_async(self) -> bool:
        kind = self.planned.type
        if isinstance(kind, ClassType):
            self.instance = self.frame.run.instance_of(self)
            return hasattr(self.instance, "_run_async")
        return self.planned.is_async

    def _repeat(self) -> None:
        """Runs the node; one that does not try again by itself as often as the document says."""
        if isinstance(self.planned.type, FunctionType):
            self._node()._run(self.frame.store)  # noqa: SLF001 - as PocketFlow's own loop does
            return
        while True:
            self.attempt += 1
            try:
                self._run_once()
            except Exception as error:
                wait = self._wait_before_next(error)
                if wait is None:
                    raise
                self.pause(wait)
            else:
                return

    def _run_once(self) -> None:
        if self.planned.is_holder:
            self._node()._run(self.frame.store)  # noqa: SLF001 - likewise
            return
        view = self._new_view()
        self.take_action(self.limited(self._node()._run, view, given_up=view.close))  # noqa: SLF001 - likewise
        self._keep_written(view)

    async def _run_async(self) -> None:
        try:
            await self._measured().driven(self._repeat_async())
        except BaseException as error:  # noqa: BLE001 - whatever a node raises is its outcome
            self._failed(error)
        else:
            self._succeeded()
        self.frame.run.crew.go_on_in_loop()

    async def _repeat_async(self) -> None:
        if isinstance(self.planned.type, FunctionType):
            await self._node()._run_async(self.frame.store)  # noqa: SLF001 - likewise
            return
        while True:
            self.attempt += 1
            try:
                view = self._new_view()
                running = self._node()._run_async(view)  # noqa: SLF001 - likewise
                self.take_action(await self.limited_async(running))
                self._keep_written(view)
            except Exception as error:
                wait = self._wait_before_next(error)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                return

    def _node(self) -> Any:
        """The node to run: a copy, as PocketFlow makes one for each visit."""
        node = self.instance = copy.copy(self.frame.run.instance_of(self))
        if not isinstance(self.planned.type, ClassType):
            node.step = self
        if self.frame.variables:
            node.set_params(dict(self.frame.variables))
        self._is_shown = True
        return node

    def _new_view(self) -> View:
        reads, values = {}, {}
        for key, source in self.planned.reads.items():
            if isinstance(source, Template):
                values[key] = copied(source.resolve(self.lookup))
            else:
                reads[key] = source
        self._view = View(self.frame.stores(), reads, self.planned.node.writes, values)
        return self._view

    def _keep_written(self, view: View) -> None:
        self._keep(copied(view.written))

    def take_action(self, action: Any) -> None:
        """Takes the action that a class returned."""
        if action is not None and not issubclass(type(action), str):
            raise TypeError(f"the action that a node returns is a text or None, not {shape(action)}")
        self.action = action or None

    # A function's node asks for these.

    def inputs(self) -> Any:
        """What the node is given, as the document has it, references resolved. Checked, it is `config`."""
        planned = self.planned
        if planned.config is None:
            return None
        if planned.constant is not None:
            self.config = planned.constant
            return planned.node.with_ or None
        given = copied(planned.config.resolve(self.lookup))
        try:
            self.config = planned.type.config.model_validate(given)
        except ValidationError as error:
            raise InvalidConfig(_problems(planned, error)) from None
        return given

    def call(self) -> Any:
        """Calls the type's function."""
        kind: Any = self.planned.type
        context = NodeContext(self)
        try:
            given = kind.call(self.config, context)
            return self._awaited(given) if type(given) is CoroutineType else given
        finally:
            context.tell_rest()

    async def call_async(self) -> Any:
        """Calls the type's coroutine function."""
        kind: Any = self.planned.type
        context = NodeContext(self)
        try:
            return await kind.call(self.config, context)
        finally:
            context.tell_rest()

    def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Waits in this thread for what goes on in the event loop."""
        future = asyncio.run_coroutine_threadsafe(self._measured().driven_task(coroutine), self.frame.run.loop.get())
        self._asyncio_task = future
        if self.frame.stopped is not None and self.role != "undo":
            future.cancel()
        try:
            return future.result()
        except asyncio.CancelledError:
            raise Cancelled("the run has ended") from None

    def publish(self, shared: dict[Any, Any], result: Any) -> str | None:
        """Takes what the node gave: an output for others, a key of the store, an action."""
        output = result if issubclass(type(result), Output) else Output(result)
        body = copied(output.body)
        self._hand_on(shared, body, output.meta)
        self.action = output.action
        if self.planned.action is not None:
            self.action = self._templated_action(body)
        return self.action

    def _hand_on(self, shared: dict[Any, Any], body: Any, meta: Mapping[str, Any]) -> None:
        envelope = self._keep(body, meta)
        planned, frame = self.planned, self.frame
        if self.role != "undo":
            name = planned.name
            if self.stands_for is not None and not frame.scope.by_action:
                name = self.stands_for.planned.name
                frame.outputs[name] = envelope
            shared[name] = copied(body) if frame.run.has_classes else body
            if isinstance(planned.type, FunctionType) and planned.type.writes_store and type(body) is dict:
                shared.update(body)

    def _templated_action(self, body: Any) -> str | None:
        planned = self.planned
        if planned.action is None:
            return None
        action = planned.action.resolve(lambda head: body if head == "output" else self.lookup(head))
        if action is not None and not issubclass(type(action), str):
            raise TypeError(f"the action is a text, not {shape(action)}")
        return action or None

    def _keep(self, body: Any, meta: Mapping[str, Any] = _NO_META) -> Envelope:
        frame, name = self.frame, self.planned.name
        meta = MappingProxyType(dict(meta)) if meta else _NO_META
        envelope = Envelope(self.key, self.planned.path, content_type(body), body, meta, time.time())
        self.output = envelope
        if self.role != "undo":
            frame.outputs[name] = envelope
        return envelope

    @property
    def key(self) -> str:
        """The same for every try of the visit, and for no other."""
        if not self.frame.at and self.role == "node":
            return f"{self.frame.run.id}/{self.planned.path}/{self.number}"
        items = "".join(f"[{index}]" for index in self.frame.at)
        role = f"/{self.role}" if self.role != "node" else ""
        return f"{self.frame.run.id}/{self.planned.path}{items}/{self.number}{role}"

    # Trying.

    def tried(self, node: Any, given: Any) -> Any:
        """Tries a function's node as often as the document says."""
        while True:
            node.cur_retry = self.attempt
            self.attempt += 1
            try:
                return self.limited(node.exec, given)
            except Exception as error:
                wait = self._wait_before_next(error)
                if wait is None:
                    raise
                self.pause(wait)

    async def tried_async(self, node: Any, given: Any) -> Any:
        """As `tried`."""
        while True:
            node.cur_retry = self.attempt
            self.attempt += 1
            try:
                return await self.limited_async(node.exec_async(given))
            except Exception as error:
                wait = self._wait_before_next(error)
                if wait is None:
                    raise
                await asyncio.sleep(wait)

    def limited(self, call: Callable[..., Any], given: Any, given_up: Callable[[], object] | None = None) -> Any:
        """Calls something for as long as a try may take; what takes longer goes on in a thread that is given up."""
        seconds = self.planned.timeout
        if seconds is None:
            return call(given)
        outcome: list[tuple[Any, BaseException | None]] = []
        done = threading.Event()
        meter = self._measured()

        def work() -> None:
            began = time.thread_time()
            try:
                outcome.append((call(given), None))
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                outcome.append((None, error))
            finally:
                meter.cpu_seconds += time.thread_time() - began
                done.set()

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="pocketflow-try", daemon=True).start()
        if not done.wait(seconds):
            if given_up is not None:
                given_up()
            if self._asyncio_task is not None:
                self._asyncio_task.cancel()
            else:
                self.frame.run.abandoned(self)
            raise NodeTimeout(f"{self.planned.path} took longer than {seconds:g} s")
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    async def limited_async(self, running: Coroutine[Any, Any, Any]) -> Any:
        """As `limited`; what takes longer is cancelled."""
        seconds = self.planned.timeout
        if seconds is None:
            return await running
        try:
            async with asyncio.timeout(seconds) as limit:
                return await running
        except TimeoutError:
            if not limit.expired():
                raise
            raise NodeTimeout(f"{self.planned.path} took longer than {seconds:g} s") from None

    def _wait_before_next(self, error: Exception) -> float | None:
        """Seconds until another try; None where there is to be none."""
        retry = self.planned.retry
        if retry is None or self.attempt >= retry.tries or isinstance(error, _NEVER_AGAIN) or self._is_to_end:
            return None
        if retry.on and not _is_one_of(error, retry.on):
            return None
        try:
            wait = min(retry.wait * retry.backoff ** (self.attempt - 1), retry.max_wait)
        except OverflowError:
            wait = retry.max_wait
        self.frame.run.tell("node.tried", self, lambda: {"error": vars_of(self._told(error)), "wait_seconds": wait})
        return wait

    @property
    def _is_to_end(self) -> bool:
        return self.role != "undo" and self.frame.stopped is not None

    def pause(self, seconds: float) -> None:
        """Waits before the next try, unless the run ends meanwhile."""
        if seconds <= 0 or self.role == "undo":
            time.sleep(max(0.0, seconds))
        elif self.frame.stop_event.wait(seconds):
            raise Cancelled("the run has ended")

    # Ending it.

    def _task_started(self, task: asyncio.Task[Any]) -> None:
        self._asyncio_task = task
        if self._is_to_end:
            # Not before its first step: a task that is cancelled before that never tells.
            task.get_loop().call_soon(task.cancel)

    def cancel(self) -> None:
        """Ends what can be ended of it: what runs in the event loop, and nodes that it holds."""
        task = self._asyncio_task
        if task is None or self.role == "undo":
            return
        loop = self.frame.run.loop.get()
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    def _succeeded(self) -> None:
        self._over("degraded" if self.degraded_inside else "succeeded")

    def _failed(self, error: BaseException) -> None:
        self.error = error
        if not self._is_shown and isinstance(error, Exception) and not isinstance(error, _NEVER_AGAIN):
            show(self, error)
        self.told_error = self.inner_failure or self._told(error)
        if isinstance(error, Waiting):
            self._reason = self.frame.run.secrets.mask(said(error))
            self._over("waiting")
        elif isinstance(error, BudgetExceeded | LimitReached):
            self._over("limit")
        elif isinstance(error, Interrupted | Cancelled | asyncio.CancelledError) and self._is_to_end:
            self._over("cancelled")
        elif self.planned.continues and not self._is_to_end and isinstance(error, Exception):
            self._hand_on(self.frame.store, copied(self.planned.node.fallback), {})
            self.action = None
            self._over("degraded")
        else:
            self._over("failed")

    def _told(self, error: BaseException) -> ErrorInfo:
        return ErrorInfo(self.planned.path, qualified(error), self.frame.run.secrets.shown(said(error))[:4096])

    def _over(self, status: NodeStatus) -> None:
        run = self.frame.run
        self.status = status
        self.record = self._recorded(status)
        # The node knows its step: what it was given would wait for the garbage collector.
        self.instance = self.config = None
        run.recorder.record(self)
        run.tell("node.skipped" if status == "skipped" else "node.finished", self, self.record.as_json)
        with run.crew.lock:
            run.crew.release(self)
            self.frame.step_over(self)
        run.tell_noted()

    def _recorded(self, status: NodeStatus) -> NodeRecord:
        record = NodeRecord(
            self.planned.path, self.number, status, self.role, self.frame.at, self._started, cause=self.cause
        )
        record.attempts = self.attempt if self.attempt > 1 else 0
        record.action = self.frame.run.secrets.mask(self.action or "")
        record.error = self.told_error
        record.reason = self._reason
        if self._meter is not None:
            took = self._meter.measured or self._meter.measure()
            record.seconds = self._meter.seconds
            record.cpu_seconds, record.memory_bytes = took.cpu_seconds, took.memory_bytes
            record.read_bytes, record.written_bytes = took.read_bytes, took.written_bytes
            if took.counts:
                record.counts = self.frame.run.secrets.masked(dict(took.counts))
        if self._prints is not None and self._prints.streams:
            record.stdout = self._prints.text("stdout", self.frame.run.secrets)
            record.stderr = self._prints.text("stderr", self.frame.run.secrets)
        self._record_output(record, self.output if status in {"succeeded", "degraded"} else None)
        return record

    def _record_output(self, record: NodeRecord, output: Envelope | None) -> None:
        if output is not None:
            record.content_type = output.content_type
            record.output = self.frame.run.secrets.masked(shown(output.body))

    def becomes_degraded(self, output: Envelope | None = None) -> None:
        """Notes that another node took over after it failed."""
        self.status = "degraded"
        if self.record is not None:
            self.record.status = "degraded"
            self._record_output(self.record, output)

    def left_behind(self) -> NodeRecord:
        """A record of it where it goes on in its thread though the run is over."""
        self._reason = "it goes on in its thread, which was given up"
        record = NodeRecord(self.planned.path, self.number, "cancelled", self.role, self.frame.at, self._started)
        record.seconds = time.time() - self._started if self._started else 0.0
        record.reason = self._reason
        return record

    def fail_late(self, error: BaseException) -> None:
        """Notes that what it chose leads nowhere."""
        self.status = "failed"
        self.error = error
        self.told_error = self._told(error)
        if self.record is not None:
            self.record.status = "failed"
            self.record.error = self.told_error

    def _measured(self) -> Meter:
        if self._meter is None:
            raise RuntimeError("a visit is measured once it has begun")
        return self._meter

    @property
    def meter(self) -> Meter:
        """Measures it."""
        return self._measured()


def _is_one_of(error: Exception, names: list[str]) -> bool:
    kinds = type(error).__mro__
    return any(name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}") for kind in kinds for name in names)


def _problems(planned: PlannedNode, error: ValidationError) -> str:
    told = [f"{'.'.join(map(str, each['loc'])) or 'with'}: {each['msg']}" for each in error.errors()]
    return f"{planned.path} ({planned.type.name}) is given what it does not take: " + "; ".join(told)


def vars_of(error: ErrorInfo) -> dict[str, str]:
    """An error as JSON."""
    return {"node": error.node, "type": error.type, "message": error.message}
