"""What documents of these tests name as types."""

import asyncio
import pathlib
import threading
import time
import weakref
from typing import Any

import pocketflow

from pocketflow_otel import record_llm_usage
from pocketflow_otel.runtime.errors import LimitReached


class Large:
    """Something whose end can be seen."""

    alive: "weakref.WeakSet[Large]" = weakref.WeakSet()

    def __init__(self) -> None:
        self.alive.add(self)


class Gate:
    """What tests open for nodes that wait; and what they tell."""

    opened = threading.Event()
    reached = threading.Event()
    told: list[Any] = []

    @classmethod
    def close(cls) -> None:
        cls.opened, cls.reached, cls.told = threading.Event(), threading.Event(), []


def make_large() -> Large:
    return Large()


def count_alive(large: Any = None) -> int:
    return len(Large.alive)


def wait_at_gate(context) -> str:
    Gate.reached.set()
    Gate.opened.wait(20)
    Gate.told.append(context.node)
    return "through"


async def sleep_long() -> None:
    Gate.reached.set()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        Gate.told.append("cancelled")
        raise


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def burn_async(seconds: float) -> None:
    await asyncio.sleep(0)
    burn(seconds)


def write_bytes(path: str, count: int) -> None:
    pathlib.Path(path).write_bytes(b"x" * count)


def spend(tokens: int) -> None:
    record_llm_usage(model="gpt-4o", provider="openai", input_tokens=tokens, output_tokens=0)


def tell(value: Any, context) -> Any:
    Gate.told.append((context.node, value))
    return value


def fail(text: str = "no", times: int = 1000, context=None) -> str:
    print(f"try {context.attempt}")
    if context.attempt <= times:
        raise ValueError(text)
    return "at last"


def append(values: list[int]) -> list[int]:
    values.append(99)
    return values


class Summarize(pocketflow.Node):
    """As a PocketFlow program has it: its keys are its own."""

    def __init__(self, words=3, max_retries=1):
        super().__init__(max_retries)
        self.words = words

    def prep(self, shared):
        return shared["text"]

    def exec(self, text):
        return " ".join(text.split()[: self.words])

    def post(self, shared, text, summary):
        shared["summary"] = summary
        shared.setdefault("lengths", []).append(len(text))
        return "long" if len(text) > 20 else "short"


class SummarizeAsync(pocketflow.AsyncNode):
    async def prep_async(self, shared):
        return shared["text"]

    async def exec_async(self, text):
        await asyncio.sleep(0)
        return text.upper()

    async def post_async(self, shared, text, summary):
        shared["summary"] = summary


class Sizes(pocketflow.BatchNode):
    def prep(self, shared):
        return shared["texts"]

    def exec(self, text):
        return len(text)

    def post(self, shared, texts, sizes):
        shared["sizes"] = sizes


class Slow(pocketflow.Node):
    def exec(self, prep_res):
        Gate.opened.wait(20)

    def post(self, shared, prep_res, exec_res):
        shared["too"] = "late"


def make_flow() -> pocketflow.Flow:
    first = Summarize()
    sizes = Sizes()
    first - "long" >> sizes
    return pocketflow.Flow(first)


async def rest(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def exit_in_a_task() -> str:
    async def leave() -> None:
        raise SystemExit(3)

    task = asyncio.create_task(leave())
    await asyncio.wait([task])
    return repr(task.exception())


async def keep_loop_busy(seconds: float) -> None:
    time.sleep(seconds)


def fail_times(times: int) -> None:
    Gate.told.append("failed")
    if len(Gate.told) <= times:
        raise ValueError("no")


def wait_until_reached() -> bool:
    return Gate.reached.wait(20)


def reach() -> None:
    Gate.reached.set()


def fail_when_reached() -> None:
    Gate.reached.wait(20)
    raise OSError("disk")


def write_and_wait(number: int, others: int) -> int:
    """Returns once as many are at work."""
    Gate.told.append(number)
    while len(Gate.told) < others:
        time.sleep(0.001)
    return number


def open_gate() -> str:
    Gate.opened.set()
    return "open"


class WaitsAtItsEnd(pocketflow.Node):
    def post(self, shared, prep_res, exec_res):
        Gate.reached.set()
        Gate.opened.wait(20)


class Evil(Exception):
    @property
    def __class__(self):
        raise ValueError("no class")


def raise_evil() -> None:
    raise Evil("evil")


def raise_limit() -> None:
    raise LimitReached("no more")
