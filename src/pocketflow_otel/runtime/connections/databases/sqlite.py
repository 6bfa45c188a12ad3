"""SQLite."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases.database import BATCH_ROWS, Answer, DatabaseError, Mode, Unreachable
from pocketflow_otel.runtime.connections.databases.hints import with_hint
from pocketflow_otel.runtime.connections.databases.parameters import SQLITE, bound
from pocketflow_otel.runtime.connections.databases.rows import batch_of, pieces, rows_of
from pocketflow_otel.runtime.connections.databases.writing import Dialect, on_conflict, select, write
from pocketflow_otel.runtime.values.cells import json_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pocketflow_otel.runtime.connections.databases.kinds import Kind, KindName

# SQLite keeps integers, reals, texts and blobs. As texts, decimals would be compared letter by letter.
_TYPES: Final[dict[KindName, str]] = {
    "boolean": "INTEGER",
    "integer": "INTEGER",
    "unsigned": "INTEGER",
    "real": "REAL",
    "double": "REAL",
    "duration": "REAL",
    "decimal": "NUMERIC",
    "binary": "BLOB",
}


def _type_of(kind: Kind, _key: bool) -> str:
    return _TYPES.get(kind.name, "TEXT")


class SqliteDatabase:
    """A file of SQLite.

    Args:
        file: The file; made where it is not there.
        timeout: How long to wait for others that write into it, in seconds.
    """

    def __init__(self, file: Path, timeout: float) -> None:
        self._file = file
        self._timeout = timeout

    @contextmanager
    def session(self, *, writes: bool = False) -> Iterator[SqliteSession]:
        """A transaction; see `Database.session`."""
        try:
            connection = sqlite3.connect(
                self._file, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise Unreachable(f"{self._file} can't be opened: {error}") from error
        # Other files are other connections' business.
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        with closing(connection):
            session = SqliteSession(connection)
            # Who reads first and writes later may find that somebody else has written meanwhile.
            session.run("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                yield session
                session.run("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Nothing stays open."""


class SqliteSession:
    """A transaction in SQLite."""

    dialect = Dialect('"', _type_of, on_conflict)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: Mapping[str, Any]) -> Answer:
        """See `Session.query`."""
        statement, order = bound(sql, parameters, SQLITE, lambda _: "?")
        cursor = self._execute(statement, [_cell(parameters[name]) for name in order])
        if cursor.description is None:
            return Answer(iter(()), affected=max(cursor.rowcount, 0))
        return self._answer(cursor, sql)

    def read(self, table: str, columns: Sequence[str] | None) -> Answer:
        """See `Session.read`."""
        statement = select(self, table, columns)
        return self._answer(self._execute(statement, []), statement)

    def write(
        self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], mode: Mode, keys: Sequence[str]
    ) -> int:
        """See `Session.write`."""
        return write(self, table, schema, batches, mode, keys)

    def cancel(self) -> None:
        """See `Session.cancel`."""
        self._connection.interrupt()

    def tables(self) -> list[str]:
        """The tables and views."""
        found = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        return [name for (name,) in found]

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        # Hidden ones are those of virtual tables; generated ones are shown, but can't be written.
        found = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", [table])
        return [name for (name,) in found]

    def run(self, sql: str) -> None:
        """Runs a statement of ours."""
        self._execute(sql, [])

    def insert(self, table: str, batch: pa.RecordBatch, keys: Sequence[str]) -> None:
        """Inserts rows."""
        names = batch.schema.names
        marks = ", ".join("?" * len(names))
        sql = f"INSERT INTO {self.dialect.table(table)} ({self.dialect.names(names)}) VALUES ({marks})"  # noqa: S608
        rows = ([_cell(cell) for cell in row] for row in rows_of(batch))
        with self._refusals(sql):
            self._connection.executemany(sql + self.dialect.update(names, keys), rows)

    def _answer(self, cursor: sqlite3.Cursor, sql: str) -> Answer:
        names = [column[0] for column in cursor.description]
        return Answer(self._batches(cursor, names, sql), batch_of(names, [None] * len(names), []).schema)

    def _batches(self, cursor: sqlite3.Cursor, names: list[str], sql: str) -> Iterator[pa.RecordBatch]:
        with self._refusals(sql):
            for rows in pieces(cursor, BATCH_ROWS):
                yield batch_of(names, [None] * len(names), rows)

    def _execute(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        with self._refusals(sql):
            return self._connection.execute(sql, values)

    @contextmanager
    def _refusals(self, sql: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError) as error:
            raise DatabaseError(with_hint(str(error), sql, self)) from error


def _number(value: Decimal) -> int | float | None:
    """A decimal as the integer or real that says the same."""
    told = json_value(value)
    if isinstance(told, str):
        raise DatabaseError(f"SQLite has no number {value}, with so many digits: CAST it AS VARCHAR or DOUBLE before")
    number: int | float | None = told
    return number


def _cell(value: Any) -> Any:
    """A value as SQLite keeps it."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, date | time):
        return str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | dict | tuple):
        return json.dumps(json_value(value), ensure_ascii=False)
    return value
