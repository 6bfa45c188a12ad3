"""Whether a process that left something behind is still there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# The start of a process is known to a hundredth of a second, that of the system to a second.
_TOLERANCE_SECONDS: Final = 2.0
_STATE, _START_TICKS = 0, 19


def is_alive(pid: int, seen: float) -> bool:
    """Whether the process that had a pid at some time is running.

    Args:
        pid: The process id.
        seen: When it had that id, in seconds since the epoch. On Linux a process that started later is another one
            with the same id.

    Returns:
        On Windows always true: there is no way to ask that needs nothing but the standard library.
    """
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return False
    return _is_the_same(pid, seen)


def _is_the_same(pid: int, seen: float) -> bool:
    try:
        # The command's name, in parentheses, may hold anything.
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        system = dict(line.split(" ", 1) for line in Path("/proc/stat").read_text("utf-8").splitlines())
        started = int(system["btime"]) + int(status[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, LookupError):
        # Not Linux.
        return True
    return status[_STATE] != "Z" and started <= seen + _TOLERANCE_SECONDS
