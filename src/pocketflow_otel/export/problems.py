"""What went wrong while exporting, in the whole process: said once, counted always, never raised."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field, replace

from pocketflow_otel.export.streams import real_stream, write_now


@dataclass(frozen=True, slots=True)
class Problem:
    """What one source has reported so far."""

    message: str
    """Its first message: the one that was said."""
    reports: int
    """How often it reported."""
    dropped: int
    """How many spans were lost."""
    dropped_log_records: int = 0
    """How many log records were lost."""
    told: str | None = field(default=None, compare=False, repr=False)
    """The loss that was told; None where nothing was said yet."""

    @property
    def loss(self) -> str:
        """What was lost, in words; nothing is an empty text."""
        lost = {"span": self.dropped, "log record": self.dropped_log_records}
        counts = [f"{count} {what}{'s' * (count != 1)}" for what, count in lost.items() if count]
        return f"{' and '.join(counts)} dropped" if counts else ""

    def plus(self, later: Problem) -> Problem:
        """This, and what the same source has reported later or elsewhere."""
        return replace(
            self,
            reports=self.reports + later.reports,
            dropped=self.dropped + later.dropped,
            dropped_log_records=self.dropped_log_records + later.dropped_log_records,
        )


_problems: dict[str, Problem] = {}
_ending = False
_lock = threading.RLock()


def report(source: str, message: str, dropped: int = 0, dropped_log_records: int = 0) -> None:
    """Counts a problem, and says on the real stderr what it is if it is the first of its source. Never raises.

    Args:
        source: What has the problem, such as ``trace files``.
        message: What went wrong, and with what.
        dropped: How many spans are lost by it.
        dropped_log_records: How many log records are.
    """
    with _lock:
        problem = Problem(message, 1, dropped, dropped_log_records)
        if source in _problems:
            problem = _problems[source].plus(problem)
        say = problem.told is None and not _ending
        _problems[source] = replace(problem, told=problem.loss) if say else problem
    if say:
        _say_first(source, problem)


def end() -> None:
    """Keeps what is reported from here on for `say_rest`: the program ends, and soon the sums are known."""
    global _ending  # noqa: PLW0603 - the process has one end
    _ending = True


def say_rest() -> None:
    """Says what has not been said: problems since `end`, and what was lost in all where more was since it was told."""
    for source, problem in snapshot().items():
        _problems[source] = replace(problem, told=problem.loss)
        if problem.told is None:
            _say_first(source, problem)
        elif problem.told != problem.loss:
            _say(f"{source}: {problem.loss} in all")


def snapshot() -> dict[str, Problem]:
    """The problems so far, by source."""
    with _lock:
        return {source: problem for source, problem in _problems.items() if problem.reports}


def _say_first(source: str, problem: Problem) -> None:
    what = f"{problem.message}, {problem.loss}" if problem.loss else problem.message
    _say(f"{source}: {what}; your program goes on")


def _say(text: str) -> None:
    # The message may quote what a server sent.
    printable = "".join(char if char.isprintable() else " " for char in text)
    try:
        stream = real_stream(sys.stderr)
        if stream is not None:
            write_now(stream, f"pocketflow-otel: {' '.join(printable.split())}\n")
    except Exception:  # noqa: BLE001, S110 - stderr may be closed, full or anything: then nobody can be told
        pass


def _after_fork_in_child() -> None:
    global _lock, _ending  # noqa: PLW0603 - another thread of the parent may have held it, and is not here to release it
    _lock = threading.RLock()
    _ending = False
    # What the parent lost, the parent tells. What it has said need not be said again.
    for source, problem in _problems.items():
        _problems[source] = Problem(problem.message, 0, 0, told="")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
