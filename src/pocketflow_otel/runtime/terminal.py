"""The terminal that a run was started from, where people are asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

POLL_SECONDS: Final = 0.1
# Of several questions one after the other is asked, also where runs have threads of their own.
_asking: Final = threading.Lock()
_MOST_BYTES: Final = 65_536


class NoTerminalError(Exception):
    """There is no terminal, or nobody at it."""


@contextlib.contextmanager
def opened() -> Iterator[int]:
    """The terminal: standard input if that is one, else the one that the process belongs to.

    Raises:
        NoTerminalError: There is none.
    """
    try:
        own = sys.stdin.fileno()
        is_terminal = os.isatty(own)
    except (AttributeError, OSError, ValueError):  # no standard input, or something else in its place
        is_terminal = False
    if is_terminal:
        yield own
        return
    try:
        made = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise NoTerminalError("there is no terminal") from None
    try:
        yield made
    finally:
        os.close(made)


@contextlib.asynccontextmanager
async def alone() -> AsyncIterator[None]:
    """Waits until nobody else is asking."""
    while not _asking.acquire(blocking=False):  # noqa: ASYNC110 - who holds it may be of another event loop
        await asyncio.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        _asking.release()


def speaker(terminal: int) -> Callable[[str], None]:
    """Where to ask: on standard error as long as that is seen, past whoever records what nodes print."""
    seen = terminal
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no standard error, or something else in its place
        sys.stderr.flush()
        if os.isatty(sys.stderr.fileno()):
            seen = sys.stderr.fileno()

    def say(text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that can only be read
            os.write(seen, text.encode("utf-8", "backslashreplace"))

    return say


def forget_typed(terminal: int) -> None:
    """Drops what was typed before a question was there: it is no answer to it."""
    import termios

    with contextlib.suppress(termios.error):
        termios.tcflush(terminal, termios.TCIFLUSH)


async def line(terminal: int) -> str:
    """Waits for a line.

    Raises:
        NoTerminalError: The terminal was closed.
    """
    text = b""
    while not text.endswith(b"\n"):
        # To wait in a thread could not be cancelled, and would take the next line from whoever asks next.
        if not select.select([terminal], [], [], 0)[0]:
            await asyncio.sleep(POLL_SECONDS)
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece or len(text) > _MOST_BYTES:
            raise NoTerminalError("the terminal was closed")
        text += piece
    return text.decode("utf-8", "replace")


def visible(text: str) -> str:
    """A text without characters that could make a terminal show something else than what it says."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )
