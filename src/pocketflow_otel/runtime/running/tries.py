"""How often a node is tried, how long it waits in between, and how long a try may take."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pocketflow_otel.budgets import BudgetExceeded
from pocketflow_otel.runtime.errors import Cancelled, Interrupted, LimitReached, NodeTimeout
from pocketflow_otel.runtime.registry.node_types import Waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from pocketflow_otel.runtime.running.steps import Step

NEVER_AGAIN: Final = (BudgetExceeded, LimitReached, Interrupted, Cancelled, Waiting)
"""What no further try would change."""

Given = TypeVar("Given")


def repeated(step: Step, call: Callable[[], Given]) -> Given:
    """Calls something as often as the document says, until it succeeds."""
    while True:
        step.attempt += 1
        try:
            return call()
        except Exception as error:
            wait = _wait_before_next(step, error)
            if wait is None:
                raise
            _pause(step, wait)


async def repeated_async(step: Step, call: Callable[[], Awaitable[Given]]) -> Given:
    """As `repeated`."""
    while True:
        step.attempt += 1
        try:
            return await call()
        except Exception as error:
            wait = _wait_before_next(step, error)
            if wait is None:
                raise
            await asyncio.sleep(wait)


def limited(step: Step, call: Callable[[Any], Any], given: Any, *, given_up: Callable[[], object] | None = None) -> Any:
    """Calls something for as long as a try may take; what takes longer goes on in a thread that is given up.

    Args:
        step: The visit.
        call: What is called.
        given: Its argument.
        given_up: Is called where it is given up.

    Raises:
        NodeTimeout: It took longer.
    """
    seconds = step.planned.timeout
    if seconds is None:
        return call(given)
    outcome: list[tuple[Any, BaseException | None]] = []
    done = threading.Event()
    meter = step.meter

    def work() -> None:
        began = time.thread_time()
        try:
            outcome.append((call(given), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.append((None, error))
        finally:
            meter.cpu_seconds += time.thread_time() - began
            done.set()

    telling = len(step.given_up)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="pocketflow-try", daemon=True).start()
    if not done.wait(seconds):
        if given_up is not None:
            given_up()
        if step.task is not None:
            step.task.cancel()
        else:
            step.frame.run.thread_abandoned()
        reason = NodeTimeout(f"{step.planned.path} took longer than {seconds:g} s")
        step.end_spans(reason, beyond=telling)
        raise reason
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


async def limited_async(step: Step, running: Coroutine[Any, Any, Any]) -> Any:
    """As `limited`; what takes longer is cancelled."""
    seconds = step.planned.timeout
    if seconds is None:
        return await running
    try:
        async with asyncio.timeout(seconds) as limit:
            return await running
    except TimeoutError:
        if not limit.expired():
            raise
        raise NodeTimeout(f"{step.planned.path} took longer than {seconds:g} s") from None


def is_tried_again(step: Step, error: BaseException) -> bool:
    """Whether another try follows one that has failed."""
    retry = step.planned.retry
    if retry is None or step.attempt >= retry.tries or step.is_to_end:
        return False
    if issubclass(type(error), NEVER_AGAIN) or not issubclass(type(error), Exception):
        return False
    return not retry.on or _is_one_of(error, retry.on)


def _wait_before_next(step: Step, error: Exception) -> float | None:
    """Seconds until another try; None where there is to be none."""
    retry = step.planned.retry
    if retry is None or not is_tried_again(step, error):
        return None
    try:
        wait = min(retry.wait * retry.backoff ** (step.attempt - 1), retry.max_wait)
    except OverflowError:
        wait = retry.max_wait
    step.frame.run.tell("node.tried", step, lambda: {"error": step.told(error).as_json(), "wait_seconds": wait})
    return wait


def _is_one_of(error: BaseException, names: list[str]) -> bool:
    kinds = type(error).__mro__
    return any(name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}") for kind in kinds for name in names)


def _pause(step: Step, seconds: float) -> None:
    """Waits before the next try, unless the run ends meanwhile."""
    if seconds <= 0 or step.role == "undo":
        time.sleep(max(0.0, seconds))
    elif step.frame.stop_event.wait(seconds):
        raise Cancelled("the run has ended")
