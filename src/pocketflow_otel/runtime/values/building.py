"""How tables are made, piece by piece."""

from __future__ import annotations

import os
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    import pyarrow as pa

SPILL_BYTES: Final = 64 * 1024 * 1024
"""From this size on a table is kept in a file."""


class TableBuilder:
    """Makes a table of batches as they come, and puts them into a file once they are large.

    A batch whose columns have other types than those before widens the table's: nulls become anything, integers
    become floats, decimals get more digits. To be used with ``with``: what was begun and not finished is removed.

    Args:
        folder: Gives the folder for files.
        spill_bytes: From which size on a file is used.
        schema: The columns, where they are known; needed where no batch may come.
    """

    def __init__(
        self, folder: Callable[[], Path], spill_bytes: int = SPILL_BYTES, schema: pa.Schema | None = None
    ) -> None:
        self._folder = folder
        self._spill_bytes = spill_bytes
        self._schema = None if schema is None else _plain_schema(schema)
        self._kept: list[pa.RecordBatch] = []
        self._files: list[_File] = []
        self._rows = self._nbytes = 0
        self._mixed = False

    def add(self, batch: pa.RecordBatch) -> None:
        """Appends rows.

        Raises:
            ValueError: Two columns have the same name, or types that don't go together with those before.
            OSError: The file can't be written.
        """
        plain = _plain(batch)
        if self._schema is not None and set(plain.schema.names) == set(self._schema.names):
            plain = plain.select(self._schema.names)
        if self._schema is None:
            self._schema = _plain_schema(plain.schema)
        elif plain.schema != self._schema:
            self._schema, self._mixed = _widened(self._schema, plain.schema), True
        if not plain.num_rows:
            return
        self._rows += plain.num_rows
        self._nbytes += plain.nbytes
        if self._files:
            self._write(plain)
            return
        self._kept.append(plain)
        if self._nbytes > self._spill_bytes:
            for kept in self._kept:
                self._write(kept)
            self._kept = []

    def expect(self, schema: pa.Schema) -> None:
        """Tells the columns of what comes next, for there may be no rows.

        Raises:
            ValueError: As of `add`.
        """
        import pyarrow as pa

        self.add(pa.RecordBatch.from_pylist([], schema=schema))

    def finish(self) -> Table:
        """The table.

        Raises:
            ValueError: A value does not fit into its column's widened type, or nothing is known of the columns.
            OSError: The file can't be written.
        """
        if self._schema is None:
            raise ValueError("a table needs columns")
        if self._mixed:
            return self._unified(self._schema)
        if not self._files:
            return Table(self._schema, self._kept, self._rows, self._nbytes)
        (file,) = self._files
        file.close()
        self._files = []
        return Table(self._schema, (), self._rows, self._nbytes, file.path)

    def _unified(self, schema: pa.Schema) -> Table:
        with TableBuilder(self._folder, self._spill_bytes, schema) as builder:
            for batch in self._added():
                builder.add(_fitted(batch, schema))
            return builder.finish()

    def _added(self) -> Iterator[pa.RecordBatch]:
        return chain(self._kept, *(file.read() for file in self._files))

    def _write(self, batch: pa.RecordBatch) -> None:
        if not self._files or self._files[-1].schema != batch.schema:
            self._files.append(_File(self._folder(), batch.schema))
        self._files[-1].write(batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in self._files:
            file.remove()
        self._files = []


class _File:
    """A file of batches that all have the same columns."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        import pyarrow as pa

        self.schema = schema
        descriptor, name = tempfile.mkstemp(prefix="table-", suffix=".arrows", dir=folder)
        os.close(descriptor)
        self.path = Path(name)
        self._sink = pa.OSFile(name, "wb")
        self._writer = pa.ipc.new_stream(self._sink, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        if self._sink.closed:
            return
        try:
            self._writer.close()
        finally:
            self._sink.close()

    def read(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        self.close()
        with pa.OSFile(os.fspath(self.path)) as file, pa.ipc.open_stream(file) as reader:
            yield from reader

    def remove(self) -> None:
        try:
            self.close()
        finally:
            self.path.unlink(missing_ok=True)


def as_table(value: Any, folder: Callable[[], Path], spill_bytes: int = SPILL_BYTES) -> Table:
    """A value as a table: a table, an Arrow stream (pyarrow, pandas, polars), or a list of objects.

    Args:
        value: The value.
        folder: Gives the folder for a file, if one is needed.
        spill_bytes: From which size on one is used.

    Raises:
        TypeError: It is none of them.
        ValueError: Objects in the list have values of different types under one name.
    """
    if isinstance(value, Table):
        return value
    import pyarrow as pa

    if hasattr(value, "__arrow_c_stream__"):
        with pa.RecordBatchReader.from_stream(value) as reader:
            return build(reader.schema, reader, folder, spill_bytes)
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        batch = _of_objects(value)
        return build(batch.schema, [batch], folder, spill_bytes)
    held = [key for key, item in value.items() if isinstance(item, Table)] if isinstance(value, dict) else []
    hint = f"; it holds one as {held[0]!r}: refer to that" if held else ""
    raise TypeError(f"a table was expected, or a list of objects, not {_kind(value)}{hint}")


def build(
    schema: pa.Schema | None, batches: Iterable[pa.RecordBatch], folder: Callable[[], Path], spill_bytes: int
) -> Table:
    """A table of batches; errors as of `TableBuilder`."""
    with TableBuilder(folder, spill_bytes, schema) as builder:
        for batch in batches:
            builder.add(batch)
        return builder.finish()


def _of_objects(rows: list[Mapping[str, Any]]) -> pa.RecordBatch:
    import pyarrow as pa

    # As the rows come, and not only as the first one has them.
    names = dict.fromkeys(name for row in rows for name in row)
    arrays = {}
    for name in names:
        try:
            arrays[str(name)] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, OverflowError) as error:
            raise ValueError(f"column {name!r} can't be made of these values: {error}") from error
    return pa.RecordBatch.from_pydict(arrays)


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "a list with something else in it"
    return f"a value of type {type(value).__name__}"


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without dictionaries, which may differ from one batch to the next, and without metadata."""
    schema = _plain_schema(batch.schema)
    return batch if batch.schema.equals(schema, check_metadata=True) else batch.cast(schema)


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise ValueError(f"two columns are called {twice[0]!r}: give one of them another name, in SQL with AS")
    return pa.schema(
        (field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type) for field in schema
    )


def _widened(before: pa.Schema, added: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    if before.names != added.names:
        raise ValueError(f"columns {', '.join(added.names)} follow on {', '.join(before.names)}")
    try:
        return pa.unify_schemas([before, added], promote_options="permissive")
    except pa.ArrowException as error:
        name, one, other = next(
            (name, one, other)
            for name, one, other in zip(before.names, before.types, added.types, strict=True)
            if one != other and not _go_together(one, other)
        )
        raise ValueError(f"column {name!r} holds both {one} and {other}: make it one type, in SQL with CAST") from error


def _go_together(one: pa.DataType, other: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.unify_schemas([pa.schema([("", one)]), pa.schema([("", other)])], promote_options="permissive")
    except pa.ArrowException:
        return False
    return True


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    try:
        return batch.cast(schema)
    except pa.ArrowException as error:
        raise ValueError(f"a value does not fit into the type of its column: {error}") from error
