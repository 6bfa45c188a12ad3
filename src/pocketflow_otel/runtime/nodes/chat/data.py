"""The JSON in a model's answer, held to its schema."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.nodes.chat.errors import LlmAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.protocols import Validator

_FENCED: Final = re.compile(r"```[A-Za-z0-9]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_MOST_FAULTS: Final = 5
MOST_IN_SCHEMA: Final = 10_000
"""Values in a schema: of more, to check it takes seconds."""
_SHOWN: Final = 200


def data_in(text: str, schema: Mapping[str, Any]) -> Any:
    """The value of an answer: all of it is JSON, or a fenced block in it.

    Raises:
        LlmAnswerError: It is not JSON, or not what the schema says.
    """
    value = _value(text)
    validator = _validator(schema)
    from referencing.exceptions import Unresolvable

    try:
        faults = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.absolute_path)))
    except Unresolvable as error:
        raise ValueError(f"schema: {error.ref!r} is not in it") from None
    if faults:
        told = [f"{_place(fault.absolute_path)}: {fault.message[:_SHOWN]}" for fault in faults[:_MOST_FAULTS]]
        more = f"; and {len(faults) - _MOST_FAULTS} more" if faults[_MOST_FAULTS:] else ""
        raise LlmAnswerError(f"the answer is not what the schema says: {'; '.join(told)}{more}")
    return value


def schema_fault(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a schema itself, or None."""
    from jsonschema.exceptions import SchemaError

    if _is_larger(schema, MOST_IN_SCHEMA):
        return f"it has more than {MOST_IN_SCHEMA:,} values; no model takes such a schema"
    try:
        _validator(schema).check_schema(dict(schema))
    except SchemaError as error:
        place = "".join(f"[{step!r}]" for step in error.absolute_path)
        return f"it is no JSON Schema: {f'at {place}: ' if place else ''}{error.message[:_SHOWN]}"
    return None


def _is_larger(value: Any, most: int) -> bool:
    """Whether there are more values in a value than so many."""
    waiting: list[Any] = [value]
    while waiting and most >= 0:
        most -= 1
        inner = waiting.pop()
        waiting.extend(inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else ())
    return most < 0


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
    for block in _FENCED.findall(text):
        try:
            return json.loads(block)
        except (ValueError, RecursionError) as error:
            reason = str(error) or "nested too deeply"
    shown = " ".join(text[:_SHOWN].split())
    raise LlmAnswerError(f"the answer is not JSON: {reason}; it begins with {shown!r}") from None


def _validator(schema: Mapping[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY

    # With a registry of its own it fetches nothing that a schema refers to.
    return validator_for(schema, default=Draft202012Validator)(schema, registry=REGISTRY)


def _place(path: Any) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".") or "all of it"
