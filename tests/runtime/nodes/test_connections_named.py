"""What a node says of its connection is checked before anything runs."""

from typing import Any

import pytest

from pocketflow_otel.runtime import FunctionType
from pocketflow_otel.runtime.nodes import http_request, llm_chat, sql_query, table_read, table_write

HTTP, CHAT = http_request.NODE_TYPE, llm_chat.NODE_TYPE
QUERY, READ, WRITE = sql_query.NODE_TYPE, table_read.NODE_TYPE, table_write.NODE_TYPE


def told(kind: FunctionType, **given: Any) -> list[tuple[tuple[str | int, ...], str]]:
    assert kind.check is not None
    return [(path, sentence) for path, sentence, *_ in kind.check(given)]


@pytest.mark.parametrize(
    ("kind", "connection", "sentence"),
    [
        (HTTP, "@openai.main", "expected a connection of the family http, not @openai.main"),
        (CHAT, "@http.api", "expected a connection of the family openai, not @http.api"),
        (
            QUERY,
            "@http.api",
            "expected a connection of one of the families duckdb, mysql, postgres, sqlite, not @http.api",
        ),
        (READ, "@openai.main", "one of the families duckdb, mysql, postgres, sqlite, not @openai.main"),
        (WRITE, "@http.api", "one of the families duckdb, mysql, postgres, sqlite, not @http.api"),
        (HTTP, "http.api", "expected @family.alias, not 'http.api': write '@http.api'"),
        (QUERY, "shop", "expected @family.alias, not 'shop': such as '@duckdb.main'"),
    ],
)
def test_a_connection_that_is_of_no_use_is_a_fault(kind: FunctionType, connection: str, sentence: str):
    [(path, said)] = told(kind, connection=connection)
    assert path == ("connection",)
    assert sentence in said


def test_a_connection_of_a_table_that_is_joined_is_checked_too():
    tables = {"orders": {"connection": "@http.api", "sql": "SELECT 1"}, "rows": [{"id": 1}], "made": "${read.table}"}
    [(path, said)] = told(QUERY, sql="SELECT 1", tables=tables)
    assert path == ("tables", "orders", "connection")
    assert said.endswith("not @http.api")


@pytest.mark.parametrize(
    ("kind", "connection"),
    [(HTTP, "@http.api"), (CHAT, "@openai.main"), (QUERY, "@sqlite.shop"), (HTTP, "@mine.api"), (HTTP, "${inputs.at}")],
)
def test_one_that_may_be_of_use_is_none(kind: FunctionType, connection: str):
    assert told(kind, connection=connection, url="items") == []


@pytest.mark.parametrize(
    ("given", "is_right"),
    [
        ({"url": "items"}, False),
        ({"url": "example.com/items"}, False),
        ({"url": "HTTPS://example.com"}, True),
        ({"url": "${env.HOST}/items"}, True),
        ({"url": "items", "connection": "@http.api"}, True),
    ],
)
def test_where_a_request_goes_is_known_before(given: dict[str, str], is_right: bool):
    said = told(HTTP, **given)
    expected = (("url",), "expected http://HOST or https://HOST, or a connection with a base_url")
    assert said == ([] if is_right else [expected])
