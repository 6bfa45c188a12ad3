"""Connections of the family ``duckdb``: a file of DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.connections.databases.duckdb import DuckdbDatabase


class DuckdbSettings(Part):
    """A file.

    Attributes:
        path: The file; a relative path begins at the document's folder. It is made where it is not there.
        read_only: Whether nothing may be written; then other processes may read it too.
        memory_bytes: How much memory it may use; what does not fit goes into files beside it.
        threads: How many threads it may use.
    """

    path: str = Field(min_length=1, examples=["orders.duckdb"])
    read_only: bool = False
    memory_bytes: Annotated[int, Field(ge=16_000_000)] = 1_000_000_000
    threads: Annotated[int, Field(ge=1, le=256)] = 4


def open_duckdb(settings: DuckdbSettings, base: Path) -> DuckdbDatabase:
    """The file's database."""
    from pocketflow_otel.runtime.connections.databases.drivers import required
    from pocketflow_otel.runtime.connections.databases.duckdb import DuckdbDatabase
    from pocketflow_otel.runtime.connections.databases.places import file_of

    required("duckdb", "data")
    required("pyarrow", "data")
    file = file_of(settings.path, base)
    options = {"memory_limit": f"{settings.memory_bytes}B", "threads": settings.threads}
    return DuckdbDatabase(str(file), options, read_only=settings.read_only)


FAMILY: Final = Family(
    "duckdb", "A file of DuckDB.", DuckdbSettings, open_duckdb, {"duckdb": "data", "pyarrow": "data"}
)
