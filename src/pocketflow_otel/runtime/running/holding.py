"""Nodes that hold nodes: these are run once, or for each item of a list, and what they give is put together."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from pocketflow_otel.budgets import BudgetExceeded, with_budget
from pocketflow_otel.runtime.documents.model import MapConfig
from pocketflow_otel.runtime.errors import Cancelled, Interrupted, LimitReached, NodeTimeout
from pocketflow_otel.runtime.planning import complete_inputs, outputs_by_name
from pocketflow_otel.runtime.registry.node_types import Waiting
from pocketflow_otel.runtime.running.frames import Frame
from pocketflow_otel.runtime.running.giving import publish
from pocketflow_otel.runtime.running.undoing import take_back, take_back_inside
from pocketflow_otel.runtime.values.envelope import copied
from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pocketflow_otel.runtime.planning import PlannedBody, PlannedDocument
    from pocketflow_otel.runtime.running.flows import Holder
    from pocketflow_otel.runtime.running.homes import Home
    from pocketflow_otel.runtime.running.records import ErrorInfo
    from pocketflow_otel.runtime.running.steps import Step

_ENDING_SECONDS = 0.5
"""How long nodes that are held by one whose time is over have to end by themselves."""
_ENDS_THE_RUN = (LimitReached, BudgetExceeded, Interrupted, Cancelled, Waiting)


def hold(step: Step, flow: Holder, shared: dict[Any, Any]) -> str | None:
    """Runs what a node holds.

    Args:
        step: The node's visit.
        flow: The node, as PocketFlow has it.
        shared: The store around it.

    Returns:
        Its action.
    """
    body = step.planned.body
    if body is None:
        raise AssertionError(step.planned.path)
    step.timed_out, step.degraded_inside, step.inner_failure = None, False, None
    step.undoable_inside.clear()
    with time_limited(step):
        output = _each(step, flow, body) if isinstance(body.config, MapConfig) else _once(step, flow, body)
    try:
        return publish(step, shared, output)
    except Exception as error:
        take_back_inside(step, error)
        raise


@contextlib.contextmanager
def time_limited(step: Step) -> Iterator[None]:
    """Stops what a step holds once that has taken the time that it may take; nodes in threads are given up."""
    run, seconds = step.frame.run, step.planned.timeout
    if seconds is None or run.stepping is not None:
        yield
        return
    is_over = False

    def time_out() -> None:
        with run.crew.lock:
            if is_over:
                return
            step.timed_out = NodeTimeout(f"{step.planned.path} took longer than {seconds:g} s")
            _stop_inside(step, step.timed_out)
        run.clock.later(_ENDING_SECONDS, give_up)

    def give_up() -> None:
        with run.crew.lock:
            frames = [] if is_over else _inside(step)
        run.give_up(frames)

    forget = run.clock.later(seconds, time_out)
    try:
        yield
    finally:
        with run.crew.lock:
            is_over = True
        forget()


def _inside(step: Step) -> list[Frame]:
    return [child for child in step.frame.children if child.parent is step]


def _stop_inside(step: Step, error: BaseException, because: ErrorInfo | None = None) -> None:
    """Stops what a step holds: with an error, and because of another one if that is not what it is stopped with."""
    for child in _inside(step):
        child.failure = child.failure or because
        child.stop(error)


def _once(step: Step, flow: Holder, body: PlannedBody) -> Any:
    if body.document is not None:
        return _document(step, flow, body, body.document)
    frame, prefix = step.frame, f"{step.planned.path}."
    if body.scope is None:
        raise AssertionError(step.planned.path)
    inner = Frame(frame.run, body.scope, frame.home, outer=frame, parent=step, prefix=prefix, at=frame.at)
    inner.variables = frame.variables
    return _run(step, flow, body, inner, dict(inner.variables))


def _document(step: Step, flow: Holder, body: PlannedBody, document: PlannedDocument) -> Any:
    frame, prefix = step.frame, f"{step.planned.path}."
    if body.inputs is None:
        raise AssertionError(step.planned.path)
    inputs = complete_inputs(document.loaded.document.inputs, copied(body.inputs.resolve(step.lookup)))
    homes = frame.run.homes
    home = homes.open(document, inputs, frame.home)
    homes.limit_time(home)
    inner = Frame(frame.run, document.scope, home, parent=step, prefix=prefix, at=frame.at)
    inner.store.update(inputs)
    try:
        with _limited_calls(home):
            return _run(step, flow, body, inner, {})
    finally:
        home.over()
        if not inner.undoable:
            frame.run.problems += homes.leave(home)


@contextlib.contextmanager
def _limited_calls(home: Home) -> Iterator[None]:
    """Limits what calls of models may use in a document."""
    if not home.budget.is_limited:
        yield
        return
    token = otel_context.attach(with_budget(otel_context.get_current(), home.budget))
    try:
        yield
    finally:
        otel_context.detach(token)


def _each(step: Step, flow: Holder, body: PlannedBody) -> list[Any]:
    config: Any = body.config
    items = _items(step, body)
    outputs: list[Any] = [None] * len(items)
    work = _Items(step, len(items))

    def do_items() -> None:
        for index in work.numbers():
            try:
                outputs[index] = _item(step, flow, body, index, items[index])
            except BaseException as error:  # noqa: BLE001 - it is raised below
                work.failed(error, goes_on=config.on_error == "continue")
            step.frame.run.tell_items(step, work.over(), len(items))

    threads = list(_started(do_items, min(config.parallel, len(items)) - 1))
    do_items()
    for thread in threads:
        thread.join()
    if work.error is not None:
        take_back_inside(step, work.error)
        raise work.error
    return outputs


def _started(work: Callable[[], None], count: int) -> Iterator[threading.Thread]:
    """Threads that help with items: fewer, where the system gives no more."""
    for _ in range(count):
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(work,), name="pocketflow-items", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        yield thread


def _items(step: Step, body: PlannedBody) -> list[Any]:
    if body.over is None:
        raise AssertionError(step.planned.path)
    items = body.over.resolve(step.lookup)
    if issubclass(type(items), Table):
        rows: list[Any] = items.json_rows()
        return rows
    if not issubclass(type(items), list | tuple):
        raise TypeError(f"{step.planned.path}: over is a list, not {type(items).__name__}")
    return list(copied(items))


def _item(step: Step, flow: Holder, body: PlannedBody, index: int, item: Any) -> Any:
    config: Any = body.config
    frame = step.frame
    if body.scope is None:
        raise AssertionError(step.planned.path)
    variables = {**frame.variables, config.as_: item, "index": index}
    inner = Frame(
        frame.run,
        body.scope,
        frame.home,
        outer=frame,
        parent=step,
        variables=variables,
        prefix=f"{step.planned.path}.",
        at=(*frame.at, index),
    )
    return _run(step, flow, body, inner, {config.as_: item, "index": index})


def _run(step: Step, flow: Holder, body: PlannedBody, inner: Frame, params: dict[str, Any]) -> Any:
    flow.frames[id(inner.store)] = inner
    try:
        flow._orch(inner.store, params)  # noqa: SLF001 - as PocketFlow's own flows do
        try:
            output = copied(given_back(body, inner))
        except Exception as error:
            told = step.told(error)
            inner.stopped, inner.failure = error, replace(told, message=f"output: {told.message}")
            take_back(inner, error)
            raise
    except BaseException:
        step.inner_failure = step.inner_failure or inner.failure
        raise
    finally:
        flow.frames.pop(id(inner.store), None)
    if inner.undoable:
        with step.frame.run.crew.lock:
            step.undoable_inside.append((inner.ended_as, inner.undoable))
    return output


def given_back(body: PlannedBody, inner: Frame) -> Any:
    """What the nodes of a body give."""
    if body.output is not None:
        return body.output.resolve(inner.lookup)
    if body.document is not None and body.document.outputs is not None:
        return body.document.outputs.resolve(inner.lookup)
    return outputs_by_name(inner.scope, {name: envelope.body for name, envelope in inner.outputs.items()})


class _Items:
    """Numbers of items, handed out to threads until one fails."""

    def __init__(self, step: Step, count: int) -> None:
        self.error: BaseException | None = None
        self._step = step
        self._numbers = iter(range(count))
        self._lock = threading.Lock()
        self._over = 0

    def numbers(self) -> Iterator[int]:
        while True:
            with self._lock:
                ends = self.error is not None or self._step.is_to_end
                index = None if ends else next(self._numbers, None)
            if index is None:
                if self._step.is_to_end and self.error is None:
                    self.error = self._step.frame.stopped
                return
            yield index

    def over(self) -> int:
        with self._lock:
            self._over += 1
            return self._over

    def failed(self, error: BaseException, *, goes_on: bool) -> None:
        step = self._step
        ends = issubclass(type(error), _ENDS_THE_RUN) or step.is_to_end or error is step.timed_out
        if goes_on and not ends:
            step.degraded_inside = True
            step.inner_failure = None
            return
        with self._lock:
            if self.error is not None:
                return
            self.error = error
        with step.frame.run.crew.lock:
            # The others have not failed: they are stopped because this one has.
            _stop_inside(step, Cancelled("another item has failed"), step.inner_failure)
