"""Tables: what goes from node to node without being copied, and without filling the memory."""

from __future__ import annotations

import os
import weakref
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pocketflow_otel.runtime.values.cells import json_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

_PREVIEW_ROWS: Final = 10
_PREVIEW_TEXT: Final = 200


class Table:
    """Rows with named, typed columns; they never change. Made by a `TableBuilder`, or by `as_table`.

    It is an Arrow stream (``__arrow_c_stream__``), so that pyarrow, pandas, polars and DuckDB take it as it is. Where
    it is kept in a file, the file goes once nothing refers to the table any more.

    Attributes:
        content_type: Says that this is a table.
        schema: Names and types of the columns.
        rows: How many rows there are.
        nbytes: How large it is, in bytes.
        file: The file that holds it, in the Arrow IPC streaming format; None where it is in memory.
    """

    content_type: ClassVar[Literal["table"]] = "table"
    __slots__ = ("__weakref__", "_batches", "file", "nbytes", "rows", "schema")

    def __init__(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], rows: int, nbytes: int, file: Path | None = None
    ) -> None:
        self.schema = schema
        self.rows = rows
        self.nbytes = nbytes
        self.file = file
        self._batches = tuple(batches)
        if file is not None:
            weakref.finalize(self, file.unlink, missing_ok=True)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.schema.names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in their order, in pieces; as often as one likes."""
        if self.file is None:
            yield from self._batches
        else:
            with _reader(self.file) as reader:
                yield from reader

    def to_arrow(self) -> pa.Table:
        """The whole of it; a file is mapped into memory, not read."""
        import pyarrow as pa

        if self.file is None:
            return pa.Table.from_batches(self._batches, self.schema)
        with pa.memory_map(os.fspath(self.file)) as mapped:
            return pa.ipc.open_stream(mapped).read_all()

    def to_pylist(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The rows as dicts of Python values; the first so many of them."""
        return list(islice(self._python_rows(limit), limit))

    def json_rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The rows as dicts of JSON values, as `json_value` makes them; the first so many of them."""
        return [{name: json_value(cell) for name, cell in row.items()} for row in self.to_pylist(limit)]

    def preview(self) -> dict[str, Any]:
        """What is shown of it, as JSON: ``rows``, ``columns`` and the ``first`` rows, with long texts cut."""
        first = [{name: _cut(cell) for name, cell in row.items()} for row in self.json_rows(_PREVIEW_ROWS)]
        return {"rows": self.rows, "columns": self.columns, "first": first}

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """An Arrow stream of the rows, from the first one on at each call."""
        import pyarrow as pa

        if self.file is not None:
            return _reader(self.file).__arrow_c_stream__(requested_schema)
        return pa.RecordBatchReader.from_batches(self.schema, self._batches).__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"<Table of {self.rows} rows: {', '.join(map(str, self.schema))}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a table can't be pickled: it may be a file of the run")

    def _python_rows(self, limit: int | None) -> Iterator[dict[str, Any]]:
        for batch in self.batches():
            yield from (batch if limit is None else batch.slice(0, limit)).to_pylist()


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _PREVIEW_TEXT:
        return f"{value[:_PREVIEW_TEXT]}…"
    return value


def _reader(file: Path) -> pa.RecordBatchReader:
    """Reads, and does not map: what has gone by takes no memory."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.OSFile(os.fspath(file)))
