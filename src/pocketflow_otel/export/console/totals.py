"""What the live console counts, and says at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pocketflow_otel.export.console.lines import GUTTER
from pocketflow_otel.export.console.terminal import BOLD, DIM, GREEN, RED, YELLOW, Line, Terminal
from pocketflow_otel.export.console.text import count, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_NAMES: Final = 1000
"""Most flow and node names counted one by one: a program may make up names as it runs."""
SLOWEST: Final = 3
MAX_TRACE_FILES: Final = 3


class Totals:
    """Counts of everything that ran, in memory that does not grow with it.

    Attributes:
        flows: Outermost flows that began.
        open_flows: Those of them that have not ended.
        visits: Nodes visited, nested flows among them.
        errors: Failures, each counted where it happened and not again in the flows around.
        retries: Attempts after a first.
    """

    def __init__(self) -> None:
        self.flows = 0
        self.open_flows = 0
        self.visits = 0
        self.errors = 0
        self.retries = 0
        self._first_start: int | None = None
        self._last_end = 0
        self._runs: dict[str, int] = {}
        self._nodes: dict[str, tuple[int, int]] = {}

    def run_of(self, flow: str) -> int:
        """Counts a run of an outermost flow, and returns which of its name it is: 1 beyond `MAX_NAMES` names."""
        self.flows += 1
        self.open_flows += 1
        if flow not in self._runs and len(self._runs) >= MAX_NAMES:
            return 1
        self._runs[flow] = number = self._runs.get(flow, 0) + 1
        return number

    def took(self, node: str, nanoseconds: int) -> None:
        """Adds the time of one visit of a node that is not a flow."""
        if node in self._nodes or len(self._nodes) < MAX_NAMES:
            visits, total = self._nodes.get(node, (0, 0))
            self._nodes[node] = visits + 1, total + nanoseconds

    def covered(self, start: int, end: int) -> None:
        """Takes notice of when something outermost ran, in nanoseconds."""
        self._first_start = min(start, self._first_start or start)
        self._last_end = max(end, self._last_end)

    @property
    def seconds(self) -> float:
        """From the first start to the last end of something outermost."""
        return max(0, self._last_end - (self._first_start or self._last_end)) / 1e9

    @property
    def slowest(self) -> list[tuple[str, int, float]]:
        """The nodes with the most time over all visits: name, visits, seconds."""
        ranked = sorted(self._nodes.items(), key=lambda entry: -entry[1][1])
        return [(name, visits, total / 1e9) for name, (visits, total) in ranked[:SLOWEST]]


def totals_lines(totals: Totals, out: Terminal) -> list[Line]:
    """What ran and how it went, and which nodes took longest."""
    sign = (RED, out.symbols.failed) if totals.errors else (GREEN, out.symbols.done)
    ran = [count(totals.visits, "node visit")]
    if totals.flows:
        ran.insert(0, count(totals.flows, "flow"))
    line = [_label("total"), sign, (BOLD, f" {', '.join(ran)} in {duration(totals.seconds)}")]
    line.append((RED, f"  {count(totals.errors, 'error')}") if totals.errors else (DIM, "  no errors"))
    if totals.retries:
        line.append((YELLOW, f"  {count(totals.retries, 'retry', 'retries')}"))
    if totals.open_flows:
        line.append((YELLOW, f"  {totals.open_flows:,} unfinished"))
    slowest = totals.slowest
    if len(slowest) < 2:  # noqa: PLR2004 - of one node there is no slowest
        return [line]
    return [line, [_label("slowest"), (DIM, "  " + ", ".join(map(_time_of, *zip(*slowest, strict=True))))]]


def _time_of(name: str, visits: int, seconds: float) -> str:
    return f"{name} {duration(seconds)}" + (f" ({visits:,} visits)" if visits > 1 else "")


def closing_lines(trace_files: Sequence[Path], notes: Sequence[str], out: Terminal) -> list[Line]:
    """Where the traces are, the last first, and notes."""
    lines: list[Line] = []
    label = "trace"
    for path in list(reversed(trace_files))[:MAX_TRACE_FILES]:
        lines.append([_label(label), (DIM, "  " + out.clean(_short(path)))])
        label = ""
    if len(trace_files) > MAX_TRACE_FILES:
        lines.append([_label(""), (DIM, f"  and {len(trace_files) - MAX_TRACE_FILES:,} more")])
    label = "note"
    for note in notes:
        lines.append([_label(label), (YELLOW, "  " + out.clean(str(note)))])
        label = ""
    return lines


def _label(text: str) -> tuple[str, str]:
    return DIM, text.rjust(GUTTER - 1) + " "


def _short(path: Path) -> str:
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (RuntimeError, ValueError):  # no home, or not in it
        return str(path)
