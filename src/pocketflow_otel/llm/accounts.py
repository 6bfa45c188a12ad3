"""Counts every call of a model once, prices it, and adds it to all that it was made in."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.budgets import budgets_of
from pocketflow_otel.capture.containers import SCALARS, is_one_of
from pocketflow_otel.guard import guard
from pocketflow_otel.late import importing
from pocketflow_otel.llm.ledger import RESULT, STORE, Call, Ledger, SpanOfOthers
from pocketflow_otel.llm.pricing import Pricing
from pocketflow_otel.llm.sums import Sums
from pocketflow_otel.llm.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context

    from pocketflow_otel.budgets import Budget
    from pocketflow_otel.llm.memory import Memory
    from pocketflow_otel.llm.prices import Price, Prices
    from pocketflow_otel.llm.responses import Found
    from pocketflow_otel.llm.telling import CallMetrics, StartCall
    from pocketflow_otel.llm.usage import Usage

_BY_HAND: Final = "the program"
_MOST_GIVEN: Final = 256


class Accounts:
    """The calls of one instrumentation's flows.

    Args:
        start_call: Starts the span of a call that nobody else has one of.
        metrics: Records what calls used and cost.
        make_prices: Makes the prices, when the first call is to be priced.
        clean: Makes a name fit to be shown.

    Attributes:
        pricing: Prices them.
        writers: Instrumentation scopes whose spans have reported calls.
    """

    def __init__(
        self,
        start_call: StartCall,
        metrics: CallMetrics,
        make_prices: Callable[[], Prices],
        clean: Callable[[str], str],
    ) -> None:
        self._telling = Telling(start_call, metrics, clean)
        self.pricing = Pricing(make_prices)
        self._clean = clean
        self.writers: set[str] = set()
        self._lock = threading.RLock()

    def after_fork(self) -> None:
        """Starts anew in a child, where the lock may be held by a thread that is not there."""
        self._lock = threading.RLock()

    # Spans of others.

    def span_began(self, scope: Any, budgets: Any, around: SpanOfOthers | None, attributes: Mapping[str, Any]) -> Any:
        """Notes where a span begins that others may report a call by."""
        self.pricing.span_began(attributes)
        return SpanOfOthers(scope, budgets, around)

    def span_ended(
        self, span: SpanOfOthers, attributes: Mapping[str, Any], writer: str, times: tuple[int, int], *, failed: bool
    ) -> None:
        """Counts the call that a span reports, if it reports one that was not reported before.

        Args:
            span: What was noted when it began.
            attributes: Its attributes.
            writer: The name of its instrumentation scope.
            times: When it started and ended, in nanoseconds since the epoch.
            failed: Whether its status is an error: such a call counts only if it reported usage.
        """
        with importing:
            from pocketflow_otel.llm.conventions import span_usage

        told = span_usage(attributes, writer)
        if told is None or (told.usage is None and (failed or not told.is_call)):
            return
        self.writers.add(writer)
        # An agent's or chain's sum counts only where no call inside was seen.
        if not told.is_call and span.covered:
            return
        model = told.usage.model if told.usage is not None else _model_in(attributes)
        report = Call(told.usage, self._telling.shown(model, span.scope), span.scope, writer, *times)
        price = self.pricing.price(told.usage)
        with self._lock:
            ledger = _ledger(span.scope, span.budgets)
            call = ledger.of_report(report, span)
            if call is None:
                call = report
                call.price = price
                ledger.add(call)
                self._count(call, span.budgets)
                if span.scope is not None:
                    _memory(span.scope).note(report.response_id)
            else:
                call.writers.add(writer)
                call.ended = max(call.ended, report.ended)
                ledger.learn_id(call, report.response_id)
                self._know_better(call, ledger, report, price, span.budgets)
            span.reported(call)
        self._telling.say()

    # What programs return and store.

    def result(self, scope: Any, value: Any) -> None:
        """Counts the calls that a result of a node reports, and nobody reported before.

        Args:
            scope: The visit, item or try that returned it; its context is the current one.
            value: The result.
        """
        if is_one_of(type(value), SCALARS):
            return
        try:
            with importing:
                from pocketflow_otel.llm.responses import find_usages

            told = [found for found in find_usages(value) if not _memory(scope).holds(found)]
            for found in self._surest_first(scope, told):
                self._found(scope, found, RESULT)
            self._telling.say()
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("looking for usage in a result")

    def stored(self, visit: Any, values: Sequence[tuple[str, Any]]) -> None:
        """Counts the calls that values report which a node has put into the store, and nobody reported before.

        Args:
            visit: The node's visit.
            values: Keys of the store, with their new values. Of a list the newest items are looked at.
        """
        try:
            with importing:
                from pocketflow_otel.llm.responses import distinct

            memory = _memory(visit)
            new = [found for key, value in values for found in memory.new_in_store(key, value)]
            for found in self._surest_first(visit, distinct(new)):
                if found.usage.response_id is None or found.usage.response_id not in memory.ids:
                    self._found(visit, found, STORE)
            self._telling.say()
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("looking for usage in the store")

    def store_given(self, flow: Any, store: Mapping[Any, Any]) -> None:
        """Looks at what an outermost flow's store holds at the start: calls of an earlier run are not this one's."""
        try:
            memory = _memory(flow)
            held = ((key, value) for key, value in store.items() if not is_one_of(type(value), SCALARS))
            for key, value in islice(held, _MOST_GIVEN):
                for found in memory.new_in_store(self._clean(key), value):
                    memory.note(found.usage.response_id)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("looking for usage in the store")

    def _surest_first(self, scope: Any, told: list[Found]) -> list[Found]:
        """Of several usages those first that are surely of a call: others take whichever is left."""
        if len(told) < 2:  # noqa: PLR2004 - one has no order
            return told
        with self._lock:
            ledger = _ledger(scope, budgets_of(scope.context))
            return sorted(told, key=lambda found: not ledger.knows(found.usage))

    def _found(self, scope: Any, found: Found, writer: str) -> None:
        usage = found.usage
        now = time.time_ns()  # pricing the first call takes a while
        price = self.pricing.price(usage)
        report = Call(usage, self._telling.shown(usage.model, scope), scope, writer, _started(scope, now), now)
        budgets = budgets_of(scope.context)
        with self._lock:
            ledger = _ledger(scope, budgets)
            if ledger.met(found):
                return
            call = ledger.of_result(report)
            if call is not None:
                call.writers.add(writer)
                ledger.learn_id(call, usage.response_id)
                _memory(scope).note(usage.response_id)
                self._know_better(call, ledger, report, price, budgets)
                return
            if ledger.covers_forgotten(writer) or self._is_bookkeeping(found, _memory(scope)):
                return
            report.price = price
            ledger.add(report)
            self._count(report, budgets)
            _memory(scope).note(report.response_id)
        self._telling.call(report, usage, scope.context, report.started, None)

    def _is_bookkeeping(self, found: Found, memory: Memory) -> bool:
        """Whether counts are rather the program's own notes of calls: where spans tell of calls, answers have more."""
        if not self.writers:
            return False
        if found.usage.response_id is not None:
            return found.usage.response_id in memory.ids
        # Embeddings have no output; they come in a response, of which the usage is a part.
        is_bare = len(found.identities) < 2  # noqa: PLR2004 - a response, and its usage
        return found.usage.model is None or (is_bare and not found.usage.output_tokens)

    # What programs record by hand.

    def record(self, scope: Any, context: Context, usage: Usage, seconds: float | None) -> None:
        """Counts a call that the program itself reports.

        Args:
            scope: Where it was made; None outside of flows.
            context: The context there.
            usage: What it used.
            seconds: How long it took; None where that is not known.
        """
        now = time.time_ns()  # pricing the first call takes a while
        price = self.pricing.price(usage)
        started = now if seconds is None else now - int(seconds * 1e9)
        call = Call(usage, self._telling.shown(usage.model, scope), scope, _BY_HAND, started, now)
        budgets = budgets_of(context)
        with self._lock:
            ledger = _ledger(scope, budgets) if scope is not None or budgets else Ledger()
            known = ledger.of_hand(call)
            if known is not None and _BY_HAND not in known.writers:
                known.writers.add(_BY_HAND)
                self._know_better(known, ledger, call, price, budgets)
            else:
                call.price = price
                ledger.add(call)
                self._count(call, budgets)
                known = None
        self._telling.say()
        if known is None:
            self._telling.call(call, usage, context, started, seconds)

    # Tries.

    def try_failed(self, scope: Any) -> None:
        """Notes in all that is around a try that what it spent was spent for nothing."""
        with self._lock:
            scope.failed_try = True
            spent = scope.sums
            if spent is None:
                return
            # What tries inside have spent that failed themselves is noted there already.
            tokens, cost = spent.total_tokens - spent.retry_total_tokens, spent.cost_usd - spent.retry_cost_usd
            for sums, _ in _around(scope.parent):
                sums.add_failed(tokens, cost)

    # Adding up.

    def told(self, sums: Sums) -> dict[str, Any]:
        """Sums as a span tells them."""
        with self._lock:
            return sums.attributes()

    def _count(self, call: Call, budgets: tuple[Budget, ...]) -> None:
        for sums, in_failed_try in _around(call.scope):
            sums.add(call, in_failed_try=in_failed_try)
        self._spend(call, budgets, 1)
        if call.price is not None:
            self._telling.cost(call.price.usd, call.name)

    def _know_better(
        self, call: Call, ledger: Ledger, report: Call, price: Price | None, budgets: tuple[Budget, ...]
    ) -> None:
        """Adds what another report of a call tells besides: its usage, or a model that has a price."""
        usage = report.usage if call.usage is None else None
        if usage is not None and usage.model is None and call.model is not None:
            usage = replace(usage, model=call.model)
            price = self.pricing.price(usage)
        if usage is None and (call.price is not None or price is None):
            return
        for sums, in_failed_try in _around(call.scope):
            sums.take_back(call, in_failed_try=in_failed_try)
        self._spend(call, budgets, -1)
        if usage is not None:
            ledger.know_better(call, usage)
        call.model = report.model or call.model
        was_priced, call.price = call.price is not None, call.price or price
        for sums, in_failed_try in _around(call.scope):
            sums.add(call, in_failed_try=in_failed_try)
        self._spend(call, budgets, 1)
        if call.price is not None and not was_priced:
            self._telling.cost(call.price.usd, call.name)

    def _spend(self, call: Call, budgets: tuple[Budget, ...], times: int) -> None:
        tokens = 0 if call.usage is None else call.usage.total_tokens
        for budget in budgets:
            budget.spend(tokens=tokens * times, usd=0.0 if call.price is None else call.price.usd * times)
            if call.price is None and times > 0 and (warning := budget.unpriced(call.name)):
                self._telling.warning(warning)


