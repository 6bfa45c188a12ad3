"""What commands print on a terminal, and the comparison of that with what the documentation shows."""

import os
import re
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

COLUMNS = 110
GAP = "⋮"
"""Stands in the documentation where lines are left out."""

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_DURATION = r"(?:\d+(?:\.\d+)?m?s|\d+m\d\ds|\d+h\d\dm)"
_GUTTER = re.compile(rf"^ *{_DURATION} ", re.MULTILINE)
_SLOWEST = re.compile(rf"^slowest  ( ?\w+ {_DURATION}(?: \(\d+ visits\))?,?)+$", re.MULTILINE)
_TRACE_ID = re.compile(r"\b[0-9a-f]{32}\b")


def on_terminal(command: str, directory: Path, environ: Mapping[str, str]) -> str:
    """Runs a command on a terminal of its own.

    Args:
        command: For the shell.
        directory: Where to run it.
        environ: Its environment.

    Returns:
        All that it wrote, with its colours.
    """
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (50, COLUMNS))
    terminal = {**environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        terminal.pop(name, None)
    process = subprocess.Popen(
        command, shell=True, cwd=directory, env=terminal, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = b""
    try:
        while chunk := os.read(ours, 65_536):
            output += chunk
    except OSError:  # Linux's way to say that nobody writes any more
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0, output.decode()
    return output.decode().replace("\r\n", "\n")


def plain(output: str) -> str:
    """Without colours."""
    return _ESCAPES.sub("", output)


def masked(output: str) -> str:
    """With everything that is different each time replaced or left out: times, the order of the slowest, trace ids."""
    output = _SLOWEST.sub("slowest", output)
    output = _GUTTER.sub("   TIME ", output)
    # Phases are shown from 0.1 ms on, which a busy machine makes of anything.
    output = re.sub(rf"  (?:(?:prep|exec|post) {_DURATION}(?:, )?)+$", "", output, flags=re.MULTILINE)
    return _TRACE_ID.sub("ID", re.sub(rf"\b{_DURATION}\b", "TIME", output))


def assert_shown(shown: str, real: str) -> None:
    """Asserts that real output is what is shown: all of it, but for what each line with `GAP` leaves out.

    Args:
        shown: What the documentation shows.
        real: What was printed.
    """
    left = masked(real).rstrip("\n").split("\n")
    pieces = [piece.strip("\n") for piece in re.split(rf"^{GAP}\n?", masked(shown), flags=re.MULTILINE)]
    first, *others = pieces
    wanted = first.split("\n") if first else []
    assert left[: len(wanted)] == wanted
    left = left[len(wanted) :]
    for piece in filter(None, others):
        wanted = piece.split("\n")
        start = next((at for at in range(len(left)) if left[at : at + len(wanted)] == wanted), None)
        assert start is not None, "\n".join(["not in this order in the real output:", piece, "", "left:", *left])
        left = left[start + len(wanted) :]
    assert left == [] or pieces[-1] == "", "the real output goes on:\n" + "\n".join(left)
