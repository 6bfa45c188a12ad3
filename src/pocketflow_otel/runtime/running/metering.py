"""What a visit takes: processor time, memory, bytes read and written."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pocketflow_otel.visiting import OWN_TRAFFIC, Measured

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

_READ: Final = b"rchar: "
_WRITTEN: Final = b"wchar: "
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MOST: Final = 256
_AS_GOOD_SECONDS: Final = 0.0001


class _Figures(NamedTuple):
    """What the kernel tells.

    Attributes:
        memory: Resident bytes of the process.
        read: Bytes that this thread has read.
        written: Bytes that this thread has written.
    """

    memory: int
    read: int
    written: int


class _Files:
    """The kernel's files of figures, kept open: one for the process, and one for each thread."""

    def __init__(self) -> None:
        self._memory = _opened("/proc/self/statm")
        self._threads = threading.local()

    def figures(self) -> _Figures:
        """The figures, what it takes to know them left out; zeros where the system does not tell."""
        threads = self._threads
        file: _File | None = getattr(threads, "file", None)
        if file is None:
            file = threads.file = _File("/proc/thread-self/io")
        own = OWN_TRAFFIC
        memory, length = self._resident()
        own.read += length
        if file.number is None:
            return _Figures(memory, 0, 0)
        text = os.pread(file.number, _MOST, 0)
        middle = text.find(_WRITTEN)
        read = int(text[len(_READ) : middle - 1]) - own.read
        written = int(text[middle + len(_WRITTEN) : text.find(b"\n", middle)]) - own.written
        own.read += len(text)
        return _Figures(memory, read, written)

    def _resident(self) -> tuple[int, int]:
        if self._memory is None:
            return _resident(), 0
        text = os.pread(self._memory, _MOST, 0)
        return int(text.split(b" ", 2)[1]) * _PAGE, len(text)


class _File:
    """An open file that is closed with the thread that uses it."""

    __slots__ = ("number",)

    def __init__(self, path: str) -> None:
        self.number = _opened(path)

    def __del__(self) -> None:
        if self.number is not None and not sys.is_finalizing():
            os.close(self.number)


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _anew() -> None:
    global _files  # noqa: PLW0603 - the child's figures are its own
    _files = _Files()


_files = _Files()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_anew)


class _Before(threading.local):
    """What was measured last in a thread, and when: one visit's end is the next one's beginning."""

    at = -1.0
    figures = _Figures(0, 0, 0)


_before = _Before()


def _figures_now(now: float) -> _Figures:
    """The figures; those from just before where they are as good."""
    return _before.figures if now - _before.at < _AS_GOOD_SECONDS else _files.figures()


class Meter:
    """Measures a visit: that of a thread from its making on, and of coroutines the steps that `driven` drives.

    Attributes:
        cpu_seconds: Processor time of what was measured besides: other threads that worked for the visit.
        counts: What the node says to have done.
        measured: What was measured last.
        step_began: Processor time of this thread when the step of a coroutine began that is under way.
    """

    __slots__ = ("_began", "_cpu", "_figures", "_is_thread", "counts", "cpu_seconds", "measured",
                 "step_began")  # fmt: skip

    def __init__(self, *, is_thread: bool) -> None:
        self._is_thread = is_thread
        self.cpu_seconds = 0.0
        self.counts: dict[str, float] = {}
        self.measured: Measured | None = None
        self.step_began: float | None = None
        self._began = now = time.perf_counter()
        self._figures = _figures_now(now)
        self._cpu = time.thread_time() if is_thread else 0.0

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._began

    def measure(self) -> Measured:
        """What the visit took up to now."""
        now, began = _files.figures(), self._figures
        cpu, read, written = self.cpu_seconds, 0, 0
        if self.step_began is not None:
            cpu += time.thread_time() - self.step_began
        if self._is_thread:
            cpu += time.thread_time() - self._cpu
            read, written = max(0, now.read - began.read), max(0, now.written - began.written)
        _before.figures, _before.at = now, time.perf_counter()
        self.measured = Measured(cpu, now.memory - began.memory, read, written, self.counts)
        return self.measured

    def driven(self, coroutine: Coroutine[Any, Any, Any]) -> _Driven:
        """An awaitable that runs a coroutine and adds up the processor time of its steps."""
        return _Driven(self, coroutine)

    async def driven_task(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """As `driven`, as a coroutine."""
        return await self.driven(coroutine)


class _Driven:
    __slots__ = ("_coroutine", "_meter")

    def __init__(self, meter: Meter, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._meter = meter
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, meter, clock = self._coroutine, self._meter, time.thread_time
        given: Any = None
        thrown: BaseException | None = None
        try:
            while True:
                meter.step_began = began = clock()
                try:
                    waited_for = coroutine.send(given) if thrown is None else coroutine.throw(thrown)
                except StopIteration as returned:
                    return returned.value
                finally:
                    meter.cpu_seconds += clock() - began
                    meter.step_began = None
                given, thrown = None, None
                try:
                    given = yield waited_for
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the coroutine's
                    thrown = error
        finally:
            coroutine.close()
