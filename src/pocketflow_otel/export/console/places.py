"""What the live console keeps of a span while it is open, and reads from it when it ends."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import StatusCode

from pocketflow_otel import semconv
from pocketflow_otel.export.console.spending import NOTHING, Spending, spending_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import ReadableSpan

_STOPPED_BY: Final = frozenset({"CancelledError", "KeyboardInterrupt", "SystemExit", "GeneratorExit"})
_ERRORS_OF_RUNS: Final = "pocketflow_otel.runtime.errors"
_STOPPED_BY_RUNS: Final = frozenset(f"{_ERRORS_OF_RUNS}.{name}" for name in ("Cancelled", "Interrupted"))


class Kind(enum.Enum):
    """What a span of the instrumentation stands for. Values are the first words of span names."""

    FLOW = semconv.SPAN_FLOW
    NODE = semconv.SPAN_NODE
    ITERATION = semconv.SPAN_ITERATION
    ITEM = semconv.SPAN_ITEM
    ATTEMPT = semconv.SPAN_ATTEMPT


VISITED: Final = frozenset({Kind.FLOW, Kind.NODE})
_KINDS: Final = {kind.value: kind for kind in Kind}


def kind_of(span: ReadableSpan) -> Kind | None:
    """What a span stands for; None if it is another instrumentation's, or a call that no other has recorded."""
    scope = span.instrumentation_scope
    return kind_named(scope.name, span.name) if scope is not None else None


def kind_named(scope: str, span: str) -> Kind | None:
    """What a span stands for, by the names of its instrumentation and its own."""
    return _KINDS.get(span.partition(" ")[0]) if scope == semconv.INSTRUMENTATION_NAME else None


@dataclasses.dataclass(slots=True, eq=False)
class Place:
    """An open span of the instrumentation, and where it stands.

    Attributes:
        kind: What the span stands for.
        span: The span itself, whose attributes may still grow.
        name: Of the flow or node that it is, or is part of.
        parent: The nearest span of the instrumentation around it.
        depth: How many visible flows, nodes and iterations are around it.
        branch: Where in batches it is: ``2.1`` for item 1 in iteration 2; empty outside of batches.
        number: Which visit of the node, which run of an outermost flow, or which attempt this is.
        parts: How many iterations or items have begun in it.
        fallbacks: How many of its items got their result from ``exec_fallback``.
        visits: In an iteration, how often each node was visited in it.
        failure_told: Whether the last failure inside it has been shown, with its message.
        last_failure: How its last attempt failed.
        params_told: Whether its params have been shown.
        delegated: What the calls in flows, nodes and iterations that it ran, and that have ended, used and cost.
        is_hushed: Whether it is in one of so many iterations that only what goes wrong in it is worth telling.
        late: Whether it began before the console was there to see it.
        elsewhere: Whether a process opened the span that this one is a fork of: it is for that one to tell.
    """

    kind: Kind
    span: ReadableSpan
    name: str
    parent: Place | None
    depth: int
    branch: str
    number: int = 1
    parts: int = 0
    fallbacks: int = 0
    visits: dict[str, int] | None = None
    failure_told: bool = False
    last_failure: Failure | None = None
    params_told: bool = False
    delegated: Spending = NOTHING
    is_hushed: bool = False
    late: bool = False
    elsewhere: bool = False

    @property
    def outermost(self) -> Place:
        """The outermost span of the instrumentation around it, or itself."""
        place = self
        while place.parent is not None:
            place = place.parent
        return place

    @property
    def is_outermost_flow(self) -> bool:
        """Whether it is a flow, and no part of another flow or node."""
        return self.kind is Kind.FLOW and self.parent is None

    @property
    def is_visit(self) -> bool:
        """Whether it is a node, or a flow that stands as a node in another."""
        return self.kind is Kind.NODE or (self.kind is Kind.FLOW and self.parent is not None)

    @property
    def runner(self) -> Place | None:
        """The flow, iteration or node that runs it."""
        around = self.parent
        while around is not None and around.kind in (Kind.ATTEMPT, Kind.ITEM):
            around = around.parent
        return around

    @property
    def in_iteration(self) -> bool:
        """Whether it is part of an iteration."""
        around = self.parent
        while around is not None and around.kind is not Kind.ITERATION:
            around = around.parent
        return around is not None

    @property
    def title(self) -> str:
        """The name with the visit or run, which the first does not show."""
        return f"{self.name} #{self.number}" if self.number > 1 else self.name

    @property
    def whole_title(self) -> str:
        """The name with the indexes of the batches that it is in, and the visit."""
        branch = f" [{self.branch}]" if self.branch else ""
        return f"{self.name}{branch}" + (f" #{self.number}" if self.number > 1 else "")

    def number_in(self, attributes: Mapping[str, Any]) -> int | None:
        """Which visit or attempt this is, if the attributes tell it.

        Directly in an iteration they count over all iterations, but on a line that shows the iteration's index a
        reader takes it for visits in that one.
        """
        if self.kind is Kind.ATTEMPT:
            return attributes.get(semconv.ATTEMPT_NUMBER)
        if not self.is_visit or (self.parent is not None and self.parent.kind is Kind.ITERATION):
            return None
        return attributes.get(semconv.NODE_VISIT)

    def count_visit(self, node: str) -> int:
        """Counts the visit of a node in this iteration, and returns which it is."""
        self.visits = self.visits or {}
        self.visits[node] = visit = self.visits.get(node, 0) + 1
        return visit

    def most_attempts(self, attributes: Mapping[str, Any]) -> int:
        """How many attempts there may be here; 0 where neither the attributes nor a span around tells it yet."""
        most = attributes.get(semconv.MAX_RETRIES)
        around = self.parent
        while most is None and around is not None and around.kind in (Kind.ITEM, Kind.NODE):
            most = attributes_of(around.span).get(semconv.MAX_RETRIES)
            around = around.parent
        return most if isinstance(most, int) else 0


