"""How rows get into a table, in any database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pocketflow_otel.runtime.connections.databases.database import DatabaseError, Mode, UnknownName
from pocketflow_otel.runtime.connections.databases.kinds import Kind, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa


@dataclass(frozen=True)
class Dialect:
    """How a database writes things.

    Attributes:
        quote: What stands around names.
        type_of: Its type for a kind of column; the second argument says whether the column is a key.
        conflict: What follows an INSERT that updates rows that are there, by keys and other columns, all quoted.
    """

    quote: str
    type_of: Callable[[Kind, bool], str]
    conflict: Callable[[Sequence[str], Sequence[str]], str]

    def name(self, name: str) -> str:
        """A name, quoted."""
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"

    def table(self, table: str) -> str:
        """A table's name, or ``schema.name``, quoted."""
        return ".".join(map(self.name, table.split(".", 1)))

    def names(self, names: Iterable[str]) -> str:
        """A list of names, quoted."""
        return ", ".join(map(self.name, names))

    def create(self, table: str, schema: pa.Schema, keys: Sequence[str]) -> str:
        """The statement that makes a table."""
        columns = [f"{self.name(field.name)} {self.type_of(kind(field.type), field.name in keys)}" for field in schema]
        if keys:
            columns.append(f"PRIMARY KEY ({self.names(keys)})")
        return f"CREATE TABLE {self.table(table)} ({', '.join(columns)})"

    def update(self, names: Sequence[str], keys: Sequence[str]) -> str:
        """What follows an INSERT for rows whose keys may be there; nothing where there are no keys."""
        if not keys:
            return ""
        others = [name for name in names if name not in keys]
        return self.conflict([self.name(key) for key in keys], [self.name(name) for name in others])


class Target(Protocol):
    """A session, as writing sees it."""

    dialect: Dialect

    def tables(self) -> list[str]:
        """The tables there are."""

    def columns(self, table: str) -> list[str]:
        """The columns of a table; none where it is not there."""

    def run(self, sql: str) -> None:
        """Runs a statement of ours."""

    def insert(self, table: str, batch: pa.RecordBatch, keys: Sequence[str]) -> None:
        """Inserts rows; with keys, rows that are there are updated."""


def write(
    target: Target, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], mode: Mode, keys: Sequence[str]
) -> int:
    """As `Session.write`."""
    there = target.columns(table)
    _check(target, table, schema, mode, keys, there)
    if mode == "replace" and there:
        target.run(f"DROP TABLE {target.dialect.table(table)}")
    if mode == "replace" or not there:
        target.run(target.dialect.create(table, schema, keys))
    return fill(target, table, batches, keys)


def fill(target: Target, table: str, batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> int:
    """Inserts batches; how many rows."""
    rows = 0
    for batch in batches:
        if batch.num_rows:
            target.insert(table, batch, keys)
            rows += batch.num_rows
    return rows


def _check(
    target: Target, table: str, schema: pa.Schema, mode: Mode, keys: Sequence[str], there: Sequence[str]
) -> None:
    for key in keys:
        if key not in schema.names:
            raise UnknownName(f"the key {key!r} is no column of what is to be written", key, schema.names)
    if mode == "create" and there:
        raise DatabaseError(f"table {table!r} is there already; mode: append, replace or upsert writes into it")
    if mode == "append" and not there:
        raise UnknownName(f"there is no table {table!r}", table, target.tables())
    if mode in {"append", "upsert"} and there:
        for name in schema.names:
            if name not in there:
                raise UnknownName(f"table {table!r} has no column {name!r}", name, there)


def checked_columns(target: Target, table: str, columns: Sequence[str] | None) -> list[str]:
    """The columns to read of a table.

    Raises:
        UnknownName: The table or a column is not there.
    """
    there = target.columns(table)
    if not there:
        raise UnknownName(f"there is no table {table!r}", table, target.tables())
    for name in columns or ():
        if name not in there:
            raise UnknownName(f"table {table!r} has no column {name!r}", name, there)
    return list(columns or there)


def select(target: Target, table: str, columns: Sequence[str] | None) -> str:
    """The statement that reads a table; errors as of `checked_columns`."""
    names = checked_columns(target, table, columns)
    return f"SELECT {target.dialect.names(names)} FROM {target.dialect.table(table)}"  # noqa: S608 - names are quoted


def on_conflict(keys: Sequence[str], others: Sequence[str]) -> str:
    """What SQLite, PostgreSQL and DuckDB say of rows that are there."""
    updates = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f" ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {updates}' if others else 'NOTHING'}"
