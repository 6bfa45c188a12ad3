"""Values that real stores hold and that naive tracing breaks on, or is broken by.

`ZOO` maps names to factories; each call returns a fresh value. No value may be iterated, compared, printed, measured,
hashed or asked for an attribute by whoever records it: the hostile ones raise `Touched` where that is tried, and the
one-shot ones count what was taken from them, so that `consumed` tells.
"""

import array
import asyncio
import collections
import concurrent.futures
import contextvars
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import itertools
import os
import pathlib
import queue
import random
import re
import socket
import sqlite3
import string
import subprocess
import sys
import tempfile
import threading
import types
import typing
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import wrapt


class Touched(BaseException):
    """Code of the program was run. Not an Exception, so that nobody swallows it."""


def _touched(*_: Any, **__: Any) -> Any:
    raise Touched


class CountingIterator:
    """An iterator that knows how many items were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> "CountingIterator":
        return self

    def __next__(self) -> int:
        self.taken += 1
        return self.taken


def consumed(value: Any) -> bool:
    """Whether anything was taken from a one-shot value of the zoo."""
    kind = type(value)
    if kind is CountingIterator:
        return value.taken > 0
    if kind is types.GeneratorType:
        return value.gi_frame is None or value.gi_frame.f_lasti > _UNSTARTED
    if kind is io.BytesIO or kind is io.StringIO:
        return value.tell() > 0
    if kind is queue.Queue or kind is queue.PriorityQueue:
        return value.empty()
    return False


def _unstarted() -> Iterator[int]:
    yield from range(3)


_fresh = _unstarted()
_UNSTARTED = _fresh.gi_frame.f_lasti  # type: ignore[attr-defined]


# Every special method that something might call on the way to showing a value.
_HOOKS = (
    "__bool__",
    "__bytes__",
    "__call__",
    "__contains__",
    "__copy__",
    "__deepcopy__",
    "__delattr__",
    "__dir__",
    "__eq__",
    "__float__",
    "__format__",
    "__getitem__",
    "__getstate__",
    "__hash__",
    "__index__",
    "__int__",
    "__iter__",
    "__len__",
    "__length_hint__",
    "__lt__",
    "__ne__",
    "__next__",
    "__reduce__",
    "__reduce_ex__",
    "__repr__",
    "__sizeof__",
    "__str__",
    "items",
    "keys",
    "values",
)


def _raising(hook: str) -> Callable[[], Any]:
    return type(f"Raises{hook.strip('_').title()}", (), {hook: _touched})


def _hostile_property(name: str) -> Any:
    return type("HostileProperty", (), {name: property(_touched)})()


def _everything_raises(*bases: type) -> type:
    hooks = dict.fromkeys((*_HOOKS, "__getattribute__", "__getattr__", "get", "copy"), _touched)
    return type(f"Hostile{bases[0].__name__.title()}", bases, hooks)


class HostileMeta(type):
    """A metaclass that raises whatever is asked of its classes."""

    __name__ = property(_touched)  # type: ignore[assignment]
    __module__ = property(_touched)  # type: ignore[assignment]
    __mro__ = property(_touched)  # type: ignore[assignment]
    __dict__ = property(_touched)  # type: ignore[assignment]
    __instancecheck__ = _touched
    __subclasscheck__ = _touched
    __getattribute__ = _touched
    __eq__ = _touched
    __hash__ = type.__hash__
    __repr__ = _touched
    __call__ = _touched


def _of_hostile_class() -> Any:
    return object.__new__(type.__new__(HostileMeta, "OfHostileClass", (), {}))


class LazyProxy:
    """A stand-in like those of Flask and Django: loads what it stands for when anything is asked of it."""

    __slots__ = ("_load",)

    def __init__(self, load: Callable[[], Any]) -> None:
        object.__setattr__(self, "_load", load)

    def __getattribute__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_load")(), name)

    def __repr__(self) -> str:
        return repr(object.__getattribute__(self, "_load")())

    def __iter__(self) -> Iterator[Any]:
        return iter(object.__getattribute__(self, "_load")())

    def __len__(self) -> int:
        return len(object.__getattribute__(self, "_load")())


class _Fakes:
    @staticmethod
    def named(module: str, name: str, **attributes: Any) -> Any:
        return type(name, (), {"__module__": module, **attributes})()


class Color(enum.Enum):
    RED = 1


class Mode(str, enum.Enum):  # noqa: UP042 - programs for older Pythons write it so
    FAST = "fast"


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Point(typing.NamedTuple):
    x: int
    y: int


class Slotted:
    __slots__ = ("never_set", "x")

    def __init__(self) -> None:
        self.x = 1


@dataclasses.dataclass
class Document:
    title: str
    pages: list[int]


@dataclasses.dataclass(slots=True)
class SlottedDocument:
    title: str


class Plain:
    def __init__(self) -> None:
        self.visible = 1
        self._private = 2


class Cyclic:
    def __init__(self) -> None:
        self.me = self


class Typed(typing.TypedDict):
    x: int


class RaisingMapping(Mapping[str, Any]):
    __getitem__ = _touched
    __iter__ = _touched
    __len__ = _touched


class HostileArgsError(Exception):
    __str__ = _touched
    __repr__ = _touched

    @property
    def args(self) -> Any:
        raise Touched

    @args.setter
    def args(self, value: Any) -> None:
        raise Touched


def _cyclic_list() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


def _cyclic_dict() -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


def _nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = wrap(value)
    return value


class Deep(list[Any]):
    """A deeply nested list that takes itself apart, as the interpreter would otherwise do recursively at the end."""


def _raised() -> BaseException:
    try:
        raise ValueError("inner") from KeyError("cause")
    except ValueError as error:
        return error


def _chained_exception() -> BaseException:
    error = RuntimeError("message", Color.RED, _raising("__repr__")())
    error.__cause__ = _raised()
    error.__context__ = error.__cause__
    return error


def _future() -> "concurrent.futures.Future[int]":
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.set_result(1)
    return future


async def _coroutine() -> None:
    """Never awaited."""


def _closed_coroutine() -> Any:
    coroutine = _coroutine()
    coroutine.close()
    return coroutine


async def _agen() -> Any:
    yield 1


def _closed_socket() -> socket.socket:
    opened = socket.socket()
    opened.close()
    return opened


def _connection() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.close()
    return connection


def _closed_file() -> Any:
    with tempfile.TemporaryFile() as file:
        return file


def _process() -> Any:
    process = object.__new__(subprocess.Popen)
    process.returncode = 0
    process.args = ["true"]
    process.pid = 1
    process._child_created = False
    return process


def _released_memoryview() -> memoryview:
    view = memoryview(b"abc")
    view.release()
    return view


def _class_with_name(name: str) -> Any:
    return type(name, (), {})()


class _ObjectWithDictSubclass:
    pass


def _object_with_hostile_dict() -> Any:
    value = _ObjectWithDictSubclass()
    value.__dict__ = _everything_raises(dict)(shown=1)
    return value


class _Keyed:
    __hash__ = object.__hash__
    __repr__ = _touched
    __str__ = _touched

    def __eq__(self, other: object) -> bool:
        raise Touched


def _proxy_over_hostile() -> Any:
    hooks = dict.fromkeys(("__iter__", "__len__", "__repr__", "__str__", "__eq__", "__bool__", "keys"), _touched)
    return wrapt.ObjectProxy(type("Wrapped", (), {**hooks, "__dict__": property(_touched)})())


def _mixed_proxy() -> Any:
    class Mixin:
        pass

    class Mixed(Mixin, wrapt.ObjectProxy):  # type: ignore[misc]
        pass

    return Mixed({"a": 1})


ZOO: dict[str, Callable[[], Any]] = {
    # What hooks of the program could be run.
    **{f"raising {hook}": _raising(hook) for hook in _HOOKS},
    "raising __getattr__": _raising("__getattr__"),
    "raising __getattribute__": _raising("__getattribute__"),
    "raising __set_name__ attribute": _raising("__set__"),
    "hostile __class__": lambda: _hostile_property("__class__"),
    "hostile __dict__": lambda: _hostile_property("__dict__"),
    "hostile shape": lambda: _hostile_property("shape"),
    "hostile __len__ property": lambda: _hostile_property("__len__"),
    "lying __class__": type("Liar", (), {"__class__": property(lambda _: dict)}),
    "hostile object": _everything_raises(object),
    "hostile dict": lambda: _everything_raises(dict)(a=1, b=[2]),
    "hostile list": lambda: _everything_raises(list)([1, 2]),
    "hostile tuple": lambda: _everything_raises(tuple)((1, 2)),
    "hostile set": lambda: _everything_raises(set)({1, 2}),
    "hostile frozenset": lambda: _everything_raises(frozenset)({1, 2}),
    "hostile str": lambda: _everything_raises(str)("text"),
    "hostile bytes": lambda: _everything_raises(bytes)(b"bytes"),
    "hostile int": lambda: _everything_raises(int)(7),
    "hostile float": lambda: _everything_raises(float)(7.5),
    "hostile deque": lambda: _everything_raises(collections.deque)([1]),
    "hostile exception": lambda: _everything_raises(ValueError)("message"),
    "hostile exception args": lambda: HostileArgsError("a"),
    "hostile mapping": RaisingMapping,
    "hostile class": lambda: type.__new__(HostileMeta, "HostileClass", (), {}),
    "of a hostile class": _of_hostile_class,
    "object with a hostile dict": _object_with_hostile_dict,
    "hostile keys": lambda: {_Keyed(): 1, _Keyed(): 2},
    "hostile items": lambda: [_Keyed(), {"a": _Keyed()}],
    "hostile time zone": lambda: dt.datetime(
        2024,
        1,
        1,
        tzinfo=type("Zone", (dt.tzinfo,), {"utcoffset": _touched, "tzname": _touched, "dst": _touched})(),
    ),
    # Stand-ins.
    "mock": mock.Mock,
    "magic mock": mock.MagicMock,
    "async mock": mock.AsyncMock,
    "specified mock": lambda: mock.Mock(spec=dict),
    "wrapt proxy": lambda: wrapt.ObjectProxy({"a": 1}),
    "wrapt proxy over hostile": _proxy_over_hostile,
    "wrapt proxy by inheritance": _mixed_proxy,
    "lazy proxy": lambda: LazyProxy(_touched),
    "weak proxy": lambda: weakref.proxy(Color.RED),
    "dead weak reference": lambda: weakref.ref(Plain()),
    "weak reference": lambda: weakref.ref(Color.RED),
    "partial": lambda: functools.partial(_touched, 1),
    # Recursion and size.
    "cyclic list": _cyclic_list,
    "cyclic dict": _cyclic_dict,
    "cyclic object": Cyclic,
    "deep lists": lambda: _nested(100_000, lambda value: [value]),
    "deep dicts": lambda: _nested(100_000, lambda value: {"in": value}),
    "deep tuples": lambda: _nested(100_000, lambda value: (value,)),
    "wide list": lambda: list(range(1_000_000)),
    "wide dict": lambda: dict.fromkeys(range(100_000)),
    "long text": lambda: "x" * 10_000_000,
    "long bytes": lambda: b"x" * 10_000_000,
    "huge int": lambda: 1 << 1_000_000,
    "huge negative int": lambda: -(1 << 100_000),
    "65 bits": lambda: 1 << 64,
    "huge decimal": lambda: decimal.Decimal("9" * 10_000),
    "huge exponent": lambda: decimal.Decimal("1E+999999"),
    "huge fraction": lambda: fractions.Fraction(1 << 100_000, 3),
    "huge range": lambda: range(10**30),
    "long class name": lambda: _class_with_name("N" * 100_000),
    "long key": lambda: {"k" * 1_000_000: 1},
    # Text.
    "lone surrogate": lambda: "a\ud800b",
    "surrogate key": lambda: {"\udfff": "\ud83d"},
    "NUL": lambda: "a\0b",
    "control characters": lambda: "".join(map(chr, range(32))) + "\x7f\x85\u2028",
    "emoji": lambda: "👩‍👩‍👧‍👦" * 100,
    "right to left": lambda: "\u202eabc\u202c",
    "text of another class": lambda: type("Text", (str,), {})("text"),
    "bytes that are no text": lambda: b"\xff\xfe\0",
    # Numbers.
    "nan": lambda: float("nan"),
    "infinity": lambda: float("-inf"),
    "negative zero": lambda: -0.0,
    "decimal": lambda: decimal.Decimal("1.10"),
    "decimal nan": lambda: decimal.Decimal("sNaN"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "complex": lambda: 1 + 2j,
    "bool": lambda: True,
    # Containers.
    "default dict": lambda: collections.defaultdict(list, a=[1]),
    "ordered dict": lambda: collections.OrderedDict(a=1),
    "counter": lambda: collections.Counter("aab"),
    "chain map": lambda: collections.ChainMap({"a": 1}, {"b": 2}),
    "user dict": lambda: collections.UserDict(a=1),
    "user list": lambda: collections.UserList([1]),
    "user string": lambda: collections.UserString("a"),
    "deque": lambda: collections.deque([1, 2], maxlen=2),
    "mapping proxy": lambda: types.MappingProxyType({"a": 1}),
    "mapping proxy over hostile": lambda: types.MappingProxyType(RaisingMapping()),
    "dict keys": {"a": 1}.keys,
    "dict items": {"a": 1}.items,
    "mixed keys": lambda: {1: "int", "1": "str", None: 0, (1, "a"): 1, 1.5: 2, b"b": 3, Color.RED: 4, frozenset(): 5},
    "named tuple": lambda: Point(1, 2),
    "typed dict": lambda: Typed(x=1),
    "array": lambda: array.array("i", [1, 2]),
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "released memoryview": _released_memoryview,
    "range": lambda: range(3),
    "slice": lambda: slice(1, 2),
    "set": lambda: {"b", "a"},
    "frozen set": lambda: frozenset({1}),
    "weak dict": weakref.WeakValueDictionary,
    # Objects.
    "plain object": Plain,
    "dataclass": lambda: Document("a", [1]),
    "slotted": Slotted,
    "slotted dataclass": lambda: SlottedDocument("a"),
    "namespace": lambda: types.SimpleNamespace(a=1),
    "enum": lambda: Color.RED,
    "text enum": lambda: Mode.FAST,
    "flags": lambda: Flags.A | Flags.B,
    "uuid": lambda: uuid.UUID(int=1),
    "path": lambda: pathlib.Path("a/b"),
    "date": lambda: dt.date(2024, 1, 1),
    "datetime": lambda: dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    "timedelta": lambda: dt.timedelta(seconds=1),
    "exception": _raised,
    "exception with odd arguments": _chained_exception,
    "exception group": lambda: ExceptionGroup("group", [ValueError("a")]),
    "unicode error": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    "ellipsis": lambda: ...,
    "not implemented": lambda: NotImplemented,
    "object": object,
    # One-shot.
    "counting iterator": CountingIterator,
    "generator": _unstarted,
    "map": lambda: map(_touched, CountingIterator()),
    "zip": lambda: zip(CountingIterator(), CountingIterator(), strict=False),
    "endless": itertools.count,
    "list iterator": lambda: iter([1, 2]),
    "async generator": _agen,
    "coroutine": _closed_coroutine,
    "text stream": lambda: io.StringIO("text"),
    "byte stream": lambda: io.BytesIO(b"bytes"),
    "directory": lambda: os.environ.__class__,
    "random": lambda: random.Random(1),
    # Machinery.
    "lock": threading.Lock,
    "reentrant lock": threading.RLock,
    "condition": threading.Condition,
    "event": threading.Event,
    "semaphore": threading.Semaphore,
    "thread": lambda: threading.Thread(target=_touched),
    "thread local": threading.local,
    "queue": lambda: _filled(queue.Queue()),
    "priority queue": lambda: _filled(queue.PriorityQueue()),
    "async queue": asyncio.Queue,
    "async lock": asyncio.Lock,
    "async event": asyncio.Event,
    "future": _future,
    "executor": lambda: concurrent.futures.ThreadPoolExecutor(1),
    "context variable": lambda: _VARIABLE,
    "context": contextvars.copy_context,
    "socket": _closed_socket,
    "database": _connection,
    "file": _closed_file,
    "standard output": lambda: sys.stdout,
    "process": _process,
    "module": lambda: string,
    "class": lambda: Document,
    "function": lambda: _touched,
    "built-in": lambda: len,
    "method": lambda: Plain().__init__,
    "pattern": lambda: re.compile("a+"),
    "code": lambda: _unstarted.__code__,
    "frame": sys._getframe,
    "traceback": lambda: _raised().__traceback__,
    "environment": lambda: os.environ,
    "generic alias": lambda: list[int],
    "type variable": lambda: typing.TypeVar("T"),
    # Look-alikes of libraries.
    "numpy look-alike": lambda: _Fakes.named("numpy", "ndarray", shape=property(_touched), __eq__=_touched),
    "pandas look-alike": lambda: _Fakes.named(
        "pandas.core.frame", "DataFrame", shape=property(_touched), __len__=_touched
    ),
    "torch look-alike": lambda: _Fakes.named("torch", "Tensor", shape=property(_touched), __bool__=_touched),
    "polars look-alike": lambda: _Fakes.named("polars.dataframe.frame", "DataFrame", shape="not a shape"),
    "image look-alike": lambda: _Fakes.named("PIL.Image", "Image", size=("a", object())),
    "decimal look-alike": lambda: _Fakes.named("decimal", "Decimal", __str__=_touched),
    "path look-alike": lambda: _Fakes.named("pathlib", "PosixPath", __str__=_touched),
}
"""Factories of values by what they are."""


def _filled(target: Any) -> Any:
    target.put(1)
    return target


_VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("zoo")

ONE_SHOT = ("counting iterator", "generator", "text stream", "byte stream", "queue", "priority queue")
"""Those whose consumption `consumed` notices."""
