"""MySQL and MariaDB."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases.database import BATCH_ROWS, Answer, DatabaseError, Mode, Unreachable
from pocketflow_otel.runtime.connections.databases.hints import with_hint
from pocketflow_otel.runtime.connections.databases.mysql_values import arrow_type, literal
from pocketflow_otel.runtime.connections.databases.parameters import MYSQL, bound
from pocketflow_otel.runtime.connections.databases.rows import batch_of, pieces, rows_of
from pocketflow_otel.runtime.connections.databases.writing import Dialect, fill, select, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from pymysql.connections import Connection
    from pymysql.cursors import SSCursor

    from pocketflow_otel.runtime.connections.databases.kinds import Kind, KindName

_TEXT: Final = "LONGTEXT CHARACTER SET utf8mb4"
_TYPES: Final[dict[KindName, str]] = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "unsigned": "BIGINT UNSIGNED",
    # A FLOAT is told with six digits only.
    "real": "DOUBLE",
    "double": "DOUBLE",
    "text": _TEXT,
    "binary": "LONGBLOB",
    "date": "DATE",
    "time": "TIME(6)",
    "timestamp": "DATETIME(6)",
    "timestamp with zone": "TIMESTAMP(6) NULL",
    "duration": "TIME(6)",
    "nested": "JSON",
    "null": _TEXT,
}
# Keys have a longest size; and by default "a" would be the same as "A".
_KEY_TYPES: Final[dict[KindName, str]] = {
    "text": "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "binary": "VARBINARY(255)",
}
_STATEMENT_BYTES: Final = 512 * 1024


def _type_of(kind: Kind, key: bool) -> str:
    if kind.name == "decimal":
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return (_KEY_TYPES.get(kind.name) if key else None) or _TYPES[kind.name]


def _on_duplicate(keys: Sequence[str], others: Sequence[str]) -> str:
    updates = ", ".join(f"{name} = VALUES({name})" for name in others) or f"{keys[0]} = {keys[0]}"
    return f" ON DUPLICATE KEY UPDATE {updates}"


class MysqlDatabase:
    """A database of MySQL or MariaDB.

    Args:
        settings: As `pymysql.connect` takes them.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings

    @contextmanager
    def session(self, *, writes: bool = False) -> Iterator[MysqlSession]:  # noqa: ARG002 - all sessions may
        """A transaction; see `Database.session`."""
        session = MysqlSession(self._connect(), self._connect)
        try:
            yield session
            session.keep()
        except BaseException:
            session.undo()
            raise
        session.close()

    def close(self) -> None:
        """Nothing stays open."""

    def _connect(self) -> Connection[SSCursor]:
        import pymysql
        from pymysql.cursors import SSCursor

        # A server that is not strict cuts values that do not fit, and says nothing.
        strictly = "SET time_zone = '+00:00', sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
        settings: dict[str, Any] = {"charset": "utf8mb4", "init_command": strictly}
        # Until the server has greeted; a server that is none may never do. Statements then take what they take.
        greeting = self._settings.get("connect_timeout", 10)
        try:
            connection = pymysql.connect(**settings, **self._settings, read_timeout=greeting, cursorclass=SSCursor)
        except (pymysql.Error, OSError) as error:
            raise Unreachable(_told(error)) from error
        # There is no other way to take it back.
        connection._read_timeout = None  # type: ignore[attr-defined]  # noqa: SLF001
        return connection


