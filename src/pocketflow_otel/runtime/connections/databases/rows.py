"""Rows of Python values, as drivers give and take them, and Arrow batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases.database import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

_TRUTHS: Final = {0: False, 1: True}


def batch_of(
    names: Sequence[str], types: Sequence[pa.DataType | None], rows: Sequence[Sequence[Any]]
) -> pa.RecordBatch:
    """Rows as a batch.

    Args:
        names: What the columns are called.
        types: Their types; None for those that the values tell.
        rows: The rows.

    Raises:
        DatabaseError: A value does not fit its column's type.
    """
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays = [_array(name, of, cells) for name, of, cells in zip(names, types, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _array(name: str, of: pa.DataType | None, cells: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    if of is not None and pa.types.is_boolean(of):
        # MySQL tells truths as numbers.
        cells = [_TRUTHS.get(cell, cell) for cell in cells]
    try:
        return pa.array(cells, of)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise DatabaseError(f"column {name!r} holds values of different types ({error}); CAST it in a query") from error


def rows_of(batch: pa.RecordBatch) -> Iterable[tuple[Any, ...]]:
    """The rows of a batch, as tuples of Python values.

    Raises:
        ValueError: A time has more digits than a microsecond.
    """
    columns = [
        _microseconds(name, column).to_pylist() for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return zip(*columns, strict=True) if columns else ()


def pieces(rows: Iterable[Sequence[Any]], size: int) -> Iterator[list[Sequence[Any]]]:
    """Rows, so many at a time."""
    from itertools import islice

    source = iter(rows)
    while piece := list(islice(source, size)):
        yield piece


def _microseconds(name: str, column: pa.Array) -> pa.Array:
    """Times as Python has them."""
    import pyarrow as pa

    of = column.type
    if getattr(of, "unit", None) != "ns":
        return column
    try:
        return column.cast(_in_microseconds(of))
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {name!r} has times with more digits than a microsecond has") from error


def _in_microseconds(of: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_timestamp(of):
        return pa.timestamp("us", of.tz)
    return pa.duration("us") if pa.types.is_duration(of) else pa.time64("us")
