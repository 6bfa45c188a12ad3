"""Tells reports of one call from reports of several.

One call of a model is often reported more than once: by an instrumentation and by another one around or inside it, by
the client library itself, and by the response that the program returns. Reports with the same response id are of one
call. Where one has no id, reports are of one call if different writers made them, in the same place at the same time,
and at least two of three hold: the counts are the same, the model is, and one is inside the other. A writer reports a
call once.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.llm.prices import Price
    from pocketflow_otel.llm.responses import Found
    from pocketflow_otel.llm.usage import Usage

RESULT: Final = "a result"
"""The writer of what nodes return."""
STORE: Final = "the store"
"""The writer of what nodes put into the store."""

_MOST_CALLS: Final = 4096
_MOST_BELOW: Final = 8


class Call:
    """One call of a model.

    Attributes:
        usage: What it used; None where nobody has told.
        model: The model, as far as it is known.
        price: What it cost; None where that is not known.
        scope: Where it was made.
        writers: Who has reported it.
        started: When the first report of it began, in nanoseconds since the epoch.
        ended: When the last report of it ended, likewise.
    """

    __slots__ = ("ended", "model", "price", "scope", "started", "usage", "writers")

    def __init__(
        self, usage: Usage | None, model: str | None, scope: Any, writer: str, started: int, ended: int
    ) -> None:
        self.usage = usage
        self.model = model
        self.price: Price | None = None
        self.scope = scope
        self.writers = {writer}
        self.started = started
        self.ended = ended

    @property
    def name(self) -> str:
        """What the call is listed by: its model, where that is known."""
        return self.model or "unknown"

    @property
    def response_id(self) -> str | None:
        """The vendor's id of the answer."""
        return None if self.usage is None else self.usage.response_id

    @property
    def counts(self) -> tuple[int, int]:
        """Tokens read and written."""
        return (0, 0) if self.usage is None else (self.usage.input_tokens, self.usage.output_tokens)


class SpanOfOthers:
    """A span that is not ours, while it is open: where it began, and which calls were reported in it.

    Attributes:
        scope: Where it began.
        budgets: The budgets that hold there.
        parent: The span of others around it; one of ours is a boundary, below which no report is of a call above.
        call: The call it has reported.
        below: Calls reported by spans inside it, the last few.
        covered: Whether any was.
    """

    __slots__ = ("__weakref__", "below", "budgets", "call", "covered", "parent", "scope")

    def __init__(self, scope: Any, budgets: Any, parent: SpanOfOthers | None) -> None:
        self.scope = scope
        self.budgets = budgets
        self.parent = parent
        self.call: Call | None = None
        self.below: deque[Call] = deque(maxlen=_MOST_BELOW)
        self.covered = False

    def reported(self, call: Call) -> None:
        """Notes the call that this span has reported, for the spans around it."""
        self.call = call
        around = self.parent
        while around is not None:
            around.below.append(call)
            around.covered = True
            around = around.parent

    def related(self) -> Iterator[Call]:
        """The calls reported by spans around and inside."""
        yield from self.below
        around = self.parent
        while around is not None:
            if around.call is not None:
                yield around.call
            around = around.parent


