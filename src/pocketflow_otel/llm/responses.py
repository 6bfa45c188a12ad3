"""Recognises by their shape the responses of LLM clients among what nodes return and store.

Programs whose clients nothing traces often keep the response, or its usage, all the same.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pocketflow_otel.capture.inspection import module_name
from pocketflow_otel.llm.response_counts import counts_in
from pocketflow_otel.llm.response_members import members_of
from pocketflow_otel.llm.response_shapes import INPUTS
from pocketflow_otel.llm.response_shapes import NAMES as COUNT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketflow_otel.llm.response_members import Members
    from pocketflow_otel.llm.usage import Usage

_MOST_ITEMS: Final = 256
_LONGEST_TEXT: Final = 256
_DEEPEST: Final = 2
"""Steps from a value to the usage object in it: a stream's last event holds the response, which holds the usage."""

_HIGHEST_COST: Final = 2**53

_ORDINARY: Final = frozenset({str, int, float, bool, type(None), bytes, bytearray, complex, set, frozenset})
# An item that is a list itself would be a level deeper.
_HOLDING_NONE: Final = _ORDINARY | {list, tuple}

# Where responses keep usage, and what else may hold a response.
_PLACES: Final = (
    "usage",
    "usage_metadata",
    "response_metadata",
    "token_usage",
    "llm_output",
    "meta",
    "amazon-bedrock-invocationMetrics",
)
_WRAPPERS: Final = ("llm_response", "llm_usage", "response", "data", "delta", "metadata")
_ANYWHERE: Final = (*_PLACES, *_WRAPPERS)

# What a response says about itself in members of their own.
_ABOUT: Final = ("response_metadata", "ResponseMetadata")
_MODEL: Final = ("model", "model_version", "model_name", "model_id")
_ID: Final = ("response_id", "id", "generation_id", "RequestId")
# An `id` is a vendor's where one of these stands beside it; otherwise it is as likely the program's.
_BESIDE_ID: Final = frozenset({"choices", "object", "finish_reason", "stop_reason", "meta", "response_metadata"})
_LANGCHAIN_RUN: Final = ("run-", "lc_run-")
_COST: Final = ("cost_usd", "cost")

_NAMES: Final = (
    COUNT_NAMES
    | {name: name for name in (*_ANYWHERE, *_ABOUT, *_MODEL, *_ID, *_BESIDE_ID, *_COST)}
    | {name: name for name in ("model_provider", "traffic_type")}
    | {
        "usageMetadata": "usage_metadata",
        "modelVersion": "model_version",
        "responseId": "response_id",
        "trafficType": "traffic_type",
    }
)

# By the package that a response's class comes from. LiteLLM's responses are anybody's.
_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "groq": "groq",
    "litellm": None,
    "mistralai": "mistral_ai",
    "openai": "openai",
}
# By what LangChain calls them.
_LANGCHAIN_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "groq": "groq",
    "mistralai": "mistral_ai",
    "openai": "openai",
    "xai": "x_ai",
}
# Anthropic's models answer with Anthropic's shape on whosever machines they run: their ids tell whose.
_ID_PROVIDERS: Final = {"msg_bdrk_": "aws.bedrock", "msg_vrtx_": "gcp.vertex_ai"}


class Found(NamedTuple):
    """A usage, and the objects that told of it.

    Attributes:
        usage: What was used.
        identities: The ``id()`` of the response and of its usage object; of the latter alone where nothing else told.
            They tell one call that is met twice, for as long as the program keeps the objects.
        source: The object that the counts stand in. Who keeps it knows it again, whatever the program does.
    """

    usage: Usage
    identities: tuple[int, ...]
    source: Any = None


class _Step(NamedTuple):
    """An object on the way from a value to the usage object in it."""

    value: Any
    members: Members
    name: str | None = None
    """The member of the step before that this one is."""


def usage_of(value: Any) -> Usage | None:
    """The usage that a value reports, where it is the response of an LLM client or a usage object of one.

    Both are told by the names of their members alone, whatever their class: as the clients of OpenAI, Anthropic,
    Google, Mistral, Cohere, Ollama, LiteLLM, LangChain and AWS give them, and as dicts made from those.
    `response_counts.counts_in` says which names suffice.

    Args:
        value: Anything at all. No code of its class is run.

    Returns:
        The usage, or None for any other value.
    """
    found = _find(value, _ANYWHERE)
    return found.usage if found is not None else None


def find_usages(value: Any, most: int = _MOST_ITEMS) -> list[Found]:
    """The usages that a value reports: its own, or else those of its items.

    A list, tuple or dict, but not one of a subclass, is searched one level deep, the last 256 items of it. Of items
    that share a response id the one with the most tokens counts, because a stream's chunks count up. A usage that
    stands beside a response with the same counts is that response's.

    Args:
        value: Anything at all. No code of its class is run.
        most: How many items to look at.

    Returns:
        Each usage once, in the order in which they were met.
    """
    kind = type(value)
    if type(kind) is type and kind in _ORDINARY:
        return []
    if kind is list or kind is tuple:
        return distinct([found for item in _items(value[-most:]) if (found := _find(item, _ANYWHERE)) is not None])
    found = _find(value, _ANYWHERE if kind is not dict else _PLACES)
    if found is not None or kind is not dict:
        return [found] if found is not None else []
    items = _items(list(value.values())[-most:])
    calls = distinct([part for item in items if (part := _find(item, _ANYWHERE)) is not None])
    if len(calls) == 1 and (whole := _find(value, _WRAPPERS)) is not None:
        # Read from the outside, where the model's name may stand.
        return [_joined(whole, calls[0])]
    return calls


