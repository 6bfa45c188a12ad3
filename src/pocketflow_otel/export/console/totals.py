"""What the live console counts, and says at the end."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pocketflow_otel.export.console.lines import MAX_MODELS, MAX_NAME, label
from pocketflow_otel.export.console.spending import NOTHING, Spending, cost_of, retries_of
from pocketflow_otel.export.console.terminal import BOLD, DIM, GREEN, RED, YELLOW, Line, Terminal
from pocketflow_otel.export.console.text import listing
from pocketflow_otel.figures import count, dollars, duration, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pocketflow_otel.export.console.places import Place

MAX_NAMES: Final = 1000
"""Most flow and node names counted one by one: a program may make up names as it runs."""
MAX_RANKED: Final = 3
"""Most nodes named as slowest or costliest."""
MAX_TRACE_FILES: Final = 3


@dataclasses.dataclass(slots=True)
class NodeTotals:
    """All visits of the nodes of one name.

    Attributes:
        name: The node's name.
        visits: How many there were.
        nanoseconds: How long they took.
        spending: What their own calls of language models used and cost.
    """

    name: str
    visits: int = 0
    nanoseconds: int = 0
    spending: Spending = NOTHING


class Totals:
    """Counts of everything that ran, in memory that does not grow with it.

    Args:
        clock: Tells the time up to which what has not ended has lasted, in nanoseconds since the epoch; by default it
            is now.

    Attributes:
        flows: Outermost flows that began.
        open_flows: Those of them that have not ended.
        visits: Nodes visited, nested flows among them.
        errors: Failures, each counted where it happened and not again in the flows around.
        waiting: Nodes that ended because they wait for what the program can't bring about, such as a person.
        retries: Attempts after a first.
        spending: What the calls of language models in outermost flows and nodes that have ended used and cost.
    """

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock
        self.flows = 0
        self.open_flows = 0
        self.visits = 0
        self.errors = 0
        self.waiting = 0
        self.retries = 0
        self.spending = NOTHING
        self._first_start: int | None = None
        self._last_end = 0
        self._runs: dict[str, int] = {}
        self._nodes: dict[str, NodeTotals] = {}

    def run_of(self, flow: str, start: int) -> int:
        """Counts a run of an outermost flow, and returns which of its name it is: 1 beyond `MAX_NAMES` names."""
        self._first_start = min(start, self._first_start or start)
        self.flows += 1
        self.open_flows += 1
        if flow not in self._runs and len(self._runs) >= MAX_NAMES:
            return 1
        self._runs[flow] = number = self._runs.get(flow, 0) + 1
        return number

    def visited(self, node: str, nanoseconds: int, spending: Spending, *, is_new: bool = True) -> None:
        """Adds a visit of a node that is not a flow.

        Args:
            node: Its name.
            nanoseconds: How long it took.
            spending: What it spent that is not of nodes inside it.
            is_new: Whether it is a visit of its own; else another try of one.
        """
        if node not in self._nodes and len(self._nodes) >= MAX_NAMES:
            return
        totals = self._nodes.setdefault(node, NodeTotals(node))
        totals.visits += is_new
        totals.nanoseconds += nanoseconds
        totals.spending += spending

    def covered(self, start: int, end: int) -> None:
        """Takes notice of when something outermost ran, in nanoseconds."""
        self._first_start = min(start, self._first_start or start)
        self._last_end = max(end, self._last_end)

    @property
    def now(self) -> int:
        """The time up to which what has not ended has lasted, in nanoseconds since the epoch."""
        return time.time_ns() if self._clock is None else self._clock()

    @property
    def seconds(self) -> float:
        """From the first start to the last end of something outermost; up to `now` where a flow has not ended."""
        end = self.now if self.open_flows else self._last_end
        return max(0, end - (self._first_start or end)) / 1e9

    @property
    def slowest(self) -> list[NodeTotals]:
        """The nodes with the most time over all visits."""
        return sorted(self._nodes.values(), key=lambda node: -node.nanoseconds)[:MAX_RANKED]

    @property
    def costliest(self) -> list[NodeTotals]:
        """The nodes with the highest cost over all visits, as far as it is known."""
        priced = [node for node in self._nodes.values() if node.spending.cost_usd > 0]
        return sorted(priced, key=lambda node: -node.spending.cost_usd)[:MAX_RANKED]


def totals_lines(totals: Totals, spending: Spending, unfinished: Sequence[Place], out: Terminal) -> list[Line]:
    """What ran, how it went and what it cost, and which nodes took and cost most.

    Args:
        totals: What has been counted.
        spending: That of the totals, and of what has ended in flows and nodes that have not.
        unfinished: Nodes that have not ended.
        out: Where the lines will be written, for its signs and encoding.
    """
    slowest = [(node, duration(node.nanoseconds / 1e9)) for node in totals.slowest]
    costliest = [(node, cost_of(node.spending)) for node in totals.costliest]
    return [
        _ran(totals, out),
        *_unfinished(unfinished, totals.now),
        *_ranking("slowest", slowest),
        *_spent(spending, out),
        *_ranking("costly", costliest),
    ]


def _ran(totals: Totals, out: Terminal) -> Line:
    sign = (GREEN, out.symbols.done)
    if totals.errors:
        sign = (RED, out.symbols.failed)
    elif totals.open_flows:
        sign = (YELLOW, out.symbols.stopped)
    elif totals.waiting:
        sign = (YELLOW, out.symbols.waiting)
    ran = [count(totals.visits, "node visit")]
    if totals.flows:
        ran.insert(0, count(totals.flows, "flow"))
    line = [(DIM, label("total")), sign, (BOLD, f" {', '.join(ran)} in {duration(totals.seconds)}")]
    line.append((RED, f"  {count(totals.errors, 'error')}") if totals.errors else (DIM, "  no errors"))
    if totals.retries:
        line.append((YELLOW, f"  {count(totals.retries, 'retry', 'retries')}"))
    if totals.waiting:
        line.append((YELLOW, f"  {totals.waiting:,} waiting"))
    if totals.open_flows:
        line.append((YELLOW, f"  {totals.open_flows:,} unfinished"))
    return line


def _unfinished(places: Sequence[Place], now: int) -> Iterable[Line]:
    """Nodes that have not ended: what a program that was stopped was busy with."""
    if places:
        since = [max(0, now - (place.span.start_time or now)) / 1e9 for place in places]
        named = [f"{place.whole_title} for {duration(seconds)}" for place, seconds in zip(places, since, strict=True)]
        yield [(DIM, label("open")), (YELLOW, "  " + listing(named, MAX_RANKED))]


def _ranking(title: str, nodes: Sequence[tuple[NodeTotals, str]]) -> Iterable[Line]:
    if len(nodes) > 1:  # one alone is not the most of anything
        named = [f"{node.name} {text}" + _visits(node) for node, text in nodes]
        yield [(DIM, label(title) + "  " + ", ".join(named))]


def _visits(node: NodeTotals) -> str:
    return f" ({node.visits:,} visits)" if node.visits > 1 else ""


def _spent(spending: Spending, out: Terminal) -> Iterable[Line]:
    if not spending.calls:
        return
    line = [(DIM, label("cost") + "  "), *_cost(spending, out)]
    if spending.total_tokens:
        line.append((DIM, "  " + tokens(spending.total_tokens)))
    line.append((DIM, "  " + count(spending.calls, "call")))
    retries = retries_of(spending)
    if retries:
        line.append((YELLOW, "  " + retries))
    yield line


def _cost(spending: Spending, out: Terminal) -> Line:
    cost = cost_of(spending) or dollars(0)
    models = [out.clean(model, MAX_NAME) for model in spending.unpriced_models]
    named = f" ({listing(models, MAX_MODELS)})" if models else ""
    return [(YELLOW if spending.unpriced_calls else BOLD, cost + named)]


def closing_lines(trace_files: Sequence[Path], notes: Sequence[str], out: Terminal) -> list[Line]:
    """Where the traces are, the last first, and notes."""
    lines: list[Line] = []
    title = "trace"
    for path in list(reversed(trace_files))[:MAX_TRACE_FILES]:
        lines.append([(DIM, label(title)), (DIM, "  " + out.clean(_short(path)))])
        title = ""
    if len(trace_files) > MAX_TRACE_FILES:
        lines.append([(DIM, label("")), (DIM, f"  and {len(trace_files) - MAX_TRACE_FILES:,} more")])
    title = "note"
    for note in notes:
        lines.append([(DIM, label(title)), (YELLOW, "  " + out.clean(str(note)))])
        title = ""
    return lines


def _short(path: Path) -> str:
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (RuntimeError, ValueError):  # no home, or not in it
        return str(path)
