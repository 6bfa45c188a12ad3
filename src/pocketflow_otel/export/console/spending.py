"""What calls of language models used and cost: read from a span, added up, and in words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.export.console.terminal import DIM, PLAIN
from pocketflow_otel.figures import count, dollars, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pocketflow_otel.export.console.terminal import Line

MAX_KNOWN_MODELS: Final = 100
"""Most models whose names a sum keeps."""

_NUMBERS: Final = {
    "calls": semconv.USAGE_CALLS,
    "total_tokens": semconv.USAGE_TOTAL_TOKENS,
    "input_tokens": semconv.USAGE_INPUT_TOKENS,
    "cached_input_tokens": semconv.USAGE_CACHED_INPUT_TOKENS,
    "output_tokens": semconv.USAGE_OUTPUT_TOKENS,
    "reasoning_tokens": semconv.USAGE_REASONING_TOKENS,
    "cost_usd": semconv.USAGE_COST,
    "unpriced_calls": semconv.USAGE_UNPRICED_CALLS,
    "retry_tokens": semconv.USAGE_RETRY_TOTAL_TOKENS,
    "retry_cost_usd": semconv.USAGE_RETRY_COST,
}
_NAMES: Final = {"models": semconv.USAGE_MODELS, "unpriced_models": semconv.USAGE_UNPRICED_MODELS}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the calls inside one span, or several, used and cost.

    Attributes:
        calls: How many calls there were.
        total_tokens: All tokens read and written.
        input_tokens: Tokens read, cached ones among them.
        cached_input_tokens: The part of the input that came from a cache.
        output_tokens: Tokens written, those of reasoning among them.
        reasoning_tokens: The part of the output that was reasoning.
        cost_usd: What the calls with a known price cost.
        unpriced_calls: How many calls have no known price, and are not in the cost.
        retry_tokens: The part of all tokens that went into attempts that failed.
        retry_cost_usd: The part of the cost that went into attempts that failed.
        models: The models that were called.
        unpriced_models: Those of them with no known price.
    """

    calls: int = 0
    total_tokens: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    retry_tokens: int = 0
    retry_cost_usd: float = 0.0
    models: tuple[str, ...] = ()
    unpriced_models: tuple[str, ...] = ()

    def __add__(self, other: Spending) -> Spending:
        """The sum of two, with each model once."""
        if not other.calls:
            return self
        both: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in (*_NUMBERS, *_NAMES)}
        return Spending(**both | {name: tuple(dict.fromkeys(both[name]))[:MAX_KNOWN_MODELS] for name in _NAMES})

    def __sub__(self, part: Spending) -> Spending:
        """What is left without a part, never less than nothing; with all models, for any may have been called twice."""
        if not part.calls:
            return self
        # Rounded, or what floating-point arithmetic leaves of 0 would count as a cost.
        rest = {name: max(0, round(getattr(self, name) - getattr(part, name), 12)) for name in _NUMBERS}
        return dataclasses.replace(self, **rest)


NOTHING: Final = Spending()


def spending_of(attributes: Mapping[str, Any]) -> Spending:
    """Reads what the calls inside a span used and cost; `NOTHING` where there were none."""
    if semconv.USAGE_CALLS not in attributes:
        return NOTHING
    return Spending(
        **{name: _number(attributes.get(key)) for name, key in _NUMBERS.items()},
        **{name: _names(attributes.get(key)) for name, key in _NAMES.items()},
    )


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) else 0


def _names(value: Any) -> Any:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def cost_of(spending: Spending) -> str:
    """``$0.0042``, ``$0.0042 + ? cost`` where some calls have no known price, ``? cost`` where none has; or empty."""
    known = [dollars(spending.cost_usd)] if spending.cost_usd > 0 else []
    return " + ".join(known + ["? cost"] * (spending.unpriced_calls > 0))


def retries_of(spending: Spending) -> str:
    """``retries $0.0011``, ``retries 300 tok`` where their cost is not known; empty where there were none."""
    if spending.retry_cost_usd > 0:
        return f"retries {dollars(spending.retry_cost_usd)}"
    return f"retries {tokens(spending.retry_tokens)}" if spending.retry_tokens else ""


def directions_of(spending: Spending) -> str:
    """``in 1,100 (cached 400) out 104 (reasoning 60)``, without what is 0."""
    read = _whole("in", spending.input_tokens, "cached", spending.cached_input_tokens)
    written = _whole("out", spending.output_tokens, "reasoning", spending.reasoning_tokens)
    return " ".join(filter(None, (read, written)))


def _whole(name: str, number: int, part_name: str, part: int) -> str:
    if not number:
        return ""
    return f"{name} {number:,}" + (f" ({part_name} {part:,})" if part else "")


def details_of(spending: Spending) -> Iterator[Line]:
    """What a line says of it: tokens, cost, and calls where there were several."""
    if spending.total_tokens:
        yield [(DIM, tokens(spending.total_tokens))]
    cost = cost_of(spending)
    if cost:
        yield [(PLAIN, cost)]
    if spending.calls > 1:
        yield [(DIM, count(spending.calls, "call"))]
