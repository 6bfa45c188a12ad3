"""Values of tables as JSON."""

from __future__ import annotations

import base64
import math
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


def json_value(value: Any) -> Any:
    """A cell of a table as a JSON value.

    Decimals become integers or floats where these say exactly the same, else text; dates and times become ISO 8601,
    durations seconds, bytes base64. Numbers that JSON does not have (NaN, infinities) become null.
    """
    if value is None or isinstance(value, str | int):
        return value
    for kind, told in _TOLD.items():
        if isinstance(value, kind):
            return told(value)
    return str(value)


def _decimal(value: Decimal) -> int | float | str | None:
    if not value.is_finite():
        return None
    if value.as_tuple().exponent == 0:
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else str(value)


def _items(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [json_value(item) for item in value]


_TOLD: Final[dict[type, Callable[[Any], Any]]] = {
    float: lambda value: value if math.isfinite(value) else None,
    Decimal: _decimal,
    # A datetime is a date too.
    date: lambda value: value.isoformat(),
    time: lambda value: value.isoformat(),
    timedelta: lambda value: value.total_seconds(),
    bytes: lambda value: base64.b64encode(value).decode(),
    dict: lambda value: {str(key): json_value(item) for key, item in value.items()},
    # A map is a list of pairs.
    list: _items,
    tuple: _items,
}
