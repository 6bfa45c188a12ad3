"""Standard output for results alone: whatever else is printed goes to standard error."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

_STDOUT: Final = 1
_STDERR: Final = 2


def say(text: str, *, name: bool = True) -> None:
    """Says something on standard error. That it may be closed or full changes nothing.

    Args:
        text: What.
        name: Whether to begin with the name of who says it.
    """
    try:
        sys.stderr.write(f"pocketflow-otel: {text}\n" if name else f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # full, closed, or never there
        return


class Stdout:
    """The real standard output.

    Args:
        descriptor: A copy of it, which child processes do not get; None where it was closed.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def divert(cls) -> Stdout:
        """Sends all that is printed from now on to standard error: by Python, by C code, and by child processes."""
        if sys.__stdout__ is None:
            return cls(None)
        sys.__stdout__.flush()
        kept = os.dup(_STDOUT)
        target = _STDERR if sys.__stderr__ is not None else os.open(os.devnull, os.O_WRONLY)
        os.dup2(target, _STDOUT)
        # Otherwise lines would come after those of standard error that were written later.
        sys.__stdout__.reconfigure(line_buffering=True)
        return cls(kept)

    def write(self, content: str, output: str, *, private: bool = True) -> None:
        """Writes a result.

        Args:
            content: The text.
            output: A file, which is there as a whole or not at all; ``-`` for standard output.
            private: Whether a new file is for this user alone; else the umask says for whom.

        Raises:
            OSError: It can't be written.
        """
        if output != "-":
            from pocketflow_otel.cli.output import write

            write(content, Path(output), private=private)
            return
        if self._descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        rest = content.encode("utf-8", "backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
