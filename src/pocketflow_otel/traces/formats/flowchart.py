"""What ran, as a chart: flows with the nodes they visited and the actions they took, all visits of a node together.

What other tools traced has no flows and nodes. Its operations are boxes by their names, with arrows from callers to
what they called.
"""

from __future__ import annotations

import contextlib
import enum
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pocketflow_otel import semconv
from pocketflow_otel.traces.formats.unfinished import last_moment
from pocketflow_otel.traces.model import StatusCode

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from pocketflow_otel.traces.model import Span, Trace


class Kind(enum.Enum):
    """What a box stands for."""

    FLOW = enum.auto()
    NODE = enum.auto()
    OPERATION = enum.auto()


class Arrow(NamedTuple):
    """A way from one box of a flow to the next."""

    source: str | None
    """The name of the box; None where the flow begins."""
    action: str
    """Empty where it is not known."""
    target: str | None
    """The name of the box; None where the flow ends."""


@dataclass(eq=False, slots=True)
class Box:
    """All visits of a node, runs of a flow, or calls of another operation, at one place of the chart."""

    kind: Kind
    name: str
    visits: int = 0
    errors: int = 0
    unfinished: int = 0
    retries: int = 0
    duration_ns: int = 0
    """Of all visits together."""
    tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    """Calls whose cost is not known, and not in `cost_usd`."""
    inside: dict[Hashable, Box] = field(default_factory=dict)
    taken: Counter[Arrow] = field(default_factory=Counter)
    """How often each arrow between the boxes inside was taken."""
    possible: dict[Arrow, None] = field(default_factory=dict)
    """Arrows that the flow's graph has, taken or not, in its order."""
    unrouted: set[Arrow] = field(default_factory=set)
    """Arrows to the end by an action that no successor was for."""

    def member(self, name: str, kind: Kind = Kind.NODE) -> Box:
        """The box of a node of this flow; a flow that is one, too."""
        return self.at(name, kind, name)

    def at(self, key: Hashable, kind: Kind, name: str) -> Box:
        """The box inside that has a key; a new one, if there is none."""
        box = self.inside.setdefault(key, Box(kind, name))
        if kind is Kind.FLOW:
            box.kind = kind
        return box

    def add(self, span: Span, until_ns: int) -> None:
        """Adds a visit."""
        self.visits += 1
        self.errors += span.status.code is StatusCode.ERROR
        self.unfinished += not span.finished
        self.duration_ns += max((until_ns if span.end_ns is None else span.end_ns) - span.start_ns, 0)
        self.add_retries(span)
        told = span.attributes
        if semconv.USAGE_CALLS in told:
            self.tokens += _number(told.get(semconv.USAGE_TOTAL_TOKENS))
            self.cost_usd += _number(told.get(semconv.USAGE_COST))
            self.unpriced_calls += _number(told.get(semconv.USAGE_UNPRICED_CALLS))
        else:
            self.tokens += _number(told.get(semconv.CALL_INPUT_TOKENS)) + _number(told.get(semconv.CALL_OUTPUT_TOKENS))
            self.cost_usd += _number(told.get(semconv.CALL_COST))

    def add_retries(self, span: Span) -> None:
        """Adds the tries after the first that a node or an item took."""
        self.retries += max(_number(span.attributes.get(semconv.ATTEMPTS)) - 1, 0)


@dataclass(frozen=True, slots=True)
class Chart:
    """The boxes that nothing is around, and who called whom."""

    outermost: Box
    calls: Counter[tuple[Box, Box]]


def chart(trace: Trace) -> Chart:
    """Draws up what ran in a trace."""
    return _Drawing(trace).chart()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a span is met."""

    around: Box
    """The flow it runs in."""
    visits: list[Span] | None = None
    """The visits of that flow's run, where spans met here are among them."""
    node: Box | None = None
    """The node that it is below."""
    caller: Box | None = None


