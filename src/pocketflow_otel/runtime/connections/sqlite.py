"""Connections of the family ``sqlite``: a file of SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part, Seconds

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.connections.databases.sqlite import SqliteDatabase


class SqliteSettings(Part):
    """A file.

    Attributes:
        path: The file; a relative path begins at the document's folder. It is made where it is not there.
        timeout: Seconds to wait for others that write into it.
    """

    path: str = Field(min_length=1, examples=["orders.sqlite"])
    timeout: Seconds = 30.0


def open_sqlite(settings: SqliteSettings, base: Path) -> SqliteDatabase:
    """The file's database."""
    from pocketflow_otel.runtime.connections.databases.drivers import required
    from pocketflow_otel.runtime.connections.databases.places import file_of
    from pocketflow_otel.runtime.connections.databases.sqlite import SqliteDatabase

    required("pyarrow", "data")
    return SqliteDatabase(file_of(settings.path, base), settings.timeout)


FAMILY: Final = Family("sqlite", "A file of SQLite.", SqliteSettings, open_sqlite, {"pyarrow": "data"})
