"""``sql.query``: a statement in a database, or over tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from pocketflow_otel.runtime.documents.model import NAME_PATTERN, Part
from pocketflow_otel.runtime.nodes.tables.checking import check_query
from pocketflow_otel.runtime.nodes.tables.outputs import OUTPUT, Fetch, gives, told
from pocketflow_otel.runtime.nodes.tables.watching import cancelling, passing
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.values.building import SPILL_BYTES, as_table, build

if TYPE_CHECKING:
    from pocketflow_otel.runtime.connections.databases.database import Answer, Session
    from pocketflow_otel.runtime.registry.node_types import Context
    from pocketflow_otel.runtime.values.table import Table


class TableOfDatabase(Part):
    """Rows of a database that a query over tables joins with others: ``table``, or ``sql``.

    Attributes:
        connection: The database.
        table: The name of a table in it, or ``schema.name``.
        sql: A query that runs there.
        parameters: Of that query.
    """

    connection: str
    table: str | None = None
    sql: str | None = None
    parameters: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _says_one_source(self) -> Self:
        if (self.table is None) == (self.sql is None):
            raise ValueError("expected either table or sql")
        return self


class SqlQueryConfig(Part):
    """A statement, and where it runs: in the database of ``connection``, or in DuckDB over ``tables``.

    DuckDB then has these tables only: it reaches no file and no network.

    Attributes:
        sql: The statement. Values go into it as ``$name``; it holds no references, but may be one as a whole.
        parameters: The values, by name. They are bound: nothing in them is read as SQL.
        connection: The database that it runs in.
        tables: Tables by the names that the statement has for them: ``${read.table}``, a list of objects, or rows of a
            database, ``{connection: "@postgres.main", table: customers}``.
        fetch: Gives the rows as a list of objects too, ``items``; an error where there are more than so many.
        spill_bytes: From this size on the result is kept in a file of the run.
        memory_bytes: How much memory a query over tables may use; what does not fit goes into files of the run.
        threads: How many threads it may use.
    """

    sql: Annotated[str, Field(min_length=1, examples=["SELECT 6 * 7 AS answer"])]
    parameters: dict[str, Any] = Field(default={})
    connection: str | None = Field(default=None, examples=["@sqlite.shop"])
    tables: dict[Annotated[str, Field(pattern=NAME_PATTERN)], Any] = Field(default={})
    fetch: Fetch | None = None
    spill_bytes: Annotated[int, Field(ge=0)] = SPILL_BYTES
    memory_bytes: Annotated[int, Field(ge=16_000_000)] = 512 * 1024 * 1024
    threads: Annotated[int, Field(ge=1, le=256)] = 4

    @model_validator(mode="after")
    def _runs_in_one_place(self) -> Self:
        if self.connection is not None and self.tables:
            raise ValueError(
                "connection and tables don't go together: a statement runs in the database, or over tables; any of"
                " these may be of a database, {connection: …, table: …}"
            )
        return self


def query(config: SqlQueryConfig, context: Context) -> dict[str, Any]:
    """Runs the statement.

    Raises:
        DatabaseError: The database refuses it.
        UnknownName: A parameter is not there, or too many are.
        TypeError: One of the tables is none.
        MissingPackage: A package is needed for it.
    """
    from pocketflow_otel.runtime.connections.databases.drivers import required

    required("pyarrow", "data")
    required("duckdb", "data")
    return _in_database(config, context) if config.connection else _over_tables(config, context)


def _in_database(config: SqlQueryConfig, context: Context) -> dict[str, Any]:
    with context.connection(str(config.connection)).session() as session:
        given = _run(session, config, context)
    # They are there once the session has ended well.
    if given["changed"]:
        context.count(rows_written=given["changed"])
    return given


def _over_tables(config: SqlQueryConfig, context: Context) -> dict[str, Any]:
    from pocketflow_otel.runtime.connections.databases.duckdb import in_memory

    tables = {name: _table(name, value, config, context) for name, value in config.tables.items()}
    with in_memory(context.working, config.memory_bytes, config.threads) as session:
        for name, table in tables.items():
            session.give(name, table)
        return _run(session, config, context)


def _table(name: str, value: Any, config: SqlQueryConfig, context: Context) -> Table:
    try:
        if isinstance(value, dict) and "connection" in value:
            return _of_database(TableOfDatabase.model_validate(value), config, context)
        return as_table(value, lambda: context.working, config.spill_bytes)
    except (TypeError, ValueError) as error:
        said = "; ".join(each["msg"] for each in error.errors()) if isinstance(error, ValidationError) else error
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"tables.{name}: {said}") from error


def _of_database(source: TableOfDatabase, config: SqlQueryConfig, context: Context) -> Table:
    with context.connection(source.connection).session() as session, cancelling(context, session.cancel):
        answer = session.query(source.sql, source.parameters) if source.sql else session.read(str(source.table), None)
        return _built(answer, config, context)


def _run(session: Session, config: SqlQueryConfig, context: Context) -> dict[str, Any]:
    with cancelling(context, session.cancel):
        answer = session.query(config.sql, config.parameters)
        if answer.schema is None:
            return {"table": None, "rows": 0, "columns": [], "first": None, "changed": answer.affected}
        return told(_built(answer, config, context), config.fetch, changed=None)


def _built(answer: Answer, config: SqlQueryConfig, context: Context) -> Table:
    if answer.schema is None:
        raise ValueError("its statement gives no rows")
    rows = passing(answer.batches, context)
    table = build(answer.schema, rows, lambda: context.working, config.spill_bytes)
    context.count(rows_read=table.rows)
    return table


NODE_TYPE: Final = FunctionType(
    name="sql.query",
    summary="Runs SQL in a database, or over tables.",
    config=SqlQueryConfig,
    call=query,
    check=check_query,
    output=f"{OUTPUT}; changed: how many rows a statement has changed that gives none",
    gives=lambda with_: gives(with_, "changed"),
)
