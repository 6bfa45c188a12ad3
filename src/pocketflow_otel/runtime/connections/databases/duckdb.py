"""DuckDB: files of its own, and tables that are given to it."""

from __future__ import annotations

import threading
import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases.database import BATCH_ROWS, Answer, DatabaseError, Mode, Unreachable
from pocketflow_otel.runtime.connections.databases.parameters import DUCKDB, bound
from pocketflow_otel.runtime.connections.databases.writing import Dialect, on_conflict, select, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from pocketflow_otel.runtime.connections.databases.kinds import Kind, KindName

_TYPES: Final[dict[KindName, str]] = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "unsigned": "UBIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "text": "VARCHAR",
    "binary": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamp with zone": "TIMESTAMPTZ",
    "duration": "INTERVAL",
    "nested": "JSON",
    "null": "VARCHAR",
}
_BATCH: Final = "pocketflow_batch"
MEMORY_BYTES: Final = 512 * 1024 * 1024
THREADS: Final = 4


def _type_of(kind: Kind, _key: bool) -> str:
    if kind.name == "decimal":
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return _TYPES[kind.name]


class DuckdbDatabase:
    """A file of DuckDB, or one in memory.

    Args:
        path: The file; made where it is not there. ``:memory:`` for none.
        settings: DuckDB's own, by name.
        read_only: Whether nothing may be written.
        files: Whether statements reach other files.
    """

    def __init__(self, path: str, settings: Mapping[str, Any], *, read_only: bool = False, files: bool = False) -> None:
        self._path = path
        self._settings = dict(settings)
        self._read_only = read_only
        self._files = files
        self._root: DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    @contextmanager
    def session(self, *, writes: bool = False) -> Iterator[DuckdbSession]:  # noqa: ARG002 - all sessions may
        """A transaction; see `Database.session`."""
        with closing(self._open().cursor()) as connection:
            session = DuckdbSession(connection)
            session.run("BEGIN")
            try:
                yield session
                session.run("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._root is not None:
                self._root.close()
            self._root = None

    def _open(self) -> DuckDBPyConnection:
        import duckdb

        with self._lock:
            if self._root is None:
                try:
                    self._root = duckdb.connect(self._path, read_only=self._read_only, config=self._settings)
                except duckdb.Error as error:
                    raise Unreachable(str(error)) from error
                # Its own file it may still use; other files are other connections' business.
                if not self._files:
                    self._root.execute("SET enable_external_access = false")
                self._root.execute("SET GLOBAL TimeZone = 'UTC'")
            return self._root


@contextmanager
def in_memory(
    working: Path, memory_bytes: int = MEMORY_BYTES, threads: int = THREADS, *, files: bool = False
) -> Iterator[DuckdbSession]:
    """A DuckDB for tables that it is given: it reaches no file and no network.

    Args:
        working: Where it may put what does not fit into memory.
        memory_bytes: How much of that it may use.
        threads: How many threads it may use.
        files: Whether it reaches files, for statements of ours.
    """
    settings = {
        "memory_limit": f"{memory_bytes}B",
        "threads": threads,
        "temp_directory": str(working / f"duckdb-{uuid.uuid4().hex}"),
    }
    database = DuckdbDatabase(":memory:", settings, files=files)
    try:
        with database.session() as session:
            yield session
    finally:
        database.close()


class DuckdbSession:
    """A transaction in DuckDB."""

    dialect = Dialect('"', _type_of, on_conflict)

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def give(self, name: str, table: object) -> None:
        """Gives it a table: anything that is an Arrow stream."""
        self._connection.register(name, table)

    def query(self, sql: str, parameters: Mapping[str, Any]) -> Answer:
        """See `Session.query`."""
        bound(sql, parameters, DUCKDB, lambda _: "?")
        return self._answer(sql, dict(parameters))

    def read(self, table: str, columns: Sequence[str] | None) -> Answer:
        """See `Session.read`."""
        return self._answer(select(self, table, columns), {})

    def write(
        self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], mode: Mode, keys: Sequence[str]
    ) -> int:
        """See `Session.write`."""
        return write(self, table, schema, batches, mode, keys)

    def cancel(self) -> None:
        """See `Session.cancel`."""
        self._connection.interrupt()

    def tables(self) -> list[str]:
        """The tables and views: those of other schemas as ``schema.name``."""
        found = self._connection.execute(
            "SELECT CASE table_schema WHEN current_schema() THEN table_name ELSE table_schema || '.' || table_name END"
            " FROM information_schema.tables WHERE table_catalog = current_database() ORDER BY 1"
        )
        return [name for (name,) in found.fetchall()]

    def columns(self, table: str) -> list[str]:
        """The columns of a table."""
        schema, _, name = table.rpartition(".")
        found = self._connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_catalog = current_database()"
            " AND table_schema = coalesce(?, current_schema()) AND table_name = ? ORDER BY ordinal_position",
            [schema or None, name],
        )
        return [name for (name,) in found.fetchall()]

    def run(self, sql: str) -> None:
        """Runs a statement of ours."""
        with _refusals():
            self._connection.execute(sql)

    def insert(self, table: str, batch: pa.RecordBatch, keys: Sequence[str]) -> None:
        """Inserts rows."""
        import pyarrow as pa

        names = self.dialect.names(batch.schema.names)
        # A statement may change a row once: of those with the same keys the last one counts.
        ordered = f"SELECT {names}, row_number() OVER () AS pocketflow_order FROM {_BATCH}"  # noqa: S608 - quoted names
        last = f"row_number() OVER (PARTITION BY {self.dialect.names(keys)} ORDER BY pocketflow_order DESC) = 1"
        rows = f"SELECT {names} FROM ({ordered}) QUALIFY {last}" if keys else f"SELECT {names} FROM {_BATCH}"  # noqa: S608
        into = f"INSERT INTO {self.dialect.table(table)} ({names}) {rows}"
        self._connection.register(_BATCH, pa.Table.from_batches([batch]))
        try:
            self.run(into + self.dialect.update(batch.schema.names, keys))
        finally:
            self._connection.unregister(_BATCH)

    def _answer(self, sql: str, parameters: dict[str, Any]) -> Answer:
        with _refusals():
            kinds = _kinds(self._connection, sql)
            result = self._connection.execute(sql, parameters or None)
            names = [column[0] for column in result.description or ()]
            # What changes rows says how many, as its only row, unless it returns them.
            if "CHANGED_ROWS" in kinds and names == ["Count"]:
                (changed,) = result.fetchone() or (0,)
                return Answer(iter(()), affected=changed)
            if "QUERY_RESULT" not in kinds or not names:
                return Answer(iter(()), affected=0)
            reader = result.to_arrow_reader(BATCH_ROWS)
        return Answer(_batches(reader), reader.schema)


def _kinds(connection: DuckDBPyConnection, sql: str) -> set[str]:
    """What the last statement may give."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise DatabaseError("the query is empty")
    return {kind.name for kind in statements[-1].expected_result_type}


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with _refusals():
        yield from reader


def _roll_back(connection: DuckDBPyConnection) -> None:
    import duckdb

    try:
        connection.execute("ROLLBACK")
    except duckdb.TransactionException:
        # It is none any more: what failed has ended it.
        return


@contextmanager
def _refusals() -> Iterator[None]:
    import duckdb

    # While rows are read, Arrow tells of DuckDB's errors as its own.
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise DatabaseError(str(error).strip()) from error
