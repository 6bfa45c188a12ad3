"""What a node printed, without taking anything away from where it was going.

One proxy stands in for each of ``sys.stdout`` and ``sys.stderr``. It passes everything on at once and unchanged, and
then asks the current context which node is running. That is right under threads and asyncio, where exchanging
``sys.stdout`` for each node mixes the nodes' output up and leaves it exchanged.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from pocketflow_otel.guard import guard

_MARGIN: Final = 4096
"""Characters kept beyond what will be shown, so that a secret across the cut is still recognised."""


class Printed:
    """What was printed to one stream: how much, and its beginning and end.

    Args:
        keep_bytes: How much of the text will be shown; 0 to count only.

    Attributes:
        bytes: Bytes in UTF-8.
    """

    __slots__ = ("_at_line_start", "_head", "_head_length", "_keep", "_line_ends", "_lock", "_tail", "_tail_length",
                 "bytes", "dropped")  # fmt: skip

    def __init__(self, keep_bytes: int) -> None:
        self.bytes = 0
        self.dropped = 0
        self._line_ends = 0
        self._at_line_start = True
        self._keep = keep_bytes + _MARGIN if keep_bytes else 0
        self._head: list[str] = []
        self._head_length = 0
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._lock = threading.RLock()  # a signal's handler may print while the program does

    @property
    def lines(self) -> int:
        """Lines begun."""
        return self._line_ends + (not self._at_line_start)

    @property
    def head(self) -> str:
        """The beginning."""
        return "".join(self._head)

    @property
    def tail(self) -> str:
        """The end, where it is not part of the beginning; `dropped` characters lie between."""
        return "".join(self._tail)

    def add(self, text: str) -> None:
        """Takes what has been printed."""
        if not text:
            return
        with self._lock:
            self.bytes += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            self._line_ends += text.count("\n")
            self._at_line_start = text[-1] == "\n"
            if self._keep:
                self._keep_text(text)

    def _keep_text(self, text: str) -> None:
        room = self._keep - self._head_length
        if room > 0:
            self._head.append(text[:room])
            self._head_length += len(self._head[-1])
            text = text[room:]
        if not text:
            return
        if len(text) > self._keep:
            self.dropped += len(text) - self._keep
            text = text[-self._keep :]
        self._tail.append(text)
        self._tail_length += len(text)
        while self._tail_length - len(self._tail[0]) >= self._keep:
            gone = len(self._tail.popleft())
            self._tail_length -= gone
            self.dropped += gone


Listener = Callable[[str, str], None]
"""Told what was printed: (``stdout`` or ``stderr``, text)."""


class _Ear:
    """Who listens; shared by both proxies, and empty once they are to be mere pipes."""

    __slots__ = ("active", "listener")

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        # Programs wrap sys.stdout and put it back: of several proxies in a chain only the outermost may tell.
        self.active: dict[str, ListeningStream] = {}


class ListeningStream:
    """Stands in for ``sys.stdout`` or ``sys.stderr``: does all that the stream does, and tells what was written.

    Attributes:
        __pocketflow_wrapped__: The stream it stands in for.
    """

    def __init__(self, stream: Any, name: str, ear: _Ear) -> None:
        set_attribute = object.__setattr__
        set_attribute(self, "__pocketflow_wrapped__", stream)
        set_attribute(self, "_pocketflow_name", name)
        set_attribute(self, "_pocketflow_ear", ear)

    def write(self, text: str, /) -> Any:
        """Writes to the stream, then tells."""
        written = self.__pocketflow_wrapped__.write(text)
        ear = self._pocketflow_ear
        name = self._pocketflow_name
        if ear.active.get(name) is self:
            try:
                ear.listener(name, text)
            except Exception:  # noqa: BLE001 - the guard decides
                guard.caught("noting printed text")
        return written

    def writelines(self, lines: Iterable[str], /) -> None:
        """Writes each line as `write` does."""
        for line in lines:
            self.write(line)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # isinstance() tells what the stream is
        return type(self.__pocketflow_wrapped__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__pocketflow_wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _WRITING:
            # A program that exchanges what writes calls what it found there before: this, which must not call it back.
            object.__setattr__(self, name, value)
            return
        setattr(self.__pocketflow_wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__pocketflow_wrapped__, name)

    def __dir__(self) -> Iterable[str]:
        return dir(self.__pocketflow_wrapped__)

    def __repr__(self) -> str:
        return repr(self.__pocketflow_wrapped__)

    def __iter__(self) -> Any:
        return iter(self.__pocketflow_wrapped__)

    def __next__(self) -> Any:
        return next(self.__pocketflow_wrapped__)

    def __enter__(self) -> Any:
        self.__pocketflow_wrapped__.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self.__pocketflow_wrapped__.__exit__(*error)


_WRITING: Final = frozenset({"write", "writelines"})
_NAMES: Final = ("stdout", "stderr")


class OutputListener:
    """Listens to what the program prints, for as long as it is installed.

    Args:
        listener: Told of each write after it has been passed on.
    """

    def __init__(self, listener: Listener) -> None:
        self._ear = _Ear(listener)

    def install(self) -> None:
        """Puts proxies in place of the streams there are now; does nothing where they are in place."""
        for name in _NAMES:
            stream = getattr(sys, name, None)
            if stream is None or stream is self._ear.active.get(name):
                continue
            proxy = ListeningStream(stream, name, self._ear)
            self._ear.active[name] = proxy
            setattr(sys, name, proxy)

    def remove(self) -> None:
        """Gives the program its streams back, unless it has put others in their place, or changed these, meanwhile."""
        for name in _NAMES:
            proxy = self._ear.active.pop(name, None)
            current: Any = getattr(sys, name, None)
            if (
                proxy is not None
                and current is proxy
                and _WRITING.isdisjoint(object.__getattribute__(proxy, "__dict__"))
            ):
                setattr(sys, name, proxy.__pocketflow_wrapped__)
