"""Calls of models that a program records itself, because it makes them with a client that nothing instruments."""

from __future__ import annotations

import math
from typing import Any, Final

from opentelemetry import context as otel_context

from pocketflow_otel import log
from pocketflow_otel.guard import guard
from pocketflow_otel.late import importing
from pocketflow_otel.llm.opened import opened

_MOST_TOKENS: Final = 2**53


def record_llm_usage(
    *,
    model: str,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cached_input_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
    provider: str | None = None,
    response_id: str | None = None,
    cost_usd: float | None = None,
    duration_seconds: float | None = None,
) -> None:
    """Records a call of a model that was made without a client that is instrumented, such as plain HTTP.

    The call becomes a span ``chat {model}`` where this is called, and counts for the node, flow and budgets there. If
    an instrumentation has seen it as well, it counts twice, unless both know its response id. Never raises: a value
    that makes no sense is logged, and left out. Does nothing where PocketFlow is not instrumented.

    Args:
        model: The model's name, as its vendor spells it.
        input_tokens: All tokens read, cached ones among them.
        output_tokens: All tokens written, those of reasoning among them.
        cached_input_tokens: The part of the input that came from a cache.
        cache_write_tokens: The part of the input that was written to a cache.
        reasoning_tokens: The part of the output that was reasoning.
        provider: Who served it: ``openai``, ``anthropic``, ``gcp.gemini``, ``aws.bedrock`` and so on.
        response_id: The vendor's id of the answer.
        cost_usd: What it cost, where that is known; else the price is looked up.
        duration_seconds: How long it took, until now.
    """
    accounts, scope_key = opened()
    if accounts is None:
        return
    try:
        with importing:
            from pocketflow_otel.llm.usage import Usage

        usage = Usage(
            provider=_text("provider", provider),
            model=_text("model", model),
            input_tokens=_count("input_tokens", input_tokens),
            output_tokens=_count("output_tokens", output_tokens),
            cached_input_tokens=_count("cached_input_tokens", cached_input_tokens),
            cache_write_tokens=_count("cache_write_tokens", cache_write_tokens),
            reasoning_tokens=_count("reasoning_tokens", reasoning_tokens),
            response_id=_text("response_id", response_id),
            cost_usd=_amount("cost_usd", cost_usd),
        )
        context = otel_context.get_current()
        scope: Any = context.get(scope_key)
        accounts.record(scope, context, usage, _amount("duration_seconds", duration_seconds))
    except Exception:  # noqa: BLE001 - the guard decides
        guard.caught("recording a call")


def _count(name: str, value: object) -> int:
    if type(value) is int and 0 <= value <= _MOST_TOKENS:
        return value
    if value is not None:
        _ignore(name, "a whole number of at least 0", value)
    return 0


def _amount(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    _ignore(name, "a number of at least 0", value)
    return None


def _text(name: str, value: object) -> str | None:
    if value is None or (type(value) is str and value):
        return value
    _ignore(name, "a text", value)
    return None


def _ignore(name: str, expected: str, value: object) -> None:
    # Of anything but a number it might be a secret, or code of the program's that says what it is.
    got = repr(value) if type(value) in (int, float, bool) else "nothing" if value == "" else type(value).__name__
    log.warn("record_llm_usage(%s=…) is ignored: expected %s, got %s", name, expected, got)
