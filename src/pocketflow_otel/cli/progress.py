"""What is said while spans are sent: a bar on a terminal, otherwise a line every few seconds. On stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

from pocketflow_otel.cli.output import say
from pocketflow_otel.figures import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pocketflow_otel.sending.sources import Source
    from pocketflow_otel.sending.tally import Tally

LINE_EVERY_SECONDS: Final = 5.0


class Progress:
    """Says how far sending has come, in lines.

    Args:
        source: Where spans are read.
        tally: What came of them.
    """

    def __init__(self, source: Source, tally: Tally) -> None:
        self.source = source
        self.tally = tally
        self._said_at = time.monotonic()
        self._trouble = ""

    def advance(self) -> None:
        """Takes note that a batch was sent."""
        now = time.monotonic()
        if now - self._said_at >= LINE_EVERY_SECONDS:
            self._said_at = now
            self.say(f"{counts(self.tally)}{self._share()}")

    def wait(self, reason: str, seconds: float) -> None:
        """Takes note of a wait before the next try; says why, unless it was for the same reason before."""
        if reason != self._trouble:
            self._trouble = reason
            self.say(f"{reason}; trying again in {seconds:.1f} s")

    def say(self, text: str) -> None:
        """Says something in a line of its own."""
        say(f"pocketflow-otel: {text}")

    def _share(self) -> str:
        total = self.source.total_bytes
        return f", {self.source.read_bytes / total:.0%} of the files read" if total else ""


class _Bar(Progress):
    """Says it in a bar."""

    def __init__(self, source: Source, tally: Tally, update: Callable[[int, str], object]) -> None:
        super().__init__(source, tally)
        self._update = update

    def advance(self) -> None:
        self._update(self.source.read_bytes, counts(self.tally))


@contextlib.contextmanager
def progress(source: Source, tally: Tally) -> Iterator[Progress]:
    """Shows progress while the block runs."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield Progress(source, tally)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Display

    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
    with Display(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as display:
        task = display.add_task("", total=source.total_bytes)
        yield _Bar(source, tally, lambda done, text: display.update(task, completed=done, description=text))


def counts(tally: Tally) -> str:
    """The outcome up to now, in words."""
    told = [f"{count(tally.accepted, 'span')} accepted"]
    told += [f"{tally.refused:,} refused"] if tally.refused else []
    told += [f"{tally.not_sent_for.total():,} not sent"] if tally.not_sent_for else []
    return ", ".join(told)
