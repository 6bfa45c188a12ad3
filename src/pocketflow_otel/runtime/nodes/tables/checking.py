"""What can be said of a statement before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases import parameters as lexicons
from pocketflow_otel.runtime.connections.databases.database import UnknownName
from pocketflow_otel.runtime.nodes.checks import check_connection, constant_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.nodes.checks import Faults

_LEXICONS: Final = {
    "duckdb": lexicons.DUCKDB,
    "mysql": lexicons.MYSQL,
    "postgres": lexicons.POSTGRES,
    "sqlite": lexicons.SQLITE,
}
_INJECTION: Final = (
    "a reference in SQL could become part of the statement: write $name, and give the value in parameters; only a whole"
    " statement may be a reference"
)


def check_query(given: Mapping[str, Any]) -> Faults:
    """What is wrong with a ``sql.query``, as a document has it: connections, parameters, and references in SQL."""
    faults = check_database(given) + _of_statement(given, ())
    tables = given.get("tables")
    for name, source in tables.items() if isinstance(tables, dict) else ():
        if isinstance(source, dict):
            faults += [(("tables", name, *path), *said) for path, *said in check_database(source)]
            faults += _of_statement(source, ("tables", name))
    return faults


def check_database(given: Mapping[str, Any]) -> Faults:
    """Whether the connection, if there is one, is that of a database."""
    return check_connection(given, tuple(_LEXICONS))


def _of_statement(given: Mapping[str, Any], place: tuple[str | int, ...]) -> Faults:
    sql, fault = constant_text(given.get("sql"), _INJECTION)
    if fault:
        return [] if _is_made_elsewhere(given["sql"]) else [((*place, "sql"), fault)]
    parameters = given.get("parameters", {})
    if sql is None or not isinstance(parameters, dict):
        return []
    family = str(given.get("connection", "@duckdb.")).removeprefix("@").partition(".")[0]
    if family not in _LEXICONS:
        return []
    try:
        lexicons.bound(sql, parameters, _LEXICONS[family], str)
    except UnknownName as error:
        return [((*place, "sql"), str(error))]
    return []


def _is_made_elsewhere(sql: str) -> bool:
    """Whether a whole statement is a reference, as where a model has written it."""
    text = sql.strip()
    return text.startswith("${") and text.endswith("}") and text.count("${") == 1
