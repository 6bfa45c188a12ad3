"""Connections of the family ``mysql``: a database of MySQL or MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, SecretStr

from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.connections.databases.mysql import MysqlDatabase


class MysqlSettings(Part):
    """A database.

    Attributes:
        host: The server.
        port: Its port.
        database: The database.
        user: Who to be.
        password: The user's.
        tls: Whether the connection is encrypted; ``verify-full`` checks who answers, too.
        tls_authorities: A file with the authorities to trust; a relative path begins at the document's folder.
        timeout: Seconds that connecting may take.
    """

    host: str = "localhost"
    port: Annotated[int, Field(ge=1, le=65_535)] = 3306
    database: str = Field(min_length=1)
    user: str = Field(min_length=1)
    password: SecretStr | None = None
    tls: Literal["disable", "require", "verify-full"] = "disable"
    tls_authorities: str | None = None
    timeout: Annotated[int, Field(ge=1, le=3600)] = 10


def open_mysql(settings: MysqlSettings, base: Path) -> MysqlDatabase:
    """The database."""
    from pocketflow_otel.runtime.connections.databases.drivers import required
    from pocketflow_otel.runtime.connections.databases.mysql import MysqlDatabase

    required("pyarrow", "data")
    required("pymysql", "mysql")
    return MysqlDatabase(
        {
            "host": settings.host,
            "port": settings.port,
            "database": settings.database,
            "user": settings.user,
            "password": settings.password.get_secret_value() if settings.password else "",
            "connect_timeout": settings.timeout,
            **_tls(settings, base),
        }
    )


def _tls(settings: MysqlSettings, base: Path) -> dict[str, Any]:
    if settings.tls == "disable":
        return {"ssl_disabled": True}
    import ssl

    authorities = str(base / settings.tls_authorities) if settings.tls_authorities else None
    context = ssl.create_default_context(cafile=authorities)
    if settings.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


FAMILY: Final = Family(
    "mysql", "A database of MySQL or MariaDB.", MysqlSettings, open_mysql, {"pyarrow": "data", "pymysql": "mysql"}
)
