"""Ways to databases, as documents give them: what is wrong is told, and no password with it."""

import sys
from pathlib import Path

import pytest

from backends.databases import PASSWORD, Served
from backends.servers import free_port
from pocketflow_otel.runtime.connections.databases.database import Unreachable
from pocketflow_otel.runtime.connections.databases.drivers import MissingPackage
from pocketflow_otel.runtime.connections.families import Families

SERVED = {name: pytest.param(name, marks=pytest.mark.backend) for name in ("postgres", "mysql")}


def opened(family: str, base: Path, **settings: object):
    known = Families().get(family)
    return known.open(known.config.model_validate(settings), base)


def config(request: pytest.FixtureRequest, family: str) -> dict[str, object]:
    served: Served = request.getfixturevalue({"postgres": "the_postgres", "mysql": "the_mariadb"}[family])
    return served.config()


@pytest.mark.parametrize("family", ["sqlite", "duckdb"])
def test_files_are_found_from_the_documents_folder(tmp_path: Path, family: str) -> None:
    database = opened(family, tmp_path, path="some.db")
    with database.session() as session:
        session.query("CREATE TABLE t (a integer)", {})
    database.close()
    assert (tmp_path / "some.db").is_file()


@pytest.mark.parametrize("family", ["sqlite", "duckdb"])
@pytest.mark.parametrize(
    ("path", "said"), [("no/such.db", "there is no folder"), (".", "is a folder"), (":memory:", "the path of a file")]
)
def test_files_that_can_not_be_are_told(tmp_path: Path, family: str, path: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        opened(family, tmp_path, path=path)


@pytest.mark.parametrize("family", ["sqlite", "duckdb"])
def test_files_that_hold_something_else_are_told(tmp_path: Path, family: str) -> None:
    (tmp_path / "some.db").write_text("no database at all, but long enough to be looked at: " * 100)

    def asked() -> None:
        with opened(family, tmp_path, path="some.db").session() as session:
            session.query("SELECT * FROM t", {})

    with pytest.raises((RuntimeError, Unreachable), match=r"not a (?:valid DuckDB )?database"):
        asked()


@pytest.mark.parametrize("family", SERVED.values())
def test_servers_are_reached_with_a_password(request: pytest.FixtureRequest, tmp_path: Path, family: str) -> None:
    with opened(family, tmp_path, **config(request, family)).session() as session:
        answer = session.query("SELECT $x AS x", {"x": "é"})
        assert [batch.to_pylist() for batch in answer.batches] == [[{"x": "é"}]]


@pytest.mark.parametrize("family", SERVED.values())
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "pw-other-Kz42"}, "authentication failed|Access denied"),
        ({"database": "nosuch"}, "does not exist|Unknown database|Access denied"),
        ({"port": free_port()}, "refused"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_servers_that_let_nobody_in_are_told_without_the_password(
    request: pytest.FixtureRequest, tmp_path: Path, family: str, wrong: dict, said: str
) -> None:
    settings = {**config(request, family), **wrong}
    with pytest.raises(Unreachable, match=said) as told, opened(family, tmp_path, **settings).session():
        pass
    assert PASSWORD not in str(told.value)
    assert "pw-other" not in str(told.value)


@pytest.mark.parametrize(("family", "package"), [("postgres", "psycopg"), ("mysql", "pymysql"), ("duckdb", "duckdb")])
def test_a_package_that_is_missing_is_told_with_the_extra(
    tmp_path: Path, family: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    settings = {"path": "x.db"} if family == "duckdb" else {"database": "d", "user": "u"}
    extra = "data" if family == "duckdb" else family
    with pytest.raises(MissingPackage, match=rf"pip install 'pocketflow-otel\[{extra}\]'"):
        opened(family, tmp_path, **settings)