class MysqlSession:
    """A transaction in MySQL; tables are made under another name, for making one ends a transaction."""

    dialect = Dialect("`", _type_of, _on_duplicate)

    def __init__(self, connection: Connection[SSCursor], connect: Any) -> None:
        self._connection = connection
        self._connect = connect
        self._made: str | None = None
        self._thread: int = connection.thread_id()  # type: ignore[no-untyped-call]

    def query(self, sql: str, parameters: Mapping[str, Any]) -> Answer:
        """See `Session.query`."""
        statement, order = bound(sql, parameters, MYSQL, lambda _: "?")
        if not order:
            return self._answer(statement, sql)
        # The driver would put values into the statement; prepared by SQL, the server gets them apart from it.
        values = [f"@pocketflow_{index} = {literal(parameters[name])}" for index, name in enumerate(order)]
        names = [f"@pocketflow_{index}" for index in range(len(order))]
        with self._refusals(sql):
            cursor = self._connection.cursor()
            cursor.execute(f"SET @pocketflow_statement = {literal(statement)}, {', '.join(values)}")
            cursor.execute("PREPARE pocketflow FROM @pocketflow_statement")
        return self._answer(f"EXECUTE pocketflow USING {', '.join(names)}", sql)

    def read(self, table: str, columns: Sequence[str] | None) -> Answer:
        """See `Session.read`."""
        statement = select(self, table, columns)
        return self._answer(statement, statement)

    def write(
        self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], mode: Mode, keys: Sequence[str]
    ) -> int:
        """See `Session.write`."""
        if self.columns(table) and mode != "replace":
            self._check_keys(table, keys)
            return write(self, table, schema, batches, mode, keys)
        if mode == "append":
            return write(self, table, schema, batches, mode, keys)
        return self._make(table, schema, batches, keys)

    def cancel(self) -> None:
        """See `Session.cancel`."""
        with closing(self._connect()) as other:
            other.cursor().execute(f"KILL QUERY {self._thread}")

    def keep(self) -> None:
        """Commits."""
        with self._refusals("COMMIT"):
            self._connection.commit()

    def close(self) -> None:
        """Closes the connection."""
        if self._connection.open:
            self._connection.close()

    def undo(self) -> None:
        """Rolls back by closing, for rows may still be coming, and drops a table that was not finished."""
        self.close()
        if self._made:
            with closing(self._connect()) as other:
                other.cursor().execute(f"DROP TABLE IF EXISTS {self.dialect.table(self._made)}")

    def tables(self) -> list[str]:
        """The tables and views."""
        return [row[0] for row in self._rows("SHOW TABLES")]

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        database, _, name = table.rpartition(".")
        schema = literal(database) if database else "DATABASE()"
        return [
            row[0]
            for row in self._rows(
                "SELECT column_name FROM information_schema.columns"  # noqa: S608 - literals in hexadecimal
                f" WHERE table_schema = {schema} AND table_name = {literal(name)} ORDER BY ordinal_position"
            )
        ]

    def run(self, sql: str) -> None:
        """Runs a statement of ours."""
        with self._refusals(sql):
            self._connection.cursor().execute(sql)

    def insert(self, table: str, batch: pa.RecordBatch, keys: Sequence[str]) -> None:
        """Inserts rows, many with one statement."""
        names = batch.schema.names
        into = f"INSERT INTO {self.dialect.table(table)} ({self.dialect.names(names)}) VALUES "  # noqa: S608
        after = self.dialect.update(names, keys)
        rows: list[str] = []
        size = 0
        for row in rows_of(batch):
            rows.append(f"({', '.join(map(literal, row))})")
            size += len(rows[-1])
            if size > _STATEMENT_BYTES:
                self.run(f"{into}{', '.join(rows)}{after}")
                rows, size = [], 0
        if rows:
            self.run(f"{into}{', '.join(rows)}{after}")

    def _make(self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> int:
        """Makes a table whole, under another name, and lets it take its place at once."""
        import uuid

        self._made = f"{table}_{uuid.uuid4().hex[:12]}"
        new, old, name = (self.dialect.table(one) for one in (self._made, f"{self._made}_old", table))
        self.run(self.dialect.create(self._made, schema, keys))
        rows = fill(self, self._made, batches, keys)
        self.keep()
        if self.columns(table):
            self.run(f"RENAME TABLE {name} TO {old}, {new} TO {name}")
            self.run(f"DROP TABLE {old}")
        else:
            self.run(f"RENAME TABLE {new} TO {name}")
        self._made = None
        return rows

    def _check_keys(self, table: str, keys: Sequence[str]) -> None:
        """MySQL updates by any key that it finds: the one that is meant has to be one."""
        if not keys:
            return
        found: dict[str, set[str]] = {}
        for index in self._rows(f"SHOW INDEX FROM {self.dialect.table(table)} WHERE Non_unique = 0"):
            found.setdefault(index[2], set()).add(index[4])
        if set(keys) not in found.values():
            raise DatabaseError(f"table {table!r} has no primary key or unique index of {', '.join(keys)}")

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.execute(sql)
        return list(cursor.fetchall())

    def _answer(self, statement: str, sql: str) -> Answer:
        cursor = self._connection.cursor()
        with self._refusals(sql):
            cursor.execute(statement)
        fields = _fields(cursor)
        if fields is None:
            return Answer(iter(()), affected=cursor.rowcount)
        names = [field.name for field in fields]
        types = [arrow_type(field) for field in fields]
        return Answer(self._batches(cursor, names, types, sql), batch_of(names, types, []).schema)

    def _batches(
        self, cursor: SSCursor, names: list[str], types: list[pa.DataType], sql: str
    ) -> Iterator[pa.RecordBatch]:
        rows = iter(cursor.fetchone, None)
        with self._refusals(sql):
            for piece in pieces(rows, BATCH_ROWS):
                yield batch_of(names, types, piece)

    @contextmanager
    def _refusals(self, sql: str) -> Iterator[None]:
        import pymysql

        try:
            yield
        except pymysql.Error as error:
            message = _told(error)
            lost = isinstance(error, pymysql.InterfaceError) or not self._connection.open
            raise DatabaseError(message if lost else with_hint(message, sql, self)) from error


def _fields(cursor: SSCursor) -> list[Any] | None:
    """The columns of a result; None where there is none. Flags and character sets stand nowhere else."""
    fields: list[Any] = getattr(vars(cursor)["_result"], "fields", [])
    return fields or None


def _told(error: Exception) -> str:
    """What a driver's error says, without its number."""
    return str(error.args[-1] if error.args else error)
