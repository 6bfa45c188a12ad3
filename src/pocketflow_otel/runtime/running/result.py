"""A result as JSON, and as text for people."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.values.envelope import DEEPEST, content_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.secrets import Secrets

# What a result puts around an output.
_ROUND_IT: Final = 16
# Python writes no number of more than 4,300 digits, and reads none.
_MOST_BITS: Final = 14_000


def as_json(result: Result, secrets: Secrets | None = None) -> dict[str, Any]:
    """The result as JSON can hold it; the store is left out.

    Args:
        result: The result.
        secrets: What is masked in it.
    """
    told = {
        "run_id": result.run_id,
        "workflow": result.workflow,
        "status": result.status,
        "started": result.started,
        "seconds": result.seconds,
        "outputs": plain(dict(result.outputs)),
        "error": None if result.error is None else result.error.as_json(),
        "nodes": [plain(record.as_json()) for record in result.nodes],
        "undone": [plain(record.as_json()) for record in result.undone],
        "summary": plain(dataclasses.asdict(result.summary)),
        "problems": list(result.problems),
    }
    return told if secrets is None else secrets.masked(told)


def plain(value: Any, deep: int = DEEPEST + _ROUND_IT) -> Any:
    """A value as JSON can hold it: a table by its first rows, bytes as text where they are, others by type and size.

    Args:
        value: Anything at all. What it is, its type tells; of values that JSON does not have, only tables, paths,
            dataclasses and pydantic's models are asked what they hold.
        deep: How deep it is gone into; what is deeper is told by type and size too.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    for scalar, told in _SCALARS.items():
        if issubclass(kind, scalar):
            return told(value)
    if deep == 0:
        return shape(value)
    if issubclass(kind, dict):
        return {_key(key): plain(item, deep - 1) for key, item in dict.items(value)}
    for sequence in _SEQUENCES:
        if issubclass(kind, sequence):
            return [plain(item, deep - 1) for item in sequence.__iter__(value)]
    return _held(value, kind, deep - 1)


def _integer(value: int) -> int | str:
    number = int.__int__(value)
    return number if number.bit_length() <= _MOST_BITS else hex(number)


def _float(value: float) -> float | str:
    number = float.__float__(value)
    return number if math.isfinite(number) else str(number)


def _text_of(value: bytes | bytearray) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        return shape(value)


# A subclass of these may be the program's, whose own methods are not asked.
_SCALARS: Final[Mapping[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    int: _integer,
    float: _float,
    bytes: _text_of,
    bytearray: _text_of,
}
_SEQUENCES: Final[tuple[Any, ...]] = (list, tuple, set, frozenset)


def _key(key: Any) -> str:
    if issubclass(type(key), str):
        return str.__str__(key)
    try:
        return str(key)
    except Exception:  # noqa: BLE001 - the key's own code, and the result is to be told
        return shape(key)


def _held(value: Any, kind: type, deep: int) -> Any:
    """What a value holds that has methods of its own to tell it."""
    try:
        if issubclass(kind, dt.date | dt.time | PurePath):
            return str(value) if issubclass(kind, PurePath) else value.isoformat()
        if content_type(value) == "table":
            return plain(value.preview(), deep)
        if issubclass(kind, BaseModel):
            return plain(value.model_dump(mode="json"), deep)
        if dataclasses.is_dataclass(kind):
            return {field.name: plain(getattr(value, field.name), deep) for field in dataclasses.fields(kind)}
    except Exception:  # noqa: BLE001 - likewise
        return shape(value)
    return shape(value)