@dataclasses.dataclass(slots=True, frozen=True)
class Failure:
    """How a span failed.

    Attributes:
        type: The error's type, without its module.
        message: What it says; empty where it is told elsewhere.
        stopped: Whether something from outside ended it, such as a cancelled task, Ctrl-C, or another node's failure.
    """

    type: str
    message: str
    stopped: bool


@dataclasses.dataclass(slots=True, eq=False)
class Ending:
    """What an ended span tells.

    Attributes:
        name: The span's name.
        attributes: The span's attributes.
        start: When it started, in nanoseconds since the epoch.
        end: When it ended, in nanoseconds since the epoch.
        spending: What the calls of language models inside it used and cost.
        failure: How it failed, if it did.
        waiting: What it waits for, where it ended for that; else empty.
        raised_here: Whether the exception was raised in this very span rather than further inside.
    """

    name: str
    attributes: dict[str, Any]
    start: int
    end: int
    spending: Spending
    failure: Failure | None
    waiting: str
    raised_here: bool

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0, self.end - self.start) / 1e9

    @property
    def node_try(self) -> int:
        """Which try of a whole node it is, from 1."""
        number = self.attributes.get(semconv.NODE_TRY, 1)
        return number if isinstance(number, int) else 1

    def is_tried_again(self, number: int, most: int) -> bool:
        """Whether it failed, and another try follows.

        Args:
            number: Which try it is.
            most: How many there may be; 0 where nobody knows.
        """
        if self.failure is None or self.failure.stopped or semconv.ATTEMPT_LAST in self.attributes:
            return False
        return number != most

    @property
    def is_tried_again_whole(self) -> bool:
        """Whether it is a node that failed, and is run again as a whole."""
        tries = self.attributes.get(semconv.NODE_TRIES)
        return isinstance(tries, int) and self.is_tried_again(self.node_try, tries)


def ending_of(span: ReadableSpan) -> Ending:
    """Reads an ended span."""
    attributes = attributes_of(span)
    failure, raised_here = None, False
    if span.status.status_code is StatusCode.ERROR or semconv.ERROR_TYPE in attributes:
        failure, raised_here = _failure_of(span, attributes)
    return Ending(
        name=span.name,
        attributes=attributes,
        start=span.start_time or 0,
        end=span.end_time or 0,
        spending=spending_of(attributes),
        failure=failure,
        waiting=str(attributes.get(semconv.WAITING, "")),
        raised_here=raised_here,
    )


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """A copy of a span's attributes: of the SDK's own mapping, each look for a key that is absent raises inside."""
    return dict(span.attributes or {})


def _failure_of(span: ReadableSpan, attributes: Mapping[str, Any]) -> tuple[Failure, bool]:
    error_type = attributes.get(semconv.ERROR_TYPE)
    message = span.status.description or ""
    raised_here = False
    for event in span.events:
        if event.name == semconv.EVENT_EXCEPTION:
            raised_here = True
            details = event.attributes or {}
            message = str(details.get(semconv.EXCEPTION_MESSAGE, message))
            error_type = error_type or details.get(semconv.EXCEPTION_TYPE)
    full = str(error_type or "error")
    name = full.rpartition(".")[2]
    return Failure(name, message, stopped=name in _STOPPED_BY or full in _STOPPED_BY_RUNS), raised_here