class _Drawing:
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._until_ns = last_moment(trace)
        self._outermost = Box(Kind.FLOW, "")
        self._calls: Counter[tuple[Box, Box]] = Counter()
        self._runs: list[tuple[Box, list[Span]]] = []
        self._seen: set[str] = set()

    def chart(self) -> Chart:
        top = _Place(self._outermost)
        self._walk(self._trace.roots(), top)
        # Spans that are each other's parents are below no root.
        for span in self._trace.spans:
            self._walk([span], top)
        for flow, visits in self._runs:
            _follow(flow, visits)
        return Chart(self._outermost, self._calls)

    def _walk(self, spans: Sequence[Span], place: _Place) -> None:
        waiting = [(span, place) for span in reversed(spans)]
        while waiting:
            span, met = waiting.pop()
            if span.span_id not in self._seen:
                self._seen.add(span.span_id)
                below = self._meet(span, met)
                waiting += ((child, below) for child in reversed(self._trace.children(span)))

    def _meet(self, span: Span, place: _Place) -> _Place:
        """Adds a span to its box, and returns where spans below it are met."""
        told = span.attributes
        operation = told.get(semconv.OPERATION_NAME)
        if operation == semconv.SPAN_FLOW:
            return self._flow(span, place)
        if operation == semconv.SPAN_NODE and place.visits is not None:
            box = self._visit(span, place, Kind.NODE)
            return _Place(place.around, node=box, caller=box)
        if place.node is not None:
            # What a node does inside is not drawn, unless it runs a flow.
            place.node.add_retries(span)
            return place
        if place.visits is not None:
            return self._run(place.around) if semconv.BATCH_INDEX in told else place
        box = place.around.at((place.caller, span.name), Kind.OPERATION, span.name)
        self._call(span, place, box)
        return replace(place, caller=box)

    def _flow(self, span: Span, place: _Place) -> _Place:
        if place.visits is not None:
            box = self._visit(span, place, Kind.FLOW)
        else:
            name = str(span.attributes.get(semconv.WORKFLOW_NAME, span.name))
            box = place.around.at((place.caller, Kind.FLOW, name), Kind.FLOW, name)
            self._call(span, place, box)
        # A graph that was cut on its way here, or is of another make, tells what could be read of it.
        with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):
            _plan(box, json.loads(span.attributes.get(semconv.FLOW_GRAPH, "{}")))
        return self._run(box)

    def _run(self, flow: Box) -> _Place:
        """Where the visits of a run of a flow are met; of a batch flow each iteration is one."""
        visits: list[Span] = []
        self._runs.append((flow, visits))
        return _Place(flow, visits)

    def _visit(self, span: Span, place: _Place, kind: Kind) -> Box:
        box = place.around.member(_node_id(span), kind)
        box.add(span, self._until_ns)
        if place.visits is not None:
            place.visits.append(span)
        return box

    def _call(self, span: Span, place: _Place, box: Box) -> None:
        box.add(span, self._until_ns)
        if place.caller is not None:
            self._calls[place.caller, box] += 1


def _follow(flow: Box, visits: list[Span]) -> None:
    """Counts the arrows that one run of a flow took."""
    actions: dict[str | None, str] = {}
    for span in visits:
        name, told = _node_id(span), span.attributes.get(semconv.GRAPH_NODE_PARENT_ID)
        before = None if told is None else flow.member(str(told)).name
        flow.taken[Arrow(before, actions.get(before, ""), name)] += 1
        actions[name] = str(span.attributes.get(semconv.ACTION, semconv.DEFAULT_ACTION))
    if visits and visits[-1].finished and visits[-1].status.code is not StatusCode.ERROR:
        last = visits[-1]
        arrow = Arrow(_node_id(last), actions[_node_id(last)], None)
        flow.taken[arrow] += 1
        if last.attributes.get(semconv.ACTION_UNROUTED):
            flow.unrouted.add(arrow)


def _plan(flow: Box, graph: Mapping[str, Any]) -> None:
    """Adds the nodes and arrows that a flow's graph has."""
    for node in graph.get("nodes", ()):
        box = flow.member(node["id"], Kind.FLOW if "flow" in node else Kind.NODE)
        _plan(box, node.get("flow", {}))
    for edge in graph.get("edges", ()):
        if edge["to"] is not None:
            flow.possible[Arrow(edge["from"], edge["action"], edge["to"])] = None


def _node_id(span: Span) -> str:
    told = span.attributes
    return str(told.get(semconv.GRAPH_NODE_ID, told.get(semconv.NODE_NAME, span.name)))


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) else 0
