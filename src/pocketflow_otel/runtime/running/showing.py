"""How values and errors are shown in records: whole where they are short, else by their kind and size."""

from __future__ import annotations

from typing import Any, Final

from pocketflow_otel.capture.seen import LONGEST
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.values.envelope import content_type

_MOST_ITEMS: Final = 256
_MOST_CHARACTERS: Final = 4096
_DEEPEST: Final = 16
_OURS: Final = "pocketflow_otel."
# Secrets are masked before it is cut to what is shown: none that begins there is longer than what is kept.
_MOST_OF_AN_ERROR: Final = 4 * LONGEST


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
    if kind is dict or kind is list:
        return _all_fit(value, room - 2 * len(value), deep - 1) if deep and len(value) <= _MOST_ITEMS else None
    if kind is str:
        left = room - len(value)
    elif kind is int:
        left = room - value.bit_length() // 4
    else:
        left = room if value is None or kind is bool or kind is float else -1
    return left if left >= 0 else None


def _all_fit(value: dict[Any, Any] | list[Any], room: int, deep: int) -> int | None:
    left: int | None = room
    if type(value) is dict:
        if not all(type(key) is str for key in value):
            return None
        items = [part for item in value.items() for part in item]
    else:
        items = list(value)
    for item in items:
        if left is None or left < 0:
            return None
        left = _fits(item, left, deep)
    return left


def said(error: BaseException) -> str:
    """What an error says: the beginning of it where it is very long. Its class may be the user's, and fail at that."""
    try:
        return str(error)[:_MOST_OF_AN_ERROR]
    except BaseException as failing:  # noqa: BLE001 - whatever happens in it
        return f"(what it says can't be told: its __str__ raised {qualified(failing)})"


def qualified(error: BaseException) -> str:
    """The name of an error's class, with its module unless that is built in or ours: where ours stands is no news."""
    kind = type(error)
    is_known = kind.__module__ == "builtins" or kind.__module__.startswith(_OURS)
    return kind.__qualname__ if is_known else f"{kind.__module__}.{kind.__qualname__}"
