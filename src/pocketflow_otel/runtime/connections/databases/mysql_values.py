"""MySQL's types as Arrow's, and values as MySQL's literals."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.values.cells import json_value

if TYPE_CHECKING:
    import pyarrow as pa

_BINARY_CHARACTERS: Final = 63
_UNSIGNED: Final = 32
_LARGEST_DECIMAL128: Final = 38


def arrow_type(field: Any) -> pa.DataType:
    """The type of a result's column, of what the server says of it."""
    import pyarrow as pa
    from pymysql.constants import FIELD_TYPE

    code = field.type_code
    if code in {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}:
        return _decimal(field)
    # BOOLEAN is its word for a TINYINT that is shown with one digit.
    if code == FIELD_TYPE.TINY and field.length == 1:
        return pa.bool_()
    signed, unsigned = pa.int64(), pa.uint64()
    whole = unsigned if field.flags & _UNSIGNED else signed
    known = {
        FIELD_TYPE.TINY: whole,
        FIELD_TYPE.SHORT: whole,
        FIELD_TYPE.INT24: whole,
        FIELD_TYPE.LONG: whole,
        FIELD_TYPE.LONGLONG: whole,
        FIELD_TYPE.YEAR: signed,
        FIELD_TYPE.FLOAT: pa.float64(),
        FIELD_TYPE.DOUBLE: pa.float64(),
        FIELD_TYPE.DATE: pa.date32(),
        FIELD_TYPE.NEWDATE: pa.date32(),
        FIELD_TYPE.TIME: pa.duration("us"),
        FIELD_TYPE.DATETIME: pa.timestamp("us"),
        FIELD_TYPE.TIMESTAMP: pa.timestamp("us", "UTC"),
        FIELD_TYPE.BIT: pa.binary(),
        FIELD_TYPE.GEOMETRY: pa.binary(),
        FIELD_TYPE.JSON: pa.string(),
        FIELD_TYPE.NULL: pa.null(),
    }
    text = pa.binary() if field.charsetnr == _BINARY_CHARACTERS else pa.string()
    return known.get(code, text)


def _decimal(field: Any) -> pa.DataType:
    import pyarrow as pa

    signs = (1 if field.scale else 0) + (0 if field.flags & _UNSIGNED else 1)
    precision = max(field.length - signs, field.scale, 1)
    make = pa.decimal128 if precision <= _LARGEST_DECIMAL128 else pa.decimal256
    return make(precision, field.scale)


def literal(value: Any) -> str:
    """A value as a literal: texts and bytes in hexadecimal, so that nothing in them can end it.

    Raises:
        ValueError: A number that MySQL does not have.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(int(value))
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return f"_utf8mb4 X'{_text(value).encode().hex()}'"


def _number(value: float | Decimal) -> str:
    if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124 - it is not a number
        raise ValueError(f"MySQL has no number {value}")
    if isinstance(value, Decimal):
        return f"{value:f}"
    # Without an exponent it would be a decimal.
    return repr(value) if "e" in repr(value) else f"{value!r}e0"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value)
    if isinstance(value, date | time):
        return str(value)
    if isinstance(value, timedelta):
        return _duration(value)
    return json.dumps(json_value(value), ensure_ascii=False)


def _duration(value: timedelta) -> str:
    microseconds = abs(value) // timedelta(microseconds=1)
    seconds, rest = divmod(microseconds, 1_000_000)
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"
