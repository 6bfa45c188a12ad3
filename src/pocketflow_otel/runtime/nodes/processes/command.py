"""Runs a command in a session of its own, prints what it prints, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_GRACE_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.02


@dataclass(slots=True)
class Kept:
    """What a command printed to one output, up to a size.

    Attributes:
        most: How many bytes are kept.
        is_cut: Whether there was more.
    """

    most: int
    is_cut: bool = False
    _content: bytearray = field(default_factory=bytearray)

    def add(self, piece: bytes) -> None:
        """Keeps what there is room for."""
        room = self.most - len(self._content)
        self._content += piece[:room]
        self.is_cut = self.is_cut or len(piece) > room

    @property
    def text(self) -> str:
        """It as text; what is not UTF-8 is replaced."""
        # A character that the end cuts in two is left out.
        return codecs.getincrementaldecoder("utf-8")("replace").decode(bytes(self._content), final=not self.is_cut)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended.

    Attributes:
        exit_code: Its exit code, or the negative number of the signal that ended it.
        stdout: What it printed.
        stderr: What it printed to standard error.
    """

    exit_code: int
    stdout: Kept
    stderr: Kept

    @property
    def signal(self) -> str:
        """The name of the signal that ended it."""
        try:
            return signal.Signals(-self.exit_code).name
        except ValueError:
            return f"signal {-self.exit_code}"


async def ran(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, stdin: bytes | None, most: int
) -> Ended:
    """Runs a command to its end. Where this is cancelled, all of its session gets TERM, and a little later KILL.

    What it leaves running is ended as well. Its outputs are printed as they come, to ``sys.stdout`` and ``sys.stderr``.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        cwd: Where it runs.
        stdin: What it reads; None for nothing.
        most: How many bytes of each output are kept.

    Raises:
        OSError: It can't be run.
        ValueError: An argument has a NUL character.
    """
    if os.name != "posix":
        raise OSError("commands need a POSIX system, such as Linux or macOS")
    transport, watch = await _begun(command, environment, cwd, stdin, most)
    try:
        await watch.exited.wait()
    finally:
        await _finished(transport, watch)
    exit_code = transport.get_returncode()
    assert exit_code is not None  # noqa: S101 - for the type checker: it has exited
    return Ended(exit_code, watch.stdout.kept, watch.stderr.kept)


class _Stream:
    """An output: kept, and printed as it comes."""

    def __init__(self, most: int, shown: TextIO) -> None:
        self.kept = Kept(most)
        self._shown = shown
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, piece: bytes, *, final: bool = False) -> None:
        self.kept.add(piece)
        # A stream that is closed or full must not keep the command waiting at a full pipe.
        with contextlib.suppress(OSError, ValueError):
            self._shown.write(self._decoder.decode(piece, final))
            self._shown.flush()


class _Watch(asyncio.SubprocessProtocol):
    """Told by the event loop what a process does.

    The streams of asyncio's own Process end its `wait` only once nobody holds the pipes open, which is for ever where
    the command left something running.
    """

    def __init__(self, most: int) -> None:
        self.stdout = _Stream(most, sys.stdout)
        self.stderr = _Stream(most, sys.stderr)
        self.exited = asyncio.Event()
        self.read = asyncio.Event()
        self._open = {1: self.stdout, 2: self.stderr}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._open[fd].take(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        if (stream := self._open.pop(fd, None)) is not None:
            stream.take(b"", final=True)
        if not self._open:
            self.read.set()

    def process_exited(self) -> None:
        self.exited.set()


async def _begun(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, stdin: bytes | None, most: int
) -> tuple[asyncio.SubprocessTransport, _Watch]:
    beginning = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            lambda: _Watch(most),
            *command,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    )
    try:
        transport, watch = await asyncio.shield(beginning)
    except asyncio.CancelledError:
        # Cancelled by itself it would leave running what the command has started.
        await _finished(*await beginning)
        raise
    if stdin is not None:
        pipe: Any = transport.get_pipe_transport(0)
        pipe.write(stdin)
        pipe.close()
    return transport, watch


async def _finished(transport: asyncio.SubprocessTransport, watch: _Watch) -> None:
    """Ends what is still there, and closes all that was opened."""
    group = transport.get_pid()
    try:
        if _signal(group, signal.SIGTERM):
            await _until(lambda: not _signal(group, 0))
            _signal(group, signal.SIGKILL)
        # What has left the session may hold the pipes open for ever.
        await _until(lambda: watch.exited.is_set() and watch.read.is_set())
    finally:
        _signal(group, signal.SIGKILL)
        transport.close()


async def _until(holds: Callable[[], bool]) -> None:
    """Waits, for a few seconds at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            while not holds():  # noqa: ASYNC110 - the system tells nobody when a group is empty
                await asyncio.sleep(_POLL_SECONDS)


def _signal(group: int, number: int) -> bool:
    """Sends a signal to a process group; whether there is anybody in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS does not permit it where only zombies are left.
        return False
    return True
