"""What a visit takes: processor time, memory, bytes read and written."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.visiting import Measured

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

_READ: Final = b"rchar: "
_WRITTEN: Final = b"wchar: "
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MOST: Final = 256


class _Files:
    """The kernel's figures, kept open: one file for the process, and one for each thread."""

    def __init__(self) -> None:
        self._memory = _opened("/proc/self/statm")
        self._threads = threading.local()

    def memory(self) -> tuple[int, int]:
        """Resident bytes of the process, and those read to know."""
        if self._memory is None:
            return _resident(), 0
        text = os.pread(self._memory, _MOST, 0)
        return int(text.split(b" ", 2)[1]) * _PAGE, len(text)

    def transferred(self) -> tuple[int, int, int]:
        """Bytes that this thread has read and written, and those it has read to know; zeros where nobody tells."""
        file: _File | None = getattr(self._threads, "file", None)
        if file is None:
            file = self._threads.file = _File("/proc/thread-self/io")
        if file.number is None:
            return 0, 0, 0
        text = os.pread(file.number, _MOST, 0)
        written = text.find(_WRITTEN)
        end = text.find(b"\n", written)
        return int(text[len(_READ) : written - 1]), int(text[written + len(_WRITTEN) : end]), len(text)


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


class Meter:
    """Measures a visit: that of a thread from its making on, and of coroutines the steps that `driven` drives.

    Attributes:
        cpu_seconds: Processor time of what was measured besides: other threads that worked for the visit.
        counts: What the node says to have done.
        measured: What was measured last.
    """

    __slots__ = ("_began", "_cpu", "_is_thread", "_memory", "_read", "_written", "counts", "cpu_seconds", "measured")

    def __init__(self, *, is_thread: bool) -> None:
        self._is_thread = is_thread
        self.cpu_seconds = 0.0
        self.counts: dict[str, float] = {}
        self.measured: Measured | None = None
        self._began = time.perf_counter()
        self._memory, _ = _files.memory()
        self._read = self._written = 0
        if is_thread:
            # Reading the figures is reading as well.
            self._read, self._written, own = _files.transferred()
            self._read += own
        self._cpu = time.thread_time() if is_thread else 0.0

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._began

    def measure(self) -> Measured:
        """What the visit took up to now."""
        cpu, read, written = self.cpu_seconds, 0, 0
        if self._is_thread:
            cpu += time.thread_time() - self._cpu
            read, written, own = _files.transferred()
            read, written = max(0, read - self._read), max(0, written - self._written)
            self._read += own
        memory, own = _files.memory()
        self._read += own
        self.measured = Measured(cpu, memory - self._memory, read, written, self.counts)
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
                began = clock()
                try:
                    waited_for = coroutine.send(given) if thrown is None else coroutine.throw(thrown)
                except StopIteration as returned:
                    return returned.value
                finally:
                    meter.cpu_seconds += clock() - began
                given, thrown = None, None
                try:
                    given = yield waited_for
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the coroutine's
                    thrown = error
        finally:
            coroutine.close()
