"""Which spans were met before."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_CACHE_KIB: Final = 32 * 1024


class SeenSpans:
    """Remembers spans by their ids: any number of them, in a temporary file beyond 32 MiB."""

    def __init__(self) -> None:
        # Without a name it is a file of its own that goes with the connection.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, trace_id: bytes, span_id: bytes) -> bool:
        """Remembers a span.

        Returns:
            Whether it is new.
        """
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (trace_id + span_id,)).rowcount == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()
