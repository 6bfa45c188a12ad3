"""Connections of the family ``postgres``: a database of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, SecretStr

from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.connections.databases.postgres import PostgresDatabase


class PostgresSettings(Part):
    """A database.

    Attributes:
        host: The server; a folder, for one on this machine that listens in it.
        port: Its port.
        database: The database.
        user: Who to be.
        password: The user's.
        tls: Whether the connection is encrypted: ``verify-full`` also checks who answers.
        tls_authorities: A file with the authorities to trust; a relative path begins at the document's folder.
        schema: Where tables are that are named without a schema.
        timeout: Seconds that connecting may take.
    """

    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretStr | None = None
    tls: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    tls_authorities: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    timeout: Annotated[int, Field(ge=1, le=3600)] = 10


def open_postgres(settings: PostgresSettings, base: Path) -> PostgresDatabase:
    """The database."""
    from pocketflow_otel.runtime.connections.databases.drivers import required
    from pocketflow_otel.runtime.connections.databases.postgres import PostgresDatabase

    required("pyarrow", "data")
    required("psycopg", "postgres")
    given: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "password": settings.password.get_secret_value() if settings.password else None,
        "sslmode": settings.tls,
        "sslrootcert": str(base / settings.tls_authorities) if settings.tls_authorities else None,
        "connect_timeout": settings.timeout,
        "application_name": "pocketflow-otel",
    }
    return PostgresDatabase({name: value for name, value in given.items() if value is not None}, settings.schema_)


FAMILY: Final = Family(
    "postgres", "A database of PostgreSQL.", PostgresSettings, open_postgres, {"pyarrow": "data", "psycopg": "postgres"}
)
