"""What a database is to the nodes that use one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

BATCH_ROWS: Final = 10_000
"""How many rows are fetched at once."""
_SHOWN: Final = 10

Mode = Literal["create", "append", "replace", "upsert"]


class DatabaseError(RuntimeError):
    """What a database refused, in its own words."""


class Unreachable(ConnectionError):  # noqa: N818 - it says what the database is
    """A database that can't be reached, or that lets nobody in with these credentials."""


class UnknownName(LookupError):  # noqa: N818 - it says what the name is
    """A table or a column that is not there.

    Args:
        message: What is not there, and where.
        name: The name.
        names: Those there are.
    """

    def __init__(self, message: str, name: str, names: Iterable[str]) -> None:
        there = list(names)
        near = nearest(name, there)
        shown = ", ".join(there[:_SHOWN]) + (", …" if there[_SHOWN:] else "")
        hint = f"did you mean {near!r}?" if near else f"there are {shown or 'none'}"
        super().__init__(f"{message}; {hint}")


@dataclass(frozen=True)
class Answer:
    """What a statement gives.

    Attributes:
        batches: The rows, to be read once, while the session is open. Their types may widen from one to the next.
        schema: The columns, as far as they are known before the rows; None where the statement gives no rows.
        affected: How many rows a statement that gives none has changed; None where the database does not say.
    """

    batches: Iterator[pa.RecordBatch]
    schema: pa.Schema | None = None
    affected: int | None = None


class Session(Protocol):
    """One transaction in a database."""

    def query(self, sql: str, parameters: Mapping[str, Any]) -> Answer:
        """Runs a statement.

        Args:
            sql: The statement, with parameters as ``$name``.
            parameters: Their values. They are bound: none becomes part of the statement.

        Raises:
            DatabaseError: The database refuses it; also while its rows are read.
            UnknownName: It has a parameter without a value.
        """

    def read(self, table: str, columns: Sequence[str] | None) -> Answer:
        """All rows of a table.

        Args:
            table: Its name, or ``schema.name``.
            columns: Which of its columns; all by default.

        Raises:
            UnknownName: The table or a column is not there.
            DatabaseError: The database refuses to read it.
        """

    def write(
        self, table: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch], mode: Mode, keys: Sequence[str]
    ) -> int:
        """Writes rows into a table; how many.

        Args:
            table: Its name, or ``schema.name``.
            schema: The columns of the rows.
            batches: The rows.
            mode: ``create`` a new table; ``append`` to one that is there; ``replace`` one, or make it; ``upsert``: rows
                whose keys are there already replace those, others are appended; the table is made where there is none.
            keys: For ``upsert``: the columns that tell rows apart.

        Raises:
            UnknownName: The table or a column of it is not there.
            DatabaseError: The database refuses it, or the table is there and should not be.
        """

    def cancel(self) -> None:
        """Has what runs at the moment end with an error; called from another thread."""


class Database(Protocol):
    """A way to a database, opened once for a run; nodes that run side by side have sessions of their own."""

    def session(self, *, writes: bool = False) -> AbstractContextManager[Session]:
        """A session: kept when its block ends, undone when it fails.

        Args:
            writes: Whether `Session.write` will be called.

        Raises:
            Unreachable: There is no way to the database.
        """

    def close(self) -> None:
        """Closes what is open."""
