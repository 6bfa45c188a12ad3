"""What the tests of tables share: databases, each started once in a test run and emptied for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import databases
from backends.databases import Served
from backends.needed import program
from pocketflow_otel.runtime.connections.databases.database import Database
from pocketflow_otel.runtime.connections.databases.duckdb import DuckdbDatabase
from pocketflow_otel.runtime.connections.databases.mysql import MysqlDatabase
from pocketflow_otel.runtime.connections.databases.postgres import PostgresDatabase
from pocketflow_otel.runtime.connections.databases.sqlite import SqliteDatabase


@pytest.fixture(scope="session")
def the_postgres() -> Iterator[Served]:
    with databases.postgres(program("postgres")) as served:
        yield served


@pytest.fixture(scope="session")
def the_mariadb() -> Iterator[Served]:
    with databases.mariadb(program("mariadb")) as served:
        yield served


@pytest.fixture
def postgres(the_postgres: Served) -> PostgresDatabase:
    """A PostgreSQL with an empty schema."""
    settings = the_postgres.config()
    settings["dbname"] = settings.pop("database")
    schema = f"s{uuid.uuid4().hex}"
    with PostgresDatabase(settings).session() as session:
        session.run(f"CREATE SCHEMA {schema}")
    return PostgresDatabase(settings, schema)


@pytest.fixture
def mysql(the_mariadb: Served) -> MysqlDatabase:
    """A MariaDB with an empty database."""
    name = f"d{uuid.uuid4().hex}"
    with MysqlDatabase(the_mariadb.config()).session() as session:
        session.run(f"CREATE DATABASE {name}")
    return MysqlDatabase({**the_mariadb.config(), "database": name})


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "some.sqlite", 5)


@pytest.fixture
def duckdb(tmp_path: Path) -> Iterator[DuckdbDatabase]:
    database = DuckdbDatabase(str(tmp_path / "some.duckdb"), {})
    yield database
    database.close()


KINDS = ["sqlite", "duckdb", *(pytest.param(name, marks=pytest.mark.backend) for name in ("postgres", "mysql"))]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return request.param


@pytest.fixture
def database(request: pytest.FixtureRequest, kind: str) -> Database:
    """An empty database of each kind in turn."""
    return request.getfixturevalue(kind)
