"""A Mermaid flowchart of what ran: https://mermaid.js.org/syntax/flowchart.html."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pocketflow_otel import semconv
from pocketflow_otel.figures import count, dollars, duration, tokens
from pocketflow_otel.traces.formats.flowchart import Arrow, Kind, chart
from pocketflow_otel.traces.json_text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.traces.formats.flowchart import Box, Chart
    from pocketflow_otel.traces.model import Trace

MOST_CHARACTERS: Final = 50_000
MOST_EDGES: Final = 500
"""What Mermaid takes by default."""

_LONGEST_NAME: Final = 80
_SEPARATOR: Final = " · "
# Mermaid reads Markdown, HTML and marks of its own in labels. A character that goes by its number is none of them.
_SPECIAL: Final = re.compile(r"(?![A-Za-z0-9 ])[\x00-\x7f]")
# Of these Mermaid makes mathematics, a line break and an icon, also where they go by numbers.
_SEQUENCES: Final = re.compile(r"(\$(?=\$)|\\(?=n)|\bfa\w?(?=:))")
_ZERO_WIDTH_SPACE: Final = "\u200b"
_STYLES: Final = """\
  classDef failed stroke:#d33,stroke-width:3px
  classDef unfinished stroke:#d80,stroke-width:3px,stroke-dasharray:6 3
  classDef unvisited stroke-dasharray:3 3,opacity:0.6
  classDef point fill:#888,stroke:#888
"""


def render(trace: Trace) -> str:
    """Draws the flows, nodes and actions of a trace; of other tools' traces, who called whom.

    Solid arrows were taken, dotted ones only could have been.
    """
    return "\n".join(["flowchart TD", *_Writer(chart(trace)).lines()]) + f"\n{_STYLES}"


def limits_passed(drawn: str) -> Iterator[str]:
    """Tells which of Mermaid's limits a chart passes, and the option that raises it."""
    if len(drawn) > MOST_CHARACTERS:
        yield f"Mermaid takes a chart of more than {MOST_CHARACTERS:,} characters only with a larger maxTextSize"
    if len(re.findall(r"^  \w+ -[-.]+> ?", drawn, re.MULTILINE)) > MOST_EDGES:
        yield f"Mermaid takes a chart of more than {MOST_EDGES} arrows only with a larger maxEdges"


class _Writer:
    def __init__(self, drawn: Chart) -> None:
        self._chart = drawn
        self._ids: dict[Box, str] = {}
        self._arrows: list[str] = []

    def lines(self) -> Iterator[str]:
        yield from self._inside(self._chart.outermost, "  ")
        yield from self._arrows
        for (caller, called), times in self._chart.calls.items():
            said = "runs" if caller.kind is Kind.NODE else ""
            yield f"  {self._ids[caller]} {_arrow('-->', _joined(said, _times(times)))} {self._ids[called]}"

    def _inside(self, flow: Box, indent: str) -> Iterator[str]:
        for box in flow.inside.values():
            self._ids[box] = f"n{len(self._ids) + 1}"
            yield from self._box(box, indent)
        if flow is not self._chart.outermost:
            yield from self._points(flow, indent)
            self._arrows += self._arrows_of(flow)

    def _box(self, box: Box, indent: str) -> Iterator[str]:
        name, label = self._ids[box], _label(box)
        if box.kind is Kind.FLOW and any(inner.visits for inner in box.inside.values()):
            yield f'{indent}subgraph {name}["{label}"]'
            yield from self._inside(box, indent + "  ")
            yield f"{indent}end"
        elif box.kind is Kind.FLOW:
            yield f'{indent}{name}[["{label}"]]'
        elif box.kind is Kind.NODE:
            yield f'{indent}{name}["{label}"]'
        else:
            yield f'{indent}{name}(["{label}"])'
        if style := _style(box):
            yield f"{indent}class {name} {style}"

    def _points(self, flow: Box, indent: str) -> Iterator[str]:
        """The points where a flow begins and ends."""
        ends = {"begin": any(arrow.source is None for arrow in flow.taken)}
        ends["end"] = any(arrow.target is None for arrow in flow.taken)
        for end, is_drawn in ends.items():
            if is_drawn:
                yield f'{indent}{self._ids[flow]}_{end}((" ")):::point'

    def _arrows_of(self, flow: Box) -> Iterator[str]:
        for arrow, times in flow.taken.items():
            said = _joined(_action(arrow), _times(times))
            dead_end = "leads nowhere" if arrow in flow.unrouted else ""
            yield self._line(flow, arrow, _arrow("-->", "<br/>".join(filter(None, [said, dead_end]))))
        for arrow in flow.possible:
            if arrow not in flow.taken:
                yield self._line(flow, arrow, _arrow("-.->", _action(arrow)))

    def _line(self, flow: Box, arrow: Arrow, drawn: str) -> str:
        name = self._ids[flow]
        source = f"{name}_begin" if arrow.source is None else self._ids[flow.inside[arrow.source]]
        target = f"{name}_end" if arrow.target is None else self._ids[flow.inside[arrow.target]]
        return f"  {source} {drawn} {target}"


def _arrow(line: str, label: str) -> str:
    return f'{line}|"{label}"|' if label else line


def _action(arrow: Arrow) -> str:
    return "" if arrow.action in ("", semconv.DEFAULT_ACTION) else _escaped(arrow.action)


def _times(times: int) -> str:
    return f"{times} times" if times > 1 else ""


def _joined(*facts: str) -> str:
    return _SEPARATOR.join(filter(None, facts))


def _label(box: Box) -> str:
    return "<br/>".join([_escaped(box.name), *_facts(box)])


def _facts(box: Box) -> Iterator[str]:
    if not box.visits:
        yield "not visited"
        return
    known = [dollars(box.cost_usd)] if box.cost_usd > 0 else []
    yield from filter(
        None,
        [
            _joined(_times(box.visits), duration(box.duration_ns / 1e9)),
            _joined(
                tokens(box.tokens) if box.tokens else "", " + ".join(known + ["? cost"] * (box.unpriced_calls > 0))
            ),
            _joined(
                count(box.retries, "retry", "retries") if box.retries else "",
                count(box.errors, "error") if box.errors else "",
                f"{box.unfinished} unfinished" if box.unfinished else "",
            ),
        ],
    )


def _style(box: Box) -> str:
    if not box.visits:
        return "unvisited"
    return "failed" if box.errors else "unfinished" if box.unfinished else ""


def _escaped(text: str) -> str:
    short = text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
    apart = _SEQUENCES.sub(rf"\1{_ZERO_WIDTH_SPACE}", " ".join(encodable(short).split()))
    return _SPECIAL.sub(lambda match: f"#{ord(match[0])};", apart) or " "
