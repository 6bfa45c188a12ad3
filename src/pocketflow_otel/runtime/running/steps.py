"""A visit of a node: the one place where a node is called, and where what came of it is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import time
from concurrent.futures import CancelledError
from operator import itemgetter
from types import CoroutineType, MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from opentelemetry import context as otel_context

from pocketflow_otel.budgets import BUDGETS, BudgetExceeded
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.errors import (
    Cancelled,
    Interrupted,
    LimitReached,
)
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType, Waiting
from pocketflow_otel.runtime.running.context import NodeContext
from pocketflow_otel.runtime.running.giving import hand_on, keep
from pocketflow_otel.runtime.running.metering import Meter
from pocketflow_otel.runtime.running.printed import PRINTING, Prints
from pocketflow_otel.runtime.running.recording import bare_record, left_behind, record_of, record_output, why_stopped
from pocketflow_otel.runtime.running.records import ErrorInfo, NodeRecord, NodeStatus
from pocketflow_otel.runtime.running.showing import qualified, said
from pocketflow_otel.runtime.running.taking import view_of
from pocketflow_otel.runtime.running.tries import (
    NEVER_AGAIN,
    is_tried_again,
    limited,
    limited_async,
    repeated,
    repeated_async,
)
from pocketflow_otel.runtime.running.unbegun import show
from pocketflow_otel.runtime.values.envelope import Envelope, copied
from pocketflow_otel.visiting import VISITING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from pocketflow_otel.capture.store import Change
    from pocketflow_otel.runtime.planning import PlannedNode
    from pocketflow_otel.runtime.running.frames import Frame
    from pocketflow_otel.runtime.running.undoing import Undo, Undoable
    from pocketflow_otel.runtime.running.views import View
    from pocketflow_otel.visiting import Measured

_MISSING: Final = object()
_NO_META: Final[Mapping[str, Any]] = MappingProxyType({})


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
        undoable_inside: Of such a node: what can be taken back in it, by the frames' `ended_as`.
        action: The action it chose.
        number: Which visit of its node it is, from 1.
        attempt: Which try, from 1.
        given_up: What ends its spans: as of `Visiting`.
        record: What is recorded of it.
        reason: Why it is skipped, or waits.
        prints: What it printed.
        started: When it began, in seconds since 1970.
        store_changes: What it has done to the shared store, if nothing but what it gives can have changed it.
        task: What goes on for it in the event loop.
        degraded_inside: Whether something that it holds is missing.
        timed_out: Of a node that holds others: why these are to end.
    """

    __slots__ = ("_given_error", "_is_shown", "_meter", "_undoes", "_view", "action", "attempt", "cause", "config",
                 "degraded_inside", "error", "follows", "frame", "given_up", "inner_failure", "instance", "number",
                 "output", "planned", "prints", "reason", "record", "role", "stands_for", "started", "status",
                 "store_changes", "task", "timed_out", "told_error", "undoable_inside")  # fmt: skip

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
        self.undoable_inside: list[tuple[int, list[Undoable]]] = []
        self.action: str | None = None
        self.output: Envelope | None = None
        self.number = 0
        self.attempt = 0
        self.given_up: list[Callable[[BaseException], None]] = []
        self.degraded_inside = False
        self.timed_out: BaseException | None = None
        self.config: Any = None
        self.record: NodeRecord | None = None
        # A class, and nodes that a node holds, may do anything to it; a function is given copies, but for objects.
        self.store_changes: list[Change] | None = [] if isinstance(planned.type, FunctionType) else None
        self._given_error = error
        self._undoes = undoes
        self.reason = ""
        self.prints: Prints | None = None
        self._meter: Meter | None = None
        self._view: View | None = None
        self.task: Any = None
        self.started = 0.0
        self._is_shown = False

    @property
    def is_over(self) -> bool:
        """Whether all has come of it that will."""
        return self.status is not None

    @property
    def is_pointless(self) -> bool:
        """Whether it is not to begin any more."""
        return self.role != "undo" and self.frame.stopped is not None

    def taken_undoable(self) -> list[Undoable]:
        """Takes what can be taken back in it, in the order in which it was done."""
        inside = sorted(self.undoable_inside, key=itemgetter(0))
        self.undoable_inside.clear()
        return [entries for _, entries in inside]

    @property
    def takes_back(self) -> bool:
        """Whether it is an undo node's, or one that such a node holds."""
        return self.role == "undo" or self.frame.takes_back

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

    @property
    def tries(self) -> int:
        """How often it may be tried."""
        return 1 if self.planned.retry is None else self.planned.retry.tries

    def end_spans(self, reason: BaseException, beyond: int = 0) -> None:
        """Ends its spans, but for so many of the outermost, as it is waited for no longer."""
        for end in reversed(self.given_up[beyond:]):
            end(reason)

    def tries_again(self, error: BaseException) -> bool:
        """Whether it is tried again after this try, which has failed with an error."""
        return is_tried_again(self, error)

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
        self.started = time.time()
        if self.role == "undo":
            # A budget that is used up would keep it from running.
            otel_context.attach(otel_context.set_value(BUDGETS, ()))
        try:
            self.frame.run.count_visit(self)
            if self.planned.when is not None and not self.planned.when.holds(self.lookup):
                self.reason = f"when: {self.planned.node.when}"
                self._over("skipped")
                return
            if self.frame.run.stepping is not None:
                self.frame.run.stepping.pause(self)
            self.prints = Prints()
            PRINTING.set(self.prints)
            VISITING.set(self)
            is_async = self._is_async()
            self._meter = Meter(is_thread=not is_async)
            self.frame.run.tell("node.started", self)
            if is_async:
                self.frame.run.loop.start(self._run_async(), contextvars.copy_context(), self._task_started)
                return
            self._repeat()
        except BaseException as error:  # noqa: BLE001 - whatever a node raises is its outcome
            self._ended(error)
        else:
            self._ended(None)

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
        repeated(self, self._run_once)

    def _run_once(self) -> None:
        if self.planned.is_holder:
            self._node()._run(self.frame.store)  # noqa: SLF001 - likewise
            return
        view = self._view = view_of(self)
        self.take_action(limited(self, self._node()._run, view, given_up=view.close))  # noqa: SLF001 - likewise
        keep(self, copied(view.written))

    async def _run_async(self) -> None:
        try:
            await self.meter.driven(self._repeat_async())
        except BaseException as error:  # noqa: BLE001 - whatever a node raises is its outcome
            self._ended(error)
        else:
            self._ended(None)
        self.frame.run.crew.go_on_in_loop()

    async def _repeat_async(self) -> None:
        if isinstance(self.planned.type, FunctionType):
            await self._node()._run_async(self.frame.store)  # noqa: SLF001 - likewise
            return
        await repeated_async(self, self._run_once_async)

    async def _run_once_async(self) -> None:
        view = self._view = view_of(self)
        running = self._node()._run_async(view)  # noqa: SLF001 - likewise
        self.take_action(await limited_async(self, running))
        keep(self, copied(view.written))

    def _node(self) -> Any:
        """The node to run: a copy, as PocketFlow makes one for each visit."""
        node = self.instance = copy.copy(self.frame.run.instance_of(self))
        if not isinstance(self.planned.type, ClassType):
            node.step = self
        if self.frame.variables:
            node.set_params(dict(self.frame.variables))
        self._is_shown = True
        return node

    def take_action(self, action: Any) -> None:
        """Takes the action that a class returned."""
        if action is not None and not issubclass(type(action), str):
            raise TypeError(f"the action that a node returns is a text or None, not {shape(action)}")
        self.action = action or None

    # A function's node asks for these.

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
        future = asyncio.run_coroutine_threadsafe(self.meter.driven_task(coroutine), self.frame.run.loop.get())
        self.task = future
        if self.is_to_end:
            self.cancel()
        try:
            return future.result()
        except CancelledError:
            if self.is_to_end:
                raise Cancelled("the run has ended") from None
            raise

    @property
    def key(self) -> str:
        """The same for every try of the visit, and for no other."""
        if not self.frame.at and self.role == "node":
            return f"{self.frame.run.id}/{self.planned.path}/{self.number}"
        items = "".join(f"[{index}]" for index in self.frame.at)
        role = f"/{self.role}" if self.role != "node" else ""
        return f"{self.frame.run.id}/{self.planned.path}{items}/{self.number}{role}"

    @property
    def is_to_end(self) -> bool:
        """Whether the run, or the nodes around it, are coming to an end."""
        return self.role != "undo" and self.frame.stopped is not None

    # Ending it.

    def _task_started(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        if self.is_to_end:
            # Not before its first step: a task that is cancelled before that never tells.
            task.get_loop().call_soon(task.cancel)

    def cancel(self) -> None:
        """Ends what can be ended of it: what runs in the event loop, and nodes that it holds."""
        task = self.task
        if task is None or self.role == "undo":
            return
        loop = self.frame.run.loop.get()
        with contextlib.suppress(RuntimeError):  # it is closed
            # Not before its first step, which may be waiting there.
            loop.call_soon_threadsafe(loop.call_soon, task.cancel)

    def _ended(self, error: BaseException | None) -> None:
        """Takes what came of it; whatever goes wrong with that, nobody waits for it any more."""
        try:
            if error is None:
                self._over("degraded" if self.degraded_inside else "succeeded")
            else:
                self._failed(error)
        except BaseException as problem:  # noqa: BLE001 - an error's own code, say
            self._settle_anyhow(error or problem, problem)

    def _settle_anyhow(self, error: BaseException, problem: BaseException) -> None:
        path, run = self.planned.path, self.frame.run
        run.problems.append(f"{path} can't be told in full: {qualified(problem)}")
        with run.crew.lock:
            if self not in self.frame.running:
                return
            self.status, self.error = "failed", self.error or error
            self.told_error = self.told_error or ErrorInfo(path, qualified(error), "", self.frame.at)
            self.record = bare_record(self, "failed")
            self.record.error = self.told_error
            self._settle(self.record)
        run.tell_noted()

    def _failed(self, error: BaseException) -> None:
        self.error = error
        kind = type(error)  # an error's own code may tell another class, or fail at it
        if not self._is_shown and issubclass(kind, Exception) and not issubclass(kind, NEVER_AGAIN):
            show(self, error)
        self.told_error = self.inner_failure or self.told(error)
        if self._ends_with_others(error):
            self.told_error = None
            self.reason = f"stopped: {why_stopped(self.frame.stopped)}"
            self._over("cancelled")
        elif issubclass(kind, Waiting):
            self.reason = self.frame.run.secrets.mask(said(error))
            self._over("waiting")
        elif issubclass(kind, BudgetExceeded | LimitReached):
            self._over("limit")
        elif self.planned.continues and not self.is_to_end and issubclass(kind, Exception):
            hand_on(self, self.frame.store, copied(self.planned.node.fallback))
            self.action = None
            self._over("degraded")
        else:
            self._over("failed")

    def _ends_with_others(self, error: BaseException) -> bool:
        """Whether it failed only because what is around it is coming to an end."""
        if not self.is_to_end:
            return False
        if self.planned.is_holder and self.inner_failure is None and error is self.frame.stopped:
            return True
        return issubclass(type(error), Interrupted | Cancelled | asyncio.CancelledError)

    def told(self, error: BaseException) -> ErrorInfo:
        """An error of the node's, as it is told: without secrets."""
        says = self.frame.run.secrets.shown(said(error))[:4096]
        return ErrorInfo(self.planned.path, qualified(error), says, self.frame.at)

    def _over(self, status: NodeStatus) -> None:
        run = self.frame.run
        with run.crew.lock:
            if self.is_over:
                return  # it was given up
            self.status = status
        try:
            self.record = record_of(self, status)
        except Exception as error:  # noqa: BLE001 - a value that can't be looked at must not keep others waiting
            run.problems.append(f"{self.planned.path} can't be told in full: {run.secrets.shown(said(error))}")
            self.record = bare_record(self, status)
        # The node and the task know their step: what it was given, and gave, would wait for the garbage collector.
        self.instance = self.config = self.task = None
        with run.crew.lock:
            self._settle(self.record)
        # What the node has opened may keep its context, and this step with it.
        self.output = self._view = None
        run.tell_noted()

    def give_up(self) -> bool:
        """Lets nothing count any more that it does, if it is a node that goes on. The lock is held.

        Returns:
            Whether it is: then its spans are to be ended, and after them `leave` called.
        """
        if self.is_over or self.planned.is_holder or self.takes_back:
            return False
        self.status = "cancelled"
        if self._view is not None:
            self._view.close()
        if not self.planned.is_async:
            self.frame.run.abandoned += 1
        self.record = left_behind(self)
        return True

    def leave(self) -> None:
        """Waits no longer for it. The lock is held."""
        self._settle(self.record or left_behind(self))

    def _settle(self, record: NodeRecord) -> None:
        """Hands on what came of it, to result, listeners and undo in the same order. The lock is held."""
        run = self.frame.run
        run.recorder.record(record)
        run.note("node.skipped" if record.status == "skipped" else "node.finished", self, record.as_json)
        run.crew.release(self)
        self.frame.step_over(self)

    def becomes_degraded(self, output: Envelope | None = None) -> None:
        """Notes that another node took over after it failed."""
        self.status = "degraded"
        if self.record is not None:
            self.record.status = "degraded"
            record_output(self, self.record, output)

    def fail_late(self, error: BaseException) -> None:
        """Notes that what it chose leads nowhere."""
        self.status = "failed"
        self.error, self.inner_failure = error, None
        self.told_error = self.told(error)
        if self.record is not None:
            self.record.status = "failed"
            self.record.error = self.told_error

    @property
    def meter(self) -> Meter:
        """Measures it, once it has begun."""
        if self._meter is None:
            raise RuntimeError("a visit is measured once it has begun")
        return self._meter

    @property
    def has_begun(self) -> bool:
        """Whether its node's code has been reached."""
        return self._meter is not None
