"""PostgreSQL's types as Arrow's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa
    from psycopg.pq.abc import PGresult


_DECIMAL128: Final = 38
_DECIMAL256: Final = 76


class Column(NamedTuple):
    """A column of a result, as the database tells it.

    Attributes:
        name: What it is called.
        oid: Its type.
        modifier: What further is said of its type; below 0 for nothing.
    """

    name: str
    oid: int
    modifier: int


def columns_of(result: PGresult) -> list[Column]:
    """The columns of a result."""
    return [
        Column((result.fname(index) or b"").decode(), result.ftype(index), result.fmod(index))
        for index in range(result.nfields)
    ]


def arrow_type(column: Column) -> pa.DataType | None:
    """The type of a column; None for numerics of no fixed scale, whose values tell it."""
    import psycopg
    import pyarrow as pa

    known = psycopg.postgres.types.get(column.oid)
    if known is None:
        return pa.string()
    is_array = column.oid == known.array_oid
    if known.name == "numeric":
        return None if is_array else _numeric(column.modifier)
    element = _types().get(known.name, pa.string())
    return pa.list_(element) if is_array else element


def told_as_text(connection: psycopg.Connection[Any]) -> None:
    """Has all types that Arrow lacks come as the database writes them: psycopg's own lose months, or are objects."""
    import psycopg
    from psycopg.types.string import TextLoader

    for known in psycopg.postgres.types:
        if known.name not in _types() and known.name != "numeric":
            connection.adapters.register_loader(known.oid, TextLoader)


def _numeric(modifier: int) -> pa.DataType | None:
    """Precision and scale stand in a modifier as in numeric.c: 16 bits, and 11 bits with a sign; 4 more in all."""
    import pyarrow as pa

    if modifier < 0:
        return None
    precision, scale = (modifier - 4) >> 16, (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400
    if precision > _DECIMAL256:
        return None
    return (pa.decimal128 if precision <= _DECIMAL128 else pa.decimal256)(precision, scale)


def _types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    return {
        "bool": pa.bool_(),
        "int2": pa.int16(),
        "int4": pa.int32(),
        "int8": pa.int64(),
        "oid": pa.int64(),
        "float4": pa.float32(),
        "float8": pa.float64(),
        "bytea": pa.binary(),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }
