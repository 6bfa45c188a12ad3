"""``table.write``: a table into a file or a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.files.places import located
from pocketflow_otel.runtime.nodes.tables.checking import check_database
from pocketflow_otel.runtime.nodes.tables.formats import Format, format_of
from pocketflow_otel.runtime.nodes.tables.watching import cancelling, passing
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, list_of, object_of

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.registry.node_types import Context
    from pocketflow_otel.runtime.values.table import Table

_OF_FILES: Final = ("create", "replace")


class TableWriteConfig(Part):
    """What to write, and where: ``path``, ``artifact``, or ``connection`` and ``table``.

    Attributes:
        data: The table: of a node that has one, ``${read.table}``, or a list of objects.
        path: The file; a relative path begins at the document's folder.
        artifact: Instead of a path: a name in the run's folder of artifacts.
        format: What it will hold; by default its name's end tells it: csv, tsv, jsonl, ndjson, parquet, arrow, feather;
            ``.gz`` may follow those of texts.
        delimiter: Of CSV: what stands between values; a comma by default, a tab in .tsv.
        header: Of CSV: whether the first line has the columns' names.
        compression: Of Parquet.
        parents: Whether folders that are missing are made.
        connection: A database.
        table: The name of the table in it, or ``schema.name``.
        mode: ``create``: an error where it is there; ``replace``: anew, with the columns of the data; ``append``: to a
            table that is there; ``upsert``: rows whose keys are there replace those, others are appended. By default
            a file is replaced, and a table created.
        keys: For ``upsert``: the columns that tell rows apart; the table needs a primary key or a unique index of them.
    """

    data: Any = Field(examples=[[{"city": "Oslo", "trips": 3}]])
    path: str | None = Field(default=None, examples=["totals.parquet"])
    artifact: str | None = None
    format: Format | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    header: bool = True
    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    parents: bool = False
    connection: str | None = Field(default=None, examples=["@postgres.warehouse"])
    table: str | None = None
    mode: Literal["create", "append", "replace", "upsert"] | None = None
    keys: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _says_one_place(self) -> Self:
        if sum(place is not None for place in (self.path, self.artifact, self.connection)) != 1:
            raise ValueError("expected one of path, artifact, and connection with table")
        if (self.connection is None) != (self.table is None):
            raise ValueError("connection and table go together")
        if self.connection is None and self.mode not in {None, *_OF_FILES}:
            raise ValueError(f"a file is written with mode {' or '.join(_OF_FILES)}, not {self.mode}")
        if (self.mode == "upsert") != bool(self.keys):
            raise ValueError("mode upsert and keys go together")
        return self


def write(config: TableWriteConfig, context: Context) -> dict[str, Any]:
    """Writes the table. Where it fails, the file or the table is as it was.

    Raises:
        OSError: The file can't be written.
        UnknownName: The database's table or a column of it is not there.
        DatabaseError: The database refuses it.
        ValueError: A value can't be written in this format.
        TypeError: The data is no table.
        MissingPackage: A package is needed for it.
    """
    from pocketflow_otel.runtime.connections.databases.drivers import required

    required("pyarrow", "data")
    from pocketflow_otel.runtime.values.building import as_table

    table = as_table(config.data, lambda: context.working)
    if not table.columns:
        raise ValueError("data: there are no columns to be written")
    given = _into_database(table, config, context) if config.connection else _into_file(table, config, context)
    context.count(rows_written=table.rows)
    return {"rows": table.rows, "columns": table.columns, **given}


def _into_database(table: Table, config: TableWriteConfig, context: Context) -> dict[str, Any]:
    database = context.connection(str(config.connection))
    with database.session(writes=True) as session, cancelling(context, session.cancel):
        rows = passing(table.batches(), context, table.rows)
        session.write(str(config.table), table.schema, rows, config.mode or "create", config.keys)
    return {"table": config.table}


def _into_file(table: Table, config: TableWriteConfig, context: Context) -> dict[str, Any]:
    from pocketflow_otel.runtime.nodes.tables.file_writing import Rows, Writing, write_file

    path = _place(config, context)
    how = Writing(format_of(path, config.format), config.delimiter, config.header, config.compression)
    rows = Rows(table.schema, passing(table.batches(), context, table.rows))
    replace = config.mode != "create"
    size = write_file(path, rows, how, replace=replace, parents=config.parents)
    context.count(bytes_written=size)
    return {"path": str(path), "bytes": size}


def _place(config: TableWriteConfig, context: Context) -> Path:
    if config.artifact is not None:
        return located(config.artifact, context.artifacts)
    return located(str(config.path), context.base)


NODE_TYPE: Final = FunctionType(
    name="table.write",
    summary="Writes a table into a file, whole or not at all, or into a database, in one transaction.",
    config=TableWriteConfig,
    call=write,
    check=check_database,
    output="rows (how many), columns; path and bytes of a file; table of a database",
    gives=object_of("table", rows=SINGLE, columns=list_of(SINGLE), path=SINGLE, bytes=SINGLE),
)
