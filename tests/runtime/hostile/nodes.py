"""Nodes with code that does what no node should do, and gives what nobody can copy, compare or show."""

import asyncio
import dataclasses
import io
import os
import sys
import threading
import time
from typing import Any

import pyarrow as pa
import pydantic

from runtime.expressions.test_hostile import DATA, Sentinel

let_go = threading.Event()
"""Ends what waits in `wait_for_ever` and in threads that outlive their runs."""


def thing() -> Any:
    return DATA["thing"]


def sentinel() -> Any:
    return DATA["self"]


def sentinels() -> Any:
    return [DATA["self"], {"a": Sentinel()}]


def sentinel_class() -> Any:
    return Sentinel


def give(value: Any = None) -> Any:
    return value


# What they raise.

ERRORS: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
        asyncio.CancelledError,
        StopIteration,
        StopAsyncIteration,
        BaseException,
        MemoryError,
        RecursionError,
    )
}


def raises(kind: str) -> None:
    raise ERRORS[kind]("it said")


async def raises_in_loop(kind: str) -> None:
    await asyncio.sleep(0)
    raise ERRORS[kind]("it said")


class Unspeakable(Exception):
    """Can't say what it is about."""

    def __str__(self) -> str:
        raise KeyboardInterrupt("in its text")

    __repr__ = __str__


class Talkative(Exception):
    """Says more than anybody can hear."""

    def __str__(self) -> str:
        return "too much " * 5_000_000


def unspeakable() -> None:
    raise Unspeakable


async def unspeakable_in_loop() -> None:
    raise Unspeakable


def talkative() -> None:
    raise Talkative


def exits() -> None:
    sys.exit(3)


# What they give.


@dataclasses.dataclass
class Ring:
    """May hold itself."""

    inside: list[Any]


class Undumpable(pydantic.BaseModel):
    """A model that can't be dumped."""

    number: int = 1

    def model_dump(self, **_: Any) -> Any:
        raise RuntimeError("no")


class Unkeyable:
    """A key that has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Liar:
    """Says that it is a dict."""

    @property
    def __class__(self) -> type:
        return dict


class Odd(dict):  # type: ignore[type-arg]
    """A dict that can't be walked through by its own methods."""

    def items(self) -> Any:
        raise RuntimeError("no")

    __iter__ = keys = values = items


class OddText(str):
    """A text that can't be compared."""

    __slots__ = ()

    def __eq__(self, _: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def ring_of_lists() -> Any:
    ring: list[Any] = []
    ring.append({"again": ring})
    return ring


def ring_of_objects() -> Any:
    ring = Ring([])
    ring.inside.append(ring)
    return ring


def odd(kind: str) -> Any:
    made = {
        "generator": lambda: (number for number in range(3)),
        "lock": threading.Lock,
        "file": io.BytesIO,
        "model": Undumpable,
        "key": lambda: {Unkeyable(): 1},
        "liar": Liar,
        "dict": lambda: Odd(a=1),
        "text": lambda: OddText("abc"),
        "number": lambda: 10**5000,
        "nan": lambda: float("nan"),
        "surrogate": lambda: "\ud800",
        "thread": threading.current_thread,
        "loop": asyncio.new_event_loop,
        "class": lambda: Liar,
        "self": lambda: odd,
    }[kind]()
    if kind == "loop":
        made.close()
    return made


def table_of_arrow() -> Any:
    return pa.table({"a": [1, 2], "b": ["x", "y"]})


def large() -> Any:
    return {"text": "x" * 20_000_000, "list": list(range(200_000)), "bytes": bytes(5_000_000)}


def coroutine() -> Any:
    async def later() -> int:
        await asyncio.sleep(0)
        return 5

    return later()


async def generator_of_loop() -> Any:
    async def numbers() -> Any:
        yield 1

    return numbers()


# What they do.


def print_much() -> None:
    for _ in range(1000):
        print("x" * 100_000)


def replace_stdout() -> None:
    sys.stdout = io.StringIO()
    print("into nowhere")


def leave_a_thread() -> str:
    threading.Thread(target=let_go.wait, name="left-behind", daemon=True).start()
    return "left"


def fork() -> str:
    child = os.fork()
    if not child:
        print("in the child")
        os._exit(7)
    return f"child ended with {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}"


def change(given: Any) -> Any:
    given["list"].append("changed")
    given.clear()
    return "changed"


async def close_loop() -> None:
    asyncio.get_running_loop().close()


async def stop_loop() -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return "went on"


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def cancel_itself_and_go_on() -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return "went on"


async def cancel_all() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(0)


async def deaf() -> str:
    """Takes a while to listen to a cancellation."""
    for _ in range(3):
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            continue
    return "done"


def wait_for_ever() -> None:
    let_go.wait(60)


async def wait_for_ever_in_loop() -> None:
    await asyncio.sleep(60)


def pause(seconds: float = 0.05) -> None:
    time.sleep(seconds)


def runs_another(document: dict[str, Any]) -> Any:
    from pocketflow_otel.runtime import collect, execute, load, prepare

    return collect(execute(prepare(load(document)))).outputs


async def runs_another_in_loop(document: dict[str, Any]) -> Any:
    from pocketflow_otel.runtime import collect, execute_async, load, prepare

    return collect(await execute_async(prepare(load(document)))).outputs


async def runs_another_and_blocks_the_loop(document: dict[str, Any]) -> Any:
    return runs_another(document)
