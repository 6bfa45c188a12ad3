"""What went wrong while exporting, in the whole process: said once, counted always, never raised."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, replace

from pocketflow_otel.export.streams import real_stream


@dataclass(frozen=True, slots=True)
class Problem:
    """What one source has reported so far."""

    message: str
    """Its first message: the one that was said."""
    reports: int
    """How often it reported."""
    dropped: int
    """How many spans or log records were lost."""


_problems: dict[str, Problem] = {}
_lock = threading.RLock()


def report(source: str, message: str, dropped: int = 0) -> None:
    """Counts a problem, and says on the real stderr what it is if it is the first of its source. Never raises.

    Args:
        source: What has the problem, such as ``trace files``.
        message: What went wrong, and with what.
        dropped: How many spans or log records are lost by it.
    """
    with _lock:
        known = _problems.get(source)
        if known:
            _problems[source] = replace(known, reports=known.reports + 1, dropped=known.dropped + dropped)
            return
        _problems[source] = Problem(message=message, reports=1, dropped=dropped)
    # The message may quote what a server sent.
    text = "".join(char if char.isprintable() else " " for char in f"{source}: {message}")
    _say(f"pocketflow-otel: {' '.join(text.split())}; your program goes on\n")


def snapshot() -> dict[str, Problem]:
    """The problems so far, by source."""
    with _lock:
        return dict(_problems)


def _say(line: str) -> None:
    try:
        stream = real_stream(sys.stderr)
        if stream is not None:
            stream.write(line)
            stream.flush()
    except Exception:  # noqa: BLE001, S110 - stderr may be closed, full or anything: then nobody can be told
        pass


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it, and is not here to release it
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