class Ledger:
    """The calls made in one visit of a node, to find a report's call among. Not safe under threads."""

    __slots__ = ("_by_counts", "_by_id", "_calls", "_forgotten", "_held", "_unmet")

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._by_id: dict[str, Call] = {}
        self._by_counts: dict[tuple[int, int], deque[Call]] = {}
        # Calls that were not met yet among results, and in the store; dicts for their order.
        self._unmet: dict[str, dict[Call, None]] = {RESULT: {}, STORE: {}}
        self._forgotten = {RESULT: 0, STORE: 0}
        # What was looked at, by identity: held, so that the identity is given to nothing else meanwhile.
        self._held: dict[int, tuple[tuple[int, int] | None, Any]] = {}

    def add(self, call: Call) -> None:
        """Adds a call; the oldest are forgotten beyond 4096."""
        self._calls.append(call)
        self._by_counts.setdefault(call.counts, deque()).append(call)
        if call.response_id is not None:
            self._by_id[call.response_id] = call
        for writer, unmet in self._unmet.items():
            if writer not in call.writers:
                unmet[call] = None
        if len(self._calls) > _MOST_CALLS:
            self._forget(self._calls.popleft())

    def know_better(self, call: Call, usage: Usage) -> None:
        """Gives a call the usage that another report told."""
        self._drop_counts(call)
        call.usage = usage
        self._by_counts.setdefault(call.counts, deque()).append(call)
        if call.response_id is not None:
            self._by_id[call.response_id] = call

    def learn_id(self, call: Call, response_id: str | None) -> None:
        """Makes a call known by the id that another report told."""
        if response_id is not None:
            self._by_id[response_id] = call

    def _forget(self, call: Call) -> None:
        if call.response_id is not None:
            self._by_id.pop(call.response_id, None)
        self._drop_counts(call)
        for writer, unmet in self._unmet.items():
            if call in unmet:
                del unmet[call]
                self._forgotten[writer] += 1

    def _drop_counts(self, call: Call) -> None:
        same = self._by_counts.get(call.counts)
        if same is None:
            return
        if same[0] is call:
            same.popleft()
        elif call in same:
            same.remove(call)
        if not same:
            del self._by_counts[call.counts]

    def by_id(self, response_id: str | None) -> Call | None:
        """The call with a response id."""
        return self._by_id.get(response_id) if response_id is not None else None

    def knows(self, usage: Usage) -> bool:
        """Whether there is a call with the id of a usage, or with its counts."""
        return usage.response_id in self._by_id or (usage.input_tokens, usage.output_tokens) in self._by_counts

    def of_report(self, report: Call, span: SpanOfOthers) -> Call | None:
        """The call that a span's report is of, if it was reported before."""
        known = self.by_id(report.response_id)
        # What a writer reports twice is two calls: servers of tests give all answers one id.
        if known is not None and not known.writers.isdisjoint(report.writers):
            known = None
        # With such a server, parallel items have calls of the same id.
        if known is not None and known.scope is report.scope:
            return known
        related = [call for call in span.related() if call.scope is report.scope and _may_be_same(call, report)]
        for call in reversed(self._by_counts.get(report.counts, ())):
            if call.ended < report.started:
                break  # and so have all before it
            if call in related:
                return call
            # Calls of several clients at once may well use the same, or tell nothing: their models tell them apart.
            is_near = call.scope is report.scope and call.started <= report.ended
            if is_near and _may_be_same(call, report) and _same_model(call, report):
                return call
        return next((call for call in related if _same_model(call, report)), known)

    def of_result(self, report: Call) -> Call | None:
        """The call that a result or a stored value is of, if it was reported before.

        It is told by its id, by its counts, or as the first not yet met. A call is met once among results, and once in
        the store: one that is found is not found again.
        """
        (writer,) = report.writers
        unmet = self._unmet[writer]
        call = self.by_id(report.response_id)
        if call is None or not (_is_within(call.scope, report.scope) or _is_within(report.scope, call.scope)):
            fitting = [
                call
                for call in unmet
                if _may_be_same(call, report) and _same_model(call, report) and _is_within(call.scope, report.scope)
            ]
            call = next((call for call in fitting if call.counts == report.counts), fitting[0] if fitting else None)
        if call is not None:
            unmet.pop(call, None)
        return call

    def covers_forgotten(self, writer: str) -> bool:
        """Whether what a writer tells may be of a call that was forgotten; each of those is told once."""
        if self._forgotten[writer]:
            self._forgotten[writer] -= 1
            return True
        return False

    def met(self, found: Found) -> bool:
        """Whether a usage was met before in this visit, with these counts: one dict may be filled again and again."""
        counts = found.usage.input_tokens, found.usage.output_tokens
        known = found.source is not None and self._held.get(id(found.source), (None, None))[0] == counts
        # Held, so that its identity is given to nothing else meanwhile.
        self._held[id(found.source)] = counts, found.source
        return known

    def of_hand(self, report: Call) -> Call | None:
        """The call that the program records by hand, if its answer was met before."""
        known = self.by_id(report.response_id)
        if known is not None:
            return known
        for call in self._by_counts.get(report.counts, ()):
            if call.writers <= {RESULT, STORE} and _same_model(call, report) and _may_be_same(call, report):
                return call
        return None


def _may_be_same(call: Call, report: Call) -> bool:
    if not call.writers.isdisjoint(report.writers):
        return False
    return call.response_id is None or report.response_id is None or call.response_id == report.response_id


def _same_model(call: Call, report: Call) -> bool:
    """Whether two names may be of one model: vendors answer with the full name of what was asked for."""
    one, other = call.model, report.model
    return one is None or other is None or one.startswith(other) or other.startswith(one)


def _is_within(scope: Any, around: Any) -> bool:
    while scope is not None:
        if scope is around:
            return True
        scope = scope.parent
    return False
