"""Where a command's data goes: standard output, or a file that is there as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import typer

STANDARD_OUTPUT = Path("-")


def write(content: str, output: Path) -> None:
    """Writes text as UTF-8.

    Args:
        content: The text.
        output: `STANDARD_OUTPUT`, or a file. It is written beside and moved into place, for this user alone, or with
            the mode of the file it replaces. What is no regular file, as a pipe, is written to.

    Raises:
        OSError: If it cannot be written.
    """
    data = content.encode("utf-8")
    if output == STANDARD_OUTPUT:
        typer.echo(data, nl=False)
    elif output.exists() and not output.is_file():
        output.write_bytes(data)
    else:
        # Of a link, what it leads to is replaced.
        _replace(output.resolve(), data)


def _replace(path: Path, data: bytes) -> None:
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
