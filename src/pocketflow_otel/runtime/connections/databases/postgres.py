"""PostgreSQL."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from pocketflow_otel.runtime.connections.databases.database import BATCH_ROWS, Answer, DatabaseError, Mode, Unreachable
from pocketflow_otel.runtime.connections.databases.hints import with_hint
from pocketflow_otel.runtime.connections.databases.parameters import POSTGRES, bound
from pocketflow_otel.runtime.connections.databases.postgres_types import Column, arrow_type, columns_of, told_as_text
from pocketflow_otel.runtime.connections.databases.rows import batch_of, pieces, rows_of
from pocketflow_otel.runtime.connections.databases.writing import Dialect, on_conflict, select, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import psycopg
    import pyarrow as pa

    from pocketflow_otel.runtime.connections.databases.kinds import Kind, KindName

_TYPES: Final[dict[KindName, str]] = {
    "boolean": "boolean",
    "integer": "bigint",
    "unsigned": "numeric(20)",
    "real": "real",
    "double": "double precision",
    "text": "text",
    "binary": "bytea",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamp with zone": "timestamptz",
    "duration": "interval",
    "nested": "jsonb",
    "null": "text",
}


def _type_of(kind: Kind, _key: bool) -> str:
    return f"numeric({kind.precision}, {kind.scale})" if kind.name == "decimal" else _TYPES[kind.name]


class PostgresDatabase:
    """A database of PostgreSQL.

    Args:
        settings: As `psycopg.connect` takes them.
        schema: Where tables are that are named without one; where the database says by default.
    """

    def __init__(self, settings: Mapping[str, Any], schema: str | None = None) -> None:
        self._settings = settings
        self._schema = schema

    @contextmanager
    def session(self, *, writes: bool = False) -> Iterator[PostgresSession]:  # noqa: ARG002 - all sessions may
        """A transaction; see `Database.session`."""
        import psycopg

        try:
            connection = psycopg.connect(**self._settings, cursor_factory=psycopg.RawCursor)
        except psycopg.Error as error:
            raise Unreachable(str(error).strip()) from error
        told_as_text(connection)
        session = PostgresSession(connection)
        connection.execute("SELECT set_config('TimeZone', 'UTC', false)")
        if self._schema:
            path = PostgresSession.dialect.name(self._schema)
            connection.execute("SELECT set_config('search_path', $1, false)", [path])
        # What is set in a transaction goes when it is rolled back.
        connection.commit()
        # Its block commits or rolls back, and closes.
        with connection:
            yield session
            with session.refusals("COMMIT"):
                connection.commit()

    def close(self) -> None:
        """Nothing stays open."""


class PostgresSession:
    """A transaction in PostgreSQL."""

    dialect = Dialect('"', _type_of, on_conflict)

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._cursor = connection.cursor()

    def query(self, sql: str, parameters: Mapping[str, Any]) -> Answer:
        """See `Session.query`."""
        statement, order = bound(sql, parameters, POSTGRES, lambda index: f"${index + 1}")
        values = [_bindable(parameters[name]) for name in order]
        if described := self._described(statement):
            return self._answer(statement, values, described)
        with self.refusals(sql):
            self._cursor.execute(cast("Any", statement), values or None)
        return Answer(iter(()), affected=max(self._cursor.rowcount, 0))

    def read(self, table: str, columns: Sequence[str] | None) -> Answer:
        """See `Session.read`."""
        statement = select(self, table, columns)
        return self._answer(statement, [], self._described(statement))

    def write(
        self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], mode: Mode, keys: Sequence[str]
    ) -> int:
        """See `Session.write`."""
        return write(self, table, schema, batches, mode, keys)

    def cancel(self) -> None:
        """See `Session.cancel`."""
        self._connection.cancel_safe(timeout=5)

    def tables(self) -> list[str]:
        """The tables and views: those of other schemas as ``schema.name``."""
        found = self._connection.execute(
            "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1"
        )
        return [name for (name,) in found]

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        found = self._connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
            " ORDER BY attnum",
            [self.dialect.table(table)],
        )
        return [name for (name,) in found]

    def run(self, sql: str) -> None:
        """Runs a statement of ours."""
        with self.refusals(sql):
            self._connection.execute(cast("Any", sql))

    def insert(self, table: str, batch: pa.RecordBatch, keys: Sequence[str]) -> None:
        """Inserts rows: by COPY, unless some may be there."""
        names = batch.schema.names
        into = f"{self.dialect.table(table)} ({self.dialect.names(names)})"
        rows = (tuple(map(_bindable, row)) for row in rows_of(batch))
        with self.refusals(into):
            if not keys:
                with self._cursor.copy(cast("Any", f"COPY {into} FROM STDIN")) as copy:
                    for row in rows:
                        copy.write_row(row)
                return
            marks = ", ".join(f"${index + 1}" for index in range(len(names)))
            sql = f"INSERT INTO {into} VALUES ({marks}){self.dialect.update(names, keys)}"  # noqa: S608
            self._cursor.executemany(cast("Any", sql), rows)

    @contextmanager
    def refusals(self, sql: str) -> Iterator[None]:
        """Has what the database refuses told by our names."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            message = str(error).strip()
            # After an error nothing can be looked up in the same transaction.
            if not self._connection.closed:
                self._connection.rollback()
                message = with_hint(message, sql, self)
            raise DatabaseError(message) from error

    def _described(self, statement: str) -> list[Column]:
        """The columns that a statement gives; none where it gives no rows.

        To stream what gives none is an error of the driver's, once it has been run. Neither can what is wrong be
        described, nor several statements at once: they say so, or not, when they are run.
        """
        from psycopg.pq import ExecStatus

        connection = self._connection.pgconn
        with self._connection.transaction(force_rollback=True):
            if connection.prepare(b"", statement.encode()).status != ExecStatus.COMMAND_OK:
                return []
            return columns_of(connection.describe_prepared(b""))

    def _answer(self, statement: str, values: list[Any], described: list[Column]) -> Answer:
        rows = self._cursor.stream(cast("Any", statement), values or None, size=BATCH_ROWS)
        with self.refusals(statement):
            first = next(rows, None)
        # Once values are there, what depends on their types is known better.
        columns = columns_of(self._cursor.pgresult) if first and self._cursor.pgresult else described
        names, types = [column.name for column in columns], [arrow_type(column) for column in columns]
        return Answer(self._batches(first, rows, names, types, statement), batch_of(names, types, []).schema)

    def _batches(
        self, first: Any, rows: Iterator[Any], names: list[str], types: list[pa.DataType | None], sql: str
    ) -> Iterator[pa.RecordBatch]:
        from itertools import chain

        with self.refusals(sql):
            for piece in pieces(chain([] if first is None else [first], rows), BATCH_ROWS):
                yield batch_of(names, types, piece)


def _bindable(value: Any) -> Any:
    """A value as psycopg binds it: objects as JSON."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value)):
        from psycopg.types.json import Jsonb

        from pocketflow_otel.runtime.values.cells import json_value

        return Jsonb(json_value(value))
    return value
