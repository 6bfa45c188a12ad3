"""What the calls below a flow, node, item or try add up to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv

if TYPE_CHECKING:
    from pocketflow_otel.llm.ledger import Call

_MOST_NAMES: Final = 32
# A token costs 1e-8 dollars at the least; what lies far below is what adding binary fractions leaves.
_DIGITS: Final = 15


class Sums:
    """Tokens, calls and cost. Not safe under threads: `Accounts` holds a lock."""

    __slots__ = ("cached_input_tokens", "calls", "cost_usd", "input_tokens", "models", "output_tokens",
                 "price_sources", "reasoning_tokens", "retry_cost_usd", "retry_total_tokens", "unpriced_calls",
                 "unpriced_models")  # fmt: skip

    def __init__(self) -> None:
        self.input_tokens = self.output_tokens = self.cached_input_tokens = self.reasoning_tokens = 0
        self.calls = self.unpriced_calls = self.retry_total_tokens = 0
        self.cost_usd = self.retry_cost_usd = 0.0
        # How many calls have each name, in order: which model was called first is of interest.
        self.models: dict[str, int] = {}
        self.unpriced_models: dict[str, int] = {}
        self.price_sources: dict[str, int] = {}

    @property
    def total_tokens(self) -> int:
        """All tokens read and written."""
        return self.input_tokens + self.output_tokens

    def add(self, call: Call, *, in_failed_try: bool = False) -> None:
        """Adds a call.

        Args:
            call: The call, as it is known now.
            in_failed_try: Whether it was made in a try that failed, below what these are the sums of.
        """
        self._add(call, 1, in_failed_try=in_failed_try)

    def take_back(self, call: Call, *, in_failed_try: bool = False) -> None:
        """Takes a call out again, as it was added, since more is known of it now."""
        self._add(call, -1, in_failed_try=in_failed_try)

    def _add(self, call: Call, times: int, *, in_failed_try: bool) -> None:
        self.calls += times
        tokens = 0
        if call.usage is not None:
            usage = call.usage
            tokens = usage.total_tokens * times
            self.input_tokens += usage.input_tokens * times
            self.output_tokens += usage.output_tokens * times
            self.cached_input_tokens += usage.cached_input_tokens * times
            self.reasoning_tokens += usage.reasoning_tokens * times
        name = call.name
        _tally(self.models, name, times)
        cost = 0.0
        if call.price is None:
            self.unpriced_calls += times
            _tally(self.unpriced_models, name, times)
        else:
            cost = call.price.usd * times
            self.cost_usd += cost
            _tally(self.price_sources, described_source(call), times)
        if in_failed_try:
            self.add_failed(tokens, cost)

    def add_failed(self, total_tokens: int, cost_usd: float) -> None:
        """Notes what a try that failed has spent; it is part of the sums already."""
        self.retry_total_tokens += total_tokens
        self.retry_cost_usd += cost_usd

    def attributes(self) -> dict[str, Any]:
        """The sums as a span tells them: what is 0 is left out, and a cost that is not known is not 0."""
        told: dict[str, Any] = {
            semconv.USAGE_INPUT_TOKENS: self.input_tokens,
            semconv.USAGE_OUTPUT_TOKENS: self.output_tokens,
            semconv.USAGE_CACHED_INPUT_TOKENS: self.cached_input_tokens,
            semconv.USAGE_REASONING_TOKENS: self.reasoning_tokens,
            semconv.USAGE_TOTAL_TOKENS: self.total_tokens,
            semconv.USAGE_CALLS: self.calls,
            semconv.USAGE_COST: round(self.cost_usd, _DIGITS),
            semconv.USAGE_MODELS: list(self.models),
            semconv.USAGE_UNPRICED_CALLS: self.unpriced_calls,
            semconv.USAGE_UNPRICED_MODELS: list(self.unpriced_models),
            semconv.USAGE_PRICE_SOURCES: list(self.price_sources),
            semconv.USAGE_RETRY_TOTAL_TOKENS: self.retry_total_tokens,
            semconv.USAGE_RETRY_COST: round(self.retry_cost_usd, _DIGITS),
        }
        return {name: value for name, value in told.items() if value}


def _tally(names: dict[str, int], name: str, times: int) -> None:
    """Counts a name, or takes it back; beyond 32 others it is left out."""
    if name not in names and (times < 0 or len(names) >= _MOST_NAMES):
        return
    names[name] = names.get(name, 0) + times
    if not names[name]:
        del names[name]


def described_source(call: Call) -> str:
    """Where a call's price is from, and as of when."""
    price = call.price
    if price is None:
        return ""
    source = source_name(price.source)
    return source if price.as_of is None else f"{source}, as of {price.as_of}"


def source_name(source: str) -> str:
    """Where a price is from; of a file its name, for where it lies is nobody's business."""
    return Path(source).name
