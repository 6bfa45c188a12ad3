"""Where what a command says goes: data to standard output, or to a file that is there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final, Literal

import typer

STANDARD_OUTPUT = Path("-")
_PRIVATE: Final = 0o600
_SHARED: Final = 0o666


def say(text: str) -> None:
    """Says something on standard error. That it may be closed or full changes nothing about what a command does."""
    try:
        typer.echo(text, err=True)
    except OSError:
        _give_up("stderr")


def write(content: str, output: Path, *, private: bool = True) -> None:
    """Writes text as UTF-8.

    Args:
        content: The text.
        output: `STANDARD_OUTPUT`, or a file. It is written beside and moved into place, with the mode of the file it
            replaces. What is no regular file, as a pipe, is written to.
        private: Whether a new file is for this user alone; else the umask says for whom.

    Raises:
        OSError: If it cannot be written.
    """
    data = content.encode("utf-8")
    if output == STANDARD_OUTPUT:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            typer.echo(data, nl=False)
        except OSError:
            _give_up("stdout")
            raise
    elif output.exists() and not output.is_file():
        output.write_bytes(data)
    else:
        # Of a link, what it leads to is replaced.
        _replace(output.resolve(), data, _PRIVATE if private else _SHARED)


def _give_up(stream: Literal["stdout", "stderr"]) -> None:
    """Forgets a stream: what is left in it would fail again when Python ends, with an exit code of its own."""
    setattr(sys, stream, None)


def _replace(path: Path, data: bytes, mode: int) -> None:
    from secrets import token_hex

    beside = path.with_name(f".{path.name[:100]}.{token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