def _memory(scope: Any) -> Memory:
    while scope.parent is not None:
        scope = scope.parent
    if scope.memory is None:
        with importing:
            from pocketflow_otel.llm.memory import Memory

        scope.memory = Memory()
    memory: Memory = scope.memory
    return memory


def _started(scope: Any, now: int) -> int:
    """When a scope began, in nanoseconds since the epoch; now where its span does not tell."""
    started = getattr(scope.span, "start_time", None)
    return started if type(started) is int else now


def _ledger(scope: Any, budgets: tuple[Any, ...]) -> Ledger:
    """Where the calls of one visit are kept, or outside of flows those under one budget."""
    while scope is not None and not scope.keeps_ledger and scope.parent is not None:
        scope = scope.parent
    keeper = scope if scope is not None else budgets[0]
    if keeper.ledger is None:
        keeper.ledger = Ledger()
    ledger: Ledger = keeper.ledger
    return ledger


def _around(scope: Any) -> list[tuple[Sums, bool]]:
    """The sums of all that a call was made in, and whether a failed try lies between."""
    around: list[tuple[Sums, bool]] = []
    failed = False
    while scope is not None:
        if scope.sums is None:
            scope.sums = Sums()
        around.append((scope.sums, failed))
        failed = failed or scope.failed_try
        scope = scope.parent
    return around


def _model_in(attributes: Mapping[str, Any]) -> str | None:
    for name in ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "embedding.model_name"):
        model = attributes.get(name)
        if type(model) is str and model:
            return model
    return None