def _items(items: list[Any] | tuple[Any, ...]) -> list[Any]:
    # A copy, made in one call in C: another thread may change the program's own meanwhile.
    return [item for item in items if type(type(item)) is not type or type(item) not in _HOLDING_NONE]


def _find(value: Any, places: Sequence[str]) -> Found | None:
    members = members_of(value, _NAMES)
    return _search((_Step(value, members),), places) if members else None


def _search(steps: tuple[_Step, ...], places: Sequence[str]) -> Found | None:
    usage = _read(steps)
    if usage is not None:
        return Found(usage, _identities(steps), steps[-1].value)
    if len(steps) > _DEEPEST:
        return None
    outer = steps[-1].members
    for name in [name for name in places if name in outer]:
        members = members_of(outer[name], _NAMES)
        found = _search((*steps, _Step(outer[name], members, name)), _ANYWHERE) if members else None
        if found is not None:
            return found
    return None


def _identities(steps: tuple[_Step, ...]) -> tuple[int, ...]:
    # A program may fill the same dict with one response after the other, so what only wraps a response is none of it.
    start = max((at for at, step in enumerate(steps) if step.name in _WRAPPERS), default=0)
    return tuple(id(step.value) for step in steps[start:])


def _read(steps: tuple[_Step, ...]) -> Usage | None:
    innermost = steps[-1].members
    if INPUTS.isdisjoint(innermost):
        return None
    told = list(_told(steps))
    model = next((text for members in told for name in _MODEL if (text := _text(members.get(name)))), None)
    usage = counts_in(innermost, names_model=model is not None)
    if usage is None:
        return None
    response_id = next((text for members in told for text in _ids(members)), None)
    return replace(
        usage,
        provider=_provider(steps, told, response_id, usage.provider),
        model=model,
        response_id=response_id,
        cost_usd=next((cost for name in _COST if (cost := _cost(innermost.get(name))) is not None), None),
    )


def _told(steps: tuple[_Step, ...]) -> Iterator[Members]:
    """What may name the model and the response, nearest to the usage first."""
    for step in reversed(steps):
        for name in _ABOUT:
            if name in step.members:
                yield members_of(step.members[name], _NAMES)
        yield step.members


def _ids(members: Members) -> Iterator[str]:
    for name in _ID:
        text = _text(members.get(name))
        if text is not None and (name != "id" or _is_vendors(text, members)):
            yield text


def _is_vendors(response_id: str, beside: Members) -> bool:
    return not (_BESIDE_ID.isdisjoint(beside) or response_id.startswith(_LANGCHAIN_RUN))


def _provider(steps: tuple[_Step, ...], told: list[Members], response_id: str | None, shape: str | None) -> str | None:
    for prefix, provider in _ID_PROVIDERS.items():
        if response_id is not None and response_id.startswith(prefix):
            return provider
    for step in steps:
        package = module_name(type(step.value)).partition(".")[0]
        if package in _PROVIDERS:
            return _PROVIDERS[package]
    named = next((text for members in told if (text := _text(members.get("model_provider")))), None)
    if named in _LANGCHAIN_PROVIDERS:
        return _LANGCHAIN_PROVIDERS[named]
    # Only Vertex AI says what kind of traffic a call was.
    is_vertex = shape == "gcp.gemini" and steps[-1].members.get("traffic_type") is not None
    return "gcp.vertex_ai" if is_vertex else shape


def _text(value: Any) -> str | None:
    return value if type(value) is str and 0 < len(value) <= _LONGEST_TEXT and value.isprintable() else None


def _cost(value: Any) -> float | None:
    is_cost = (type(value) is float and math.isfinite(value)) or (type(value) is int and value <= _HIGHEST_COST)
    return float(value) if is_cost and value >= 0 else None


def distinct(parts: list[Found]) -> list[Found]:
    """The usages of different calls among several: of one response id, or a bare usage beside its response, one."""
    if not parts[1:]:
        return parts
    calls: dict[str | int, Found] = {}
    for part in parts:
        key = part.usage.response_id or next(reversed(part.identities), -len(calls))
        calls[key] = _joined(calls[key], part) if key in calls else part
    # By their counts, the calls of which most is known.
    richest: dict[tuple[int, int], str | int] = {}
    for key, call in sorted(calls.items(), key=lambda item: _known(item[1].usage)):
        richest[_size(call.usage)] = key
    for key, call in list(calls.items()):
        known = calls[richest[_size(call.usage)]]
        if _known(call.usage) < _known(known.usage) and call.usage.model in (None, known.usage.model):
            calls[richest[_size(call.usage)]] = _joined(known, calls.pop(key))
    return list(calls.values())


def _size(usage: Usage) -> tuple[int, int]:
    return usage.input_tokens, usage.output_tokens


def _known(usage: Usage) -> tuple[bool, bool]:
    return usage.response_id is not None, usage.model is not None


def _joined(one: Found, other: Found) -> Found:
    usage, rest = sorted((one.usage, other.usage), key=lambda usage: usage.total_tokens, reverse=True)
    if usage.cost_usd is None:
        usage = replace(usage, cost_usd=rest.cost_usd)
    return Found(usage, tuple(dict.fromkeys((*one.identities, *other.identities))), one.source)
