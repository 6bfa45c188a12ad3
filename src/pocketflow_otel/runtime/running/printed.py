"""What the nodes of runs print, each by itself: kept for the result, whatever tracing does."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from pocketflow_otel.capture.output import OutputListener, Printed
from pocketflow_otel.capture.windows import MARGIN

if TYPE_CHECKING:
    from pocketflow_otel.runtime.secrets import Secrets

KEPT_BYTES: Final = 16 * 1024
"""How much of the beginning and of the end of what a node prints is kept, of each stream."""

# A node's threads may begin to print at once.
_beginning = threading.Lock()


class Prints:
    """What one visit printed."""

    __slots__ = ("streams",)

    def __init__(self) -> None:
        self.streams: dict[str, Printed] | None = None

    def add(self, stream: str, text: str) -> None:
        """Takes what was printed."""
        if self.streams is None:
            with _beginning:
                self.streams = self.streams or {"stdout": Printed(KEPT_BYTES), "stderr": Printed(KEPT_BYTES)}
        self.streams[stream].add(text)

    def text(self, stream: str, secrets: Secrets) -> str:
        """The text without secrets; where it was too long, with a line that says how much is left out."""
        if self.streams is None:
            return ""
        printed = self.streams[stream]
        if not printed.dropped:
            return secrets.shown(printed.head + printed.tail)
        head, tail = secrets.shown_head(printed.head), secrets.shown_tail(printed.tail)
        return f"{head}\n[{printed.dropped + 2 * MARGIN:,} characters left out]\n{tail}"


PRINTING: Final[ContextVar[Prints | None]] = ContextVar("pocketflow-printing", default=None)
"""Where text goes that is printed here."""


def _listen(stream: str, text: str) -> None:
    prints = PRINTING.get()
    if prints is not None and text:
        prints.add(stream, text)


class _Listening:
    """One listener for all runs of the process, there while any of them goes on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listener = OutputListener(_listen)
        self._runs = 0

    def begin(self) -> None:
        with self._lock:
            self._listener.install()
            self._runs += 1

    def end(self) -> None:
        with self._lock:
            self._runs -= 1
            if not self._runs:
                self._listener.remove()


listening: Final = _Listening()
