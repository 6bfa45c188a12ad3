"""``table.read``: the table that a file or a database has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, model_validator

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.files.places import located, opened
from pocketflow_otel.runtime.nodes.tables.checking import check_database
from pocketflow_otel.runtime.nodes.tables.formats import Format, format_of
from pocketflow_otel.runtime.nodes.tables.outputs import OUTPUT, Fetch, gives, told
from pocketflow_otel.runtime.nodes.tables.watching import cancelling, passing
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.values.building import SPILL_BYTES, TableBuilder, build

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.registry.node_types import Context
    from pocketflow_otel.runtime.values.table import Table


class TableReadConfig(Part):
    """Which table to read: ``path``, or ``connection`` and ``table``.

    Attributes:
        path: The file, or a list of files with the same columns; relative paths begin at the document's folder.
        format: What it holds; by default its name's end tells it: csv, tsv, jsonl, ndjson, parquet, arrow, feather;
            ``.gz`` may follow those of texts.
        delimiter: Of CSV: what stands between values; found out by default.
        header: Of CSV: whether the first line has the columns' names.
        nulls: Of CSV: the words that mean null.
        quoted_nulls: Of CSV: whether they mean it in quotes, too; without it a quoted empty text is an empty text.
        types: Of CSV and JSON lines: types of columns, as DuckDB calls them, where they are not to be found out from
            the values.
        connection: A database.
        table: The name of a table in it, or ``schema.name``.
        columns: The columns to read; all by default.
        fetch: Gives the rows as a list of objects too, ``items``; an error where there are more than so many.
        spill_bytes: From this size on the table is kept in a file of the run.
    """

    path: str | Annotated[list[str], Field(min_length=1)] | None = Field(default=None, examples=["orders.csv"])
    format: Format | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=4)] | None = None
    header: bool = True
    nulls: list[str] = Field(default=[""])
    quoted_nulls: bool = True
    types: dict[str, str] = Field(default={}, examples=[{"zip": "VARCHAR"}])
    connection: str | None = Field(default=None, examples=["@sqlite.shop"])
    table: str | None = None
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    fetch: Fetch | None = None
    spill_bytes: Annotated[int, Field(ge=0)] = SPILL_BYTES

    @model_validator(mode="after")
    def _says_one_source(self) -> Self:
        if (self.path is None) == (self.connection is None):
            raise ValueError("expected either path, or connection and table")
        if (self.connection is None) != (self.table is None):
            raise ValueError("connection and table go together")
        return self


def read(config: TableReadConfig, context: Context) -> dict[str, Any]:
    """Reads the table.

    Raises:
        OSError: The file can't be read.
        UnknownName: The table or a column is not there.
        DatabaseError: The database refuses it, or the file does not hold such a table.
        MissingPackage: A package is needed for it.
    """
    from pocketflow_otel.runtime.connections.databases.drivers import required

    required("pyarrow", "data")
    required("duckdb", "data")
    table = _of_database(config, context) if config.connection else _of_files(config, context)
    context.count(rows_read=table.rows)
    return told(table, config.fetch)


def _of_database(config: TableReadConfig, context: Context) -> Table:
    with context.connection(str(config.connection)).session() as session, cancelling(context, session.cancel):
        answer = session.read(str(config.table), config.columns)
        return build(answer.schema, passing(answer.batches, context), lambda: context.working, config.spill_bytes)


def _of_files(config: TableReadConfig, context: Context) -> Table:
    from pocketflow_otel.runtime.nodes.tables.file_reading import ALL_ROWS, SAMPLE_ROWS, WrongGuess

    given = [config.path] if isinstance(config.path, str) else config.path or []
    paths = [located(path, context.base) for path in given]
    for path in paths:
        with opened(path) as file:
            context.count(bytes_read=file.seek(0, os.SEEK_END))
    try:
        return _once(paths, config, context, SAMPLE_ROWS)
    except WrongGuess:
        return _once(paths, config, context, ALL_ROWS)


def _once(paths: list[Path], config: TableReadConfig, context: Context, sample: int) -> Table:
    from pocketflow_otel.runtime.connections.databases.duckdb import in_memory
    from pocketflow_otel.runtime.nodes.tables.file_reading import Reading, reading

    with (
        in_memory(context.working, files=True) as session,
        cancelling(context, session.cancel),
        TableBuilder(lambda: context.working, config.spill_bytes) as builder,
    ):
        for path in paths:
            how = Reading(
                format=format_of(path, config.format),
                columns=config.columns,
                types=config.types,
                delimiter=config.delimiter,
                header=config.header,
                nulls=config.nulls,
                quoted_nulls=config.quoted_nulls,
                sample=sample,
            )
            with reading(path, how, session) as answer:
                builder.expect(answer.schema)
                for batch in passing(answer.batches, context):
                    builder.add(batch)
        return builder.finish()


NODE_TYPE: Final = FunctionType(
    name="table.read",
    summary="Reads a table: CSV, JSON lines, Parquet, Arrow, or one of a database.",
    config=TableReadConfig,
    call=read,
    check=check_database,
    output=OUTPUT,
    gives=gives,
)
