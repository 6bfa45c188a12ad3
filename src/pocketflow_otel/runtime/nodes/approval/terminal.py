"""Asks in the terminal that the run was started from."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.nodes.approval.question import POLL_SECONDS, Decision, Question, visible

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# Of several questions one after the other is asked, also where runs have threads of their own.
_asking: Final = threading.Lock()
_MOST_BYTES: Final = 65_536


class NoTerminalError(Exception):
    """There is no terminal, or nobody at it."""


async def decided(question: Question) -> Decision:
    """What the person at the terminal decides; asks until the answer is one of the choices.

    Raises:
        NoTerminalError: There is no terminal, or it was closed.
    """
    with _terminal() as terminal:
        async with _alone():
            say = _speaker(terminal)
            _forget_typed(terminal)
            say(_text(question))
            choice = await _choice(question, terminal, say)
            comment = ""
            if question.takes_comment:
                say("comment (none: just Enter): ")
                comment = (await _line(terminal)).strip()
            return Decision(choice, comment, _user())


def _text(question: Question) -> str:
    shown = f"\n{visible(question.shown)}\n" if question.shown else ""
    numbered = "  ".join(f"{number} {choice}" for number, choice in enumerate(question.choices, 1))
    return f"\n{question.workflow} · {question.node}: {visible(question.prompt)}\n{shown}\n{numbered}\n> "


async def _choice(question: Question, terminal: int, say: Callable[[str], None]) -> str:
    by_number = {str(number): choice for number, choice in enumerate(question.choices, 1)}
    while True:
        line = (await _line(terminal)).strip()
        if line:
            try:
                return question.choice(by_number.get(line, line))
            except ValueError as error:
                say(f"{visible(str(error))}\n")
        say("> ")


@contextlib.contextmanager
def _terminal() -> Iterator[int]:
    try:
        own = sys.stdin.fileno()
        is_terminal = os.isatty(own)
    except (AttributeError, OSError, ValueError):  # no standard input, or something else in its place
        is_terminal = False
    if is_terminal:
        yield own
        return
    try:
        opened = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        raise NoTerminalError("there is no terminal") from None
    try:
        yield opened
    finally:
        os.close(opened)


@contextlib.asynccontextmanager
async def _alone() -> AsyncIterator[None]:
    while not _asking.acquire(blocking=False):  # noqa: ASYNC110 - who holds it may be of another event loop
        await asyncio.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        _asking.release()


def _speaker(terminal: int) -> Callable[[str], None]:
    """Where to ask: on standard error, as long as that is seen."""

    def say(text: str) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write(text)
            sys.stderr.flush()
        else:
            with contextlib.suppress(OSError):  # a terminal that can only be read
                os.write(terminal, text.encode())

    return say


def _forget_typed(terminal: int) -> None:
    # What was typed before the question was there is no answer to it.
    import termios

    with contextlib.suppress(termios.error):
        termios.tcflush(terminal, termios.TCIFLUSH)


async def _line(terminal: int) -> str:
    line = b""
    while not line.endswith(b"\n"):
        # To wait in a thread could not be cancelled, and would take the next line from whoever asks next.
        if not select.select([terminal], [], [], 0)[0]:
            await asyncio.sleep(POLL_SECONDS)
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece or len(line) > _MOST_BYTES:
            raise NoTerminalError("the terminal was closed")
        line += piece
    return line.decode("utf-8", "replace")


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name
        return None
