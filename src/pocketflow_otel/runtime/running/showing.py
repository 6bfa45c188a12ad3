"""How values and errors are shown in records: whole where they are short, else by their kind and size."""

from __future__ import annotations

from typing import Any, Final

from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.values.envelope import content_type

_MOST_ITEMS: Final = 256
_MOST_CHARACTERS: Final = 4096
_DEEPEST: Final = 16


def shown(value: Any) -> Any:
    """A value as a record holds it, as JSON.

    Returns:
        The value itself where it is JSON and short; the preview of a table; else its type and size, as text.
    """
    if content_type(value) == "table":
        return value.preview()
    room = _fits(value, _MOST_CHARACTERS, _DEEPEST)
    return value if room is not None else shape(value)


def _fits(value: Any, room: int, deep: int) -> int | None:
    """The room that is left; None where there is not enough, or what is no JSON."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return room
    if kind is int:
        return room if value.bit_length() <= _MOST_ITEMS else None
    if kind is str:
        return _at_least_0(room - len(value))
    if deep == 0 or len(value) > _MOST_ITEMS if kind in (dict, list) else True:
        return None
    left: int | None = room - 2 * len(value)
    items = value if kind is list else [part for item in value.items() for part in item]
    if kind is dict and not all(type(key) is str for key in value):
        return None
    for item in items:
        left = None if left is None or left < 0 else _fits(item, left, deep - 1)
        if left is None:
            return None
    return left


def _at_least_0(room: int) -> int | None:
    return room if room >= 0 else None


def qualified(error: BaseException) -> str:
    """The name of an error's class, with its module unless that is built in."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
