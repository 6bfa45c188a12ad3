"""What the live console says about a span: its attributes as lines of text.

Every line has the same build, so that the eye finds things: how long it took, in a gutter of its own; the place,
by indentation; a sign; the flow, only where the line before belonged to another; the name with the batch index in
brackets and the visit after ``#``; the action; and the rest from one column on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.export.console.measured import counts_of, phases_of, taken_of
from pocketflow_otel.export.console.places import VISITED, Ending, Failure, Kind, Place
from pocketflow_otel.export.console.spending import Spending, details_of, directions_of, retries_of
from pocketflow_otel.export.console.terminal import (
    BOLD,
    CYAN,
    DIM,
    GREEN,
    PLAIN,
    RED,
    YELLOW,
    Line,
    Terminal,
    line_cells,
)
from pocketflow_otel.export.console.text import listing
from pocketflow_otel.figures import count, duration, size
from pocketflow_otel.options import Verbosity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GUTTER: Final = 8
INDENT: Final = 2
MAX_INDENT: Final = 40
DETAIL_COLUMN: Final = 38
MAX_NAME: Final = 60
MAX_KEYS: Final = 6
"""Most store keys on the line of a node or flow."""
MAX_KEY_LINES: Final = 32
"""Most store keys with a line of their own, in verbose."""
MAX_PRINTED_LINES: Final = 20
MAX_MODELS: Final = 3


class Lines:
    """Makes lines of places and spans.

    Args:
        out: Where they will be written, for its signs and encoding.
        verbosity: How much they tell.
    """

    def __init__(self, out: Terminal, verbosity: Verbosity) -> None:
        self._clean = out.clean
        self._signs = out.symbols
        self._verbosity = verbosity
        self._verbose = verbosity is Verbosity.VERBOSE

    def started(self, place: Place, crumb: str) -> Line:
        """The line for a flow, node or iteration that begins."""
        whole = place.kind is Kind.FLOW
        line = self._head(place.depth, (CYAN if whole else DIM, self._signs.started), "", crumb)
        return line + self._name(place, BOLD if whole else DIM)

    def hushed(self, place: Place) -> Line:
        """The line where the first iteration begins of those that are not told of any more."""
        text = f"{self._signs.ellipsis} {place.name}: of further iterations only what goes wrong"
        return [(DIM, label("") + _indent(place.depth) + text)]

    def params(self, place: Place, attributes: Mapping[str, Any]) -> list[Line]:
        """The line below a place with its params, once; those of nodes in an iteration are the iteration's."""
        params = attributes.get(semconv.PARAMS)
        if not params or place.params_told or (place.kind is not Kind.ITERATION and place.in_iteration):
            return []
        place.params_told = True
        return [[(DIM, label("params") + _inside(place) + self._clean(str(params)))]]

    def ended(self, place: Place, ending: Ending, crumb: str) -> list[Line]:
        """The lines for a flow, node, iteration or item that ends."""
        attributes = ending.attributes
        unrouted = _is_unrouted(attributes)
        sign = self._sign(ending.failure, unrouted=unrouted)
        if ending.waiting:
            sign = (YELLOW, self._signs.waiting)
        elif ending.is_tried_again_whole:
            sign = (YELLOW, self._signs.again)
        line = self._head(place.depth, sign, duration(ending.seconds), crumb)
        line += self._name(place, BOLD if place.kind is Kind.FLOW else PLAIN)
        action = attributes.get(semconv.ACTION)
        if action and action != semconv.DEFAULT_ACTION:
            line.append((YELLOW if unrouted else CYAN, f" {self._signs.arrow} {self._clean(str(action), MAX_NAME)}"))
        if unrouted:
            line.append((YELLOW, ", but no node follows: the flow ended here"))
        _add_details(line, self._details(place, ending))
        return [line, *self._more(place, ending)] if self._verbose else [line]

    def attempt(self, place: Place, ending: Ending, crumb: str) -> Line:
        """The line for an attempt that ended."""
        most = place.most_attempts(ending.attributes)
        sign = self._sign(ending.failure)
        if ending.is_tried_again(place.number, most):
            sign = (YELLOW, self._signs.again)
        text = f"attempt {place.number} of {most}" if most else f"attempt {place.number}"
        wait = ending.attributes.get(semconv.ATTEMPT_WAIT_SECONDS)
        if wait and self._verbose:
            text += f", after a wait of {duration(wait)}"
        details = [[(DIM, text)]]
        if ending.failure is not None:
            details.append([(sign[0], self._failure_text(ending.failure))])
        if self._verbose:
            details += details_of(ending.spending)
        line = self._head(place.depth, sign, duration(ending.seconds), crumb) + self._name(place, PLAIN)
        _add_details(line, details)
        return line

    def other(self, depth: int, branch: str, ending: Ending, crumb: str) -> Line:
        """The line for a span of another instrumentation that ended."""
        line = self._head(depth, (DIM, self._signs.other), duration(ending.seconds), crumb)
        line.append((DIM, self._clean(ending.name, MAX_NAME) + (f" [{branch}]" if branch else "")))
        if ending.failure is not None:
            line.append((DIM, "  " + self._clean(ending.failure.type)))
        return line

    def _head(self, depth: int, sign: tuple[str, str], took: str, crumb: str) -> Line:
        line = [(DIM, label(took) + _indent(depth)), sign, (PLAIN, " ")]
        if crumb:
            line.append((DIM, f"{crumb} {self._signs.inside} "))
        return line

    def _name(self, place: Place, style: str) -> Line:
        line = [(style, place.name)]
        if place.branch:
            line.append((CYAN if style != DIM else DIM, f" [{place.branch}]"))
        if place.number > 1 and place.kind is not Kind.ATTEMPT:
            line.append((DIM, f" #{place.number}"))
        return line

    def _sign(self, failure: Failure | None, *, unrouted: bool = False) -> tuple[str, str]:
        if failure is not None:
            return (YELLOW, self._signs.stopped) if failure.stopped else (RED, self._signs.failed)
        return (YELLOW, self._signs.warning) if unrouted else (GREEN, self._signs.done)

    def _failure_text(self, failure: Failure) -> str:
        return self._clean(f"{failure.type}: {failure.message}" if failure.message else failure.type).strip()

    def _details(self, place: Place, ending: Ending) -> Iterator[Line]:
        attributes = ending.attributes
        yield from self._outcome(place, ending)
        yield from self._tries(place, attributes)
        yield from _batch(place, attributes)
        visits = attributes.get(semconv.FLOW_VISITS)
        if visits and place.kind is Kind.FLOW:
            yield [(DIM, count(visits, "visit"))]
        yield from counts_of(attributes)
        # Before what may be long: a narrow terminal cuts lines off.
        if self._tells_spending(place):
            yield from details_of(ending.spending)
        if not self._verbose or place.kind is Kind.FLOW:
            keys = self._keys(attributes)
            if keys:
                yield keys
        for stream in (semconv.STDOUT, semconv.STDERR):
            amount = attributes.get(stream + semconv.BYTES_SUFFIX)
            if amount:
                lines = count(attributes.get(stream + semconv.LINES_SUFFIX, 0), "line")
                yield [(DIM, f"{stream.rpartition('.')[2]} {lines}, {size(amount)}")]
        if self._verbose:
            yield from phases_of(attributes)
            yield from taken_of(attributes)

    def _outcome(self, place: Place, ending: Ending) -> Iterator[Line]:
        """What it ran for, which try it was, how it failed, and what it waits for."""
        if role := ending.attributes.get(semconv.NODE_ROLE):
            yield [(DIM, str(role))]
        failure, again = ending.failure, ending.is_tried_again_whole
        if again:
            yield [(DIM, f"attempt {ending.node_try} of {ending.attributes[semconv.NODE_TRIES]}")]
        elif ending.node_try > 1:
            yield [(DIM, count(ending.node_try, "attempt"))]
        if failure is not None:
            yield [(YELLOW if failure.stopped or again else RED, self._failure_text(failure))]
        if ending.waiting:
            # What is around a node that waits, waits for the same.
            told = place.kind is Kind.NODE
            yield [(YELLOW, f"waits: {self._clean(ending.waiting)}" if told else "waits")]

    def _tells_spending(self, place: Place) -> bool:
        if self._verbosity is Verbosity.MINIMAL:
            return place.is_outermost_flow
        return self._verbose or place.kind in VISITED

    def _tries(self, place: Place, attributes: Mapping[str, Any]) -> Iterator[Line]:
        attempts = attributes.get(semconv.ATTEMPTS, 1)
        if attributes.get(semconv.FALLBACK):
            text = "fallback" + (f" after {count(attempts, 'attempt')}" if attempts > 1 else "")
            if place.last_failure is not None:
                text += ": " + self._failure_text(place.last_failure)
            yield [(YELLOW, text)]
        elif attempts > 1:
            yield [(DIM, count(attempts, "attempt"))]

    def _keys(self, attributes: Mapping[str, Any]) -> Line:
        changes = _changes(attributes)
        omitted = len(changes) - MAX_KEYS if len(changes) > MAX_KEYS else 0
        omitted += attributes.get(semconv.STORE_OMITTED, 0)
        line: Line = []
        for style, sign, key in changes[:MAX_KEYS]:
            line.append((style, (" " if line else "") + sign + self._clean(key, MAX_NAME)))
        if omitted:
            line.append((DIM, f" and {omitted:,} more"))
        return line

    def _more(self, place: Place, ending: Ending) -> Iterator[Line]:
        """The lines below an ended node's: models' usage, params, store changes one by one, printed text."""
        attributes, indent = ending.attributes, _inside(place)
        if place.kind in VISITED:
            yield from self._usage(indent, ending.spending)
        yield from self.params(place, attributes)
        if place.kind is Kind.NODE:
            yield from self._key_lines(" " * GUTTER + indent, attributes)
        for stream in (semconv.STDOUT, semconv.STDERR):
            text = attributes.get(stream)
            if text:
                yield from self._printed(label(stream.rpartition(".")[2]), indent, str(text))

    def _usage(self, indent: str, spending: Spending) -> Iterator[Line]:
        models = [self._clean(model, MAX_NAME) for model in spending.models]
        told = "  ".join(filter(None, (directions_of(spending), listing(models, MAX_MODELS), retries_of(spending))))
        if told:
            yield [(DIM, label("usage") + indent + told)]

    def _key_lines(self, indent: str, attributes: Mapping[str, Any]) -> Iterator[Line]:
        changes = _changes(attributes)
        for style, sign, key in changes[:MAX_KEY_LINES]:
            line = [(DIM, indent), (style, f"{sign} {self._clean(key, MAX_NAME)}")]
            shape = attributes.get(semconv.STORE_SHAPE_PREFIX + key)
            if shape:
                line.append((DIM, "  " + self._clean(str(shape))))
            value = attributes.get(semconv.STORE_VALUE_PREFIX + key)
            if value is not None:
                line.append((DIM, "  " + self._clean(str(value))))
            yield line
        omitted = max(0, len(changes) - MAX_KEY_LINES) + attributes.get(semconv.STORE_OMITTED, 0)
        if omitted:
            yield [(DIM, f"{indent}and {omitted:,} more")]
        if changes and attributes.get(semconv.STORE_ATTRIBUTION) == semconv.ATTRIBUTION_SHARED:
            yield [(DIM, f"{indent}perhaps by another node that ran at the same time")]

    def _printed(self, gutter: str, indent: str, text: str) -> Iterator[Line]:
        lines = text.removesuffix("\n").split("\n")
        for line in lines[:MAX_PRINTED_LINES]:
            # A progress bar writes over its line: the last writing is what the reader saw.
            seen = line.rstrip("\r").rpartition("\r")[2].expandtabs(4)
            yield [(DIM, f"{gutter}{indent}{self._signs.bar} {self._clean(seen)}".rstrip())]
            gutter = " " * GUTTER
        if len(lines) > MAX_PRINTED_LINES:
            rest = count(len(lines) - MAX_PRINTED_LINES, "more line")
            yield [(DIM, f"{gutter}{indent}{self._signs.ellipsis} {rest}")]


