"""Writing at the pace of a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.export.streams import write_now

if TYPE_CHECKING:
    from typing import TextIO

LONGEST_PAUSE_SECONDS: Final = 2.0


class PacedStream:
    """A text stream that waits before it writes, as long as it was between the moments that the texts are of.

    Args:
        stream: Where it writes.
        speed: How many times as fast as it was; 0 for no waits at all.

    Attributes:
        moment_ns: The moment that the next text is of, in nanoseconds since the epoch.
        failure: Why the stream takes nothing any more; None while it does.
    """

    def __init__(self, stream: TextIO, speed: float) -> None:
        self._stream = stream
        self._speed = speed
        self._last_ns: int | None = None
        self._last_written = 0.0
        self.moment_ns = 0
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Writes a text when it is its time, and at once to where the stream leads.

        Raises:
            OSError: It can't be written.
        """
        self._wait()
        try:
            write_now(self._stream, text)
        except OSError as error:
            self.failure = error
            raise
        return len(text)

    def flush(self) -> None:
        """Does nothing: all is written."""

    def __getattr__(self, name: str) -> Any:
        """What the stream says of itself, such as its encoding, and whether it is a terminal."""
        return getattr(self._stream, name)

    def _wait(self) -> None:
        if self._last_ns is not None and self._speed:
            pause = min((self.moment_ns - self._last_ns) / 1e9 / self._speed, LONGEST_PAUSE_SECONDS)
            # From the last writing on, so that what the work between takes is no delay.
            time.sleep(max(0.0, self._last_written + pause - time.monotonic()))
        self._last_ns = self.moment_ns
        self._last_written = time.monotonic()
