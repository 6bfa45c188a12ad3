"""What random documents name as types: what they give follows from what they are given; each call is written down."""

import asyncio
import itertools
import json
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pocketflow

from pocketflow_otel.runtime.registry.node_types import Context, Output


class PlannedFailure(ValueError):
    """What a node raises that was told to fail."""


@dataclass
class Call:
    """One call of a node's code; moments are numbers of one count for all calls of the process."""

    node: str
    at: tuple[Any, ...]
    given: Any
    began: int
    ended: int | None = None
    succeeded: bool = False
    goes_on: bool = False  # though its node may have been given up: it waits for the end of the run


_calls: dict[str, list[Call]] = defaultdict(list)
_ends: dict[str, threading.Event] = defaultdict(threading.Event)
_moments = itertools.count()
_lock = threading.Lock()


def begin(run: str, node: str, at: Sequence[Any], given: Any) -> Call:
    with _lock:
        call = Call(node, tuple(flat(at)), given, next(_moments))
        _calls[run].append(call)
    return call


def end(call: Call, succeeded: bool) -> None:
    with _lock:
        call.ended, call.succeeded = next(_moments), succeeded


def calls_of(run: str) -> list[Call]:
    """The calls of a run that is over, in the order in which they began; they are forgotten here."""
    with _lock:
        _ends.pop(run, threading.Event()).set()
        return _calls.pop(run, [])


def flat(at: Sequence[Any]) -> Iterator[Any]:
    """What tells one run of a flow from another: a document inside another has that of its node in one piece."""
    for one in at:
        if isinstance(one, list):
            yield from flat(one)
        else:
            yield one


def wait_for_ever(call: Call, run: str, is_over: Callable[[], bool]) -> None:
    """Waits for what does not come: for so long as the run, or what is around the node, goes on."""
    call.goes_on = True
    with _lock:
        end_of_run = _ends[run]
    while not (end_of_run.wait(0.002) or is_over()):
        pass


@contextmanager
def written_down(context: Context, node: str, at: Sequence[Any], given: Any) -> Iterator[Call]:
    call = begin(context.run_id, node, at, given)
    try:
        yield call
    except BaseException:
        end(call, succeeded=False)
        raise
    end(call, succeeded=True)


def digit(*parts: Any) -> int:
    """A digit that depends on all of these and on nothing else."""
    return zlib.crc32(json.dumps(parts, sort_keys=True).encode()) % 10


def made(name: str, value: Any, seen: Any) -> dict[str, Any]:
    """What `work` gives: a number, how often its node has been here, and a short list of numbers."""
    number = digit(name, value)
    return {"value": number, "seen": seen + 1, "items": list(range(number % 4))}


def chosen(actions: Sequence[str] | None, seen: int) -> str | None:
    """The action of a visit; the last one goes for all that follow."""
    return actions[min(seen, len(actions) - 1)] if actions else None


def work(
    name: str,
    context: Context,
    value: Any = None,
    at: Any = (),
    fails: int = 0,
    hangs: bool = False,
    seen: Any = 0,
    actions: Any = None,
    pause: float = 0,
) -> Output:
    """Fails so many times in a visit, or takes too long, then gives what it makes of its value."""
    with written_down(context, name, at, value) as call:
        time.sleep(pause)
        if context.attempt <= fails:
            if hangs:
                wait_for_ever(call, context.run_id, lambda: context.cancelled)
            raise PlannedFailure(name)
        return Output(made(name, value, seen), chosen(actions, seen))


async def work_async(
    name: str,
    context: Context,
    value: Any = None,
    at: Any = (),
    fails: int = 0,
    hangs: bool = False,
    seen: Any = 0,
    actions: Any = None,
    pause: float = 0,
) -> Output:
    """As `work`."""
    with written_down(context, name, at, value):
        await asyncio.sleep(pause)
        if context.attempt <= fails:
            if hangs:
                await asyncio.Event().wait()
            raise PlannedFailure(name)
        return Output(made(name, value, seen), chosen(actions, seen))


def take_back(name: str, context: Context, gave: Any, because: str, at: Any = (), fails: int = 0) -> None:
    """An undo node."""
    with written_down(context, name, at, {"gave": gave, "because": because}):
        if context.attempt <= fails:
            raise PlannedFailure(name)


class Adds(pocketflow.Node):
    """A node as PocketFlow programs have them: it knows its own keys, and nothing of documents."""

    def __init__(self, name, run, at=(), fails=0, hangs=False, action=None, max_retries=1, wait=0):
        super().__init__(max_retries, wait)
        self.name, self.run_id, self.at = name, run, at
        self.fails, self.hangs, self.action = fails, hangs, action

    def prep(self, shared):
        number = shared.get("number", 0)
        self.call = begin(self.run_id, self.name, self.at, number)
        return number

    def exec(self, number):
        if self.cur_retry < self.fails:
            if self.hangs:
                wait_for_ever(self.call, self.run_id, lambda: False)
            raise PlannedFailure(self.name)
        return digit(self.name, number)

    def exec_fallback(self, prep_res, exc):
        end(self.call, succeeded=False)
        raise exc

    def post(self, shared, number, total):
        shared["total"] = total
        end(self.call, succeeded=True)
        return self.action


class AddsAsync(pocketflow.AsyncNode):
    """As `Adds`."""

    def __init__(self, name, run, at=(), fails=0, hangs=False, action=None, max_retries=1, wait=0):
        super().__init__(max_retries, wait)
        self.name, self.run_id, self.at = name, run, at
        self.fails, self.hangs, self.action = fails, hangs, action

    async def prep_async(self, shared):
        number = shared.get("number", 0)
        self.call, self.tried = begin(self.run_id, self.name, self.at, number), 0
        return number

    async def exec_async(self, number):
        self.tried += 1
        fails = self.tried <= self.fails
        try:
            await (asyncio.Event().wait() if fails and self.hangs else asyncio.sleep(0))
        except asyncio.CancelledError:
            end(self.call, succeeded=False)
            raise
        if fails:
            raise PlannedFailure(self.name)
        return digit(self.name, number)

    async def exec_fallback_async(self, prep_res, exc):
        end(self.call, succeeded=False)
        raise exc

    async def post_async(self, shared, number, total):
        shared["total"] = total
        end(self.call, succeeded=True)
        return self.action