def label(text: str) -> str:
    """What stands in the gutter."""
    return text.rjust(GUTTER - 1) + " "


def _inside(place: Place) -> str:
    return _indent(place.depth + 1)


def _indent(depth: int) -> str:
    return " " * min(depth * INDENT, MAX_INDENT)


def _is_unrouted(attributes: Mapping[str, Any]) -> bool:
    action = attributes.get(semconv.ACTION, semconv.DEFAULT_ACTION)
    # PocketFlow's own warning for the default action is spurious: a last node often returns nothing.
    return bool(attributes.get(semconv.ACTION_UNROUTED)) and action != semconv.DEFAULT_ACTION


def _add_details(line: Line, details: Iterable[Line]) -> None:
    gap = 0
    for detail in details:
        if not gap:
            gap = max(2, DETAIL_COLUMN - line_cells(line))
            line.append((PLAIN, " " * gap))
        else:
            line.append((PLAIN, "  "))
        line += detail


def _batch(place: Place, attributes: Mapping[str, Any]) -> Iterator[Line]:
    number = attributes.get(semconv.BATCH_SIZE)
    failed = attributes.get(semconv.BATCH_FAILED)
    if number is None and place.parts:
        number = place.parts
    if number is not None:
        line = [(DIM, count(number, "iteration" if place.kind is Kind.FLOW else "item"))]
        if failed:
            line += [(DIM, ", "), (RED, f"{failed:,} failed")]
        if place.fallbacks:
            line += [(DIM, ", "), (YELLOW, f"{place.fallbacks:,} fell back")]
        yield line


def _changes(attributes: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Changed store keys, each with the style and sign of its kind of change; red and yellow are kept for trouble."""
    return [
        (style, sign, key)
        for style, sign, name in (
            (GREEN, "+", semconv.STORE_ADDED),
            (PLAIN, "~", semconv.STORE_MODIFIED),
            (DIM, "-", semconv.STORE_REMOVED),
        )
        for key in attributes.get(name, ())
    ]
