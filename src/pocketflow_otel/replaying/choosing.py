"""Traces with only some of their flows and nodes, as if no others had been traced."""

from __future__ import annotations

import dataclasses
import difflib
import re
from dataclasses import dataclass
from fnmatch import translate
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from pocketflow_otel import semconv
from pocketflow_otel.export.console.places import VISITED, Kind, kind_named
from pocketflow_otel.replaying.moments import moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketflow_otel.traces.model import Span, Trace

_NUMBER: Final = re.compile(r"#\d+$")
"""What the second node of a class in a flow has at the end of its name."""


class NoSuchNameError(LookupError):
    """No flow or node has a name that is asked for. The message says which is near."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What there is around a span.

    Attributes:
        span_id: The nearest span that is kept.
        in_flow: Whether a flow is around.
        is_kept: Whether the nearest flow or node is kept.
    """

    span_id: str | None
    in_flow: bool = False
    is_kept: bool = True


def names_in(traces: Sequence[Trace]) -> set[str]:
    """The names of all flows and nodes."""
    return {name for trace in traces for span in trace.spans if (name := _name(span)) is not None}


def only(traces: Sequence[Trace], patterns: Sequence[str]) -> list[Trace]:
    """Leaves out flows and nodes of other names; what was in them stands in what is around them.

    Outermost flows stay: they hold a trace together. So do spans of other instrumentations.

    Args:
        traces: The traces.
        patterns: Shell-style (``*``, ``?``, ``[abc]``), for whole names; with or without the number that tells nodes
            of one name apart.

    Returns:
        Those traces of which anything is left.

    Raises:
        NoSuchNameError: If no flow or node matches one of the patterns.
    """
    names = names_in(traces)
    for pattern in patterns:
        _check(pattern, names)
    wanted = re.compile("|".join(translate(pattern) for pattern in patterns))
    left = [(trace, sorted(_kept(trace, wanted), key=attrgetter("start_ns"))) for trace in traces]
    return [dataclasses.replace(trace, spans=spans) for trace, spans in left if spans]


def _check(pattern: str, names: set[str]) -> None:
    wanted = re.compile(translate(pattern))
    if any(_matches(wanted, name) for name in names):
        return
    near = difflib.get_close_matches(pattern, names, 1)
    hint = f"; near it is {near[0]!r}" if near else ""
    raise NoSuchNameError(f"no flow or node is called {pattern!r}{hint}")


def _kept(trace: Trace, wanted: re.Pattern[str]) -> Iterator[Span]:
    below: dict[str, _Around] = {}
    for moment in moments([trace]):
        if moment.is_end:
            continue
        span = moment.span
        around = below.get(span.parent_span_id or "") or _Around(span.parent_span_id)
        inside = below[span.span_id] = _inside(span, around, wanted)
        if inside.span_id == span.span_id:
            yield dataclasses.replace(span, parent_span_id=around.span_id)


def _inside(span: Span, around: _Around, wanted: re.Pattern[str]) -> _Around:
    kind = kind_named(span.scope, span.name)
    if kind is None:
        return dataclasses.replace(around, span_id=span.span_id)
    is_flow, is_kept = kind is Kind.FLOW, around.is_kept
    if kind in VISITED:
        is_kept = (is_flow and not around.in_flow) or _matches(wanted, _name(span) or "")
    return _Around(span.span_id if is_kept else around.span_id, around.in_flow or is_flow, is_kept)


def _name(span: Span) -> str | None:
    """The name of a flow or node; None for any other span."""
    kind = kind_named(span.scope, span.name)
    if kind not in VISITED:
        return None
    attribute = semconv.WORKFLOW_NAME if kind is Kind.FLOW else semconv.NODE_NAME
    return str(span.attributes.get(attribute) or span.name)


def _matches(wanted: re.Pattern[str], name: str) -> bool:
    return bool(wanted.match(name) or wanted.match(_NUMBER.sub("", name)))
