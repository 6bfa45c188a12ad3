"""What kinds of columns there are, as databases tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

KindName = Literal[
    "null", "boolean", "integer", "unsigned", "real", "double", "decimal", "text", "binary", "date", "time",
    "timestamp", "timestamp with zone", "duration", "nested",
]  # fmt: skip


class Kind(NamedTuple):
    """A kind of column.

    Attributes:
        name: Which.
        precision: Of decimals: how many digits.
        scale: Of decimals: how many of them come after the point.
    """

    name: KindName
    precision: int = 0
    scale: int = 0


def kind(of: pa.DataType) -> Kind:
    """Which kind of column an Arrow type is."""
    from pyarrow import types

    if types.is_decimal(of):
        return Kind("decimal", of.precision, of.scale)
    if types.is_timestamp(of):
        return Kind("timestamp with zone" if of.tz else "timestamp")
    checks = {
        "null": types.is_null,
        "boolean": types.is_boolean,
        "integer": types.is_signed_integer,
        "unsigned": types.is_unsigned_integer,
        "real": lambda one: types.is_float16(one) or types.is_float32(one),
        "double": types.is_float64,
        "text": lambda one: types.is_string(one) or types.is_large_string(one) or types.is_string_view(one),
        "binary": lambda one: types.is_binary(one) or types.is_large_binary(one) or types.is_fixed_size_binary(one),
        "date": types.is_date,
        "time": types.is_time,
        "duration": types.is_duration,
        "nested": types.is_nested,
    }
    for name, check in checks.items():
        if check(of):
            return Kind(name)  # type: ignore[arg-type]
    raise ValueError(f"no database has a type for {of}")
