"""Rows through the node types: out of files and databases, through SQL, into others."""

import datetime as dt
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from pocketflow_otel.runtime.connections.databases.database import Database, DatabaseError, UnknownName
from pocketflow_otel.runtime.nodes.sql_query import NODE_TYPE as QUERY
from pocketflow_otel.runtime.nodes.table_read import NODE_TYPE as READ
from pocketflow_otel.runtime.nodes.table_write import NODE_TYPE as WRITE
from pocketflow_otel.runtime.nodes.tables.watching import Cancelled
from runtime.nodes.context import Alone, result_of

ORDERS = """id,customer,amount,day
1,ann,10.5,2024-01-01
2,bob,,2024-01-02
3,ann,4.5,2024-01-03
"""


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    return Alone(tmp_path)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    return path


class EndsSoon(Alone):
    """A run that ends when a node has looked for it a few times."""

    looks = 0

    @property
    def cancelled(self) -> bool:
        self.looks += 1
        return self.looks > 5


def left_over(alone: Alone) -> list[str]:
    """Files beside those that a test has made."""
    return [path.name for path in alone.base.iterdir() if path.name.endswith(".tmp")]


async def test_csv_through_sql_into_a_database_and_into_parquet(alone: Alone, orders: Path, database: Database) -> None:
    alone.connections = {"@some.db": database}
    customers = [{"name": "ann", "country": "FR"}, {"name": "bob", "country": "DE"}]
    await result_of(WRITE, alone, data=customers, connection="@some.db", table="customers")

    read = await result_of(READ, alone, path="orders.csv")
    joined = await result_of(
        QUERY,
        alone,
        sql="""
            SELECT country, count(*) AS orders, sum(amount) AS total
            FROM orders JOIN customers ON customer = name
            WHERE day >= $since GROUP BY country ORDER BY country
        """,
        parameters={"since": dt.date(2024, 1, 1)},
        tables={"orders": read["table"], "customers": {"connection": "@some.db", "table": "customers"}},
        fetch=10,
    )
    assert joined["items"] == [
        {"country": "DE", "orders": 1, "total": None},
        {"country": "FR", "orders": 2, "total": 15.0},
    ]
    await result_of(WRITE, alone, data=joined["table"], connection="@some.db", table="totals", mode="replace")
    again = await result_of(
        QUERY, alone, connection="@some.db", sql="SELECT * FROM totals WHERE country = $c", parameters={"c": "FR"}
    )
    assert again["first"] == {"country": "FR", "orders": 2, "total": 15.0}
    written = await result_of(WRITE, alone, data=again["table"], path="out/totals.parquet", parents=True)
    assert parquet.read_table(alone.base / "out/totals.parquet").to_pylist() == [again["first"]]
    assert written["rows"] == 1
    assert alone.counts == {
        "bytes_read": orders.stat().st_size,
        "bytes_written": written["bytes"],
        "rows_read": 3 + 2 + 2 + 1,
        "rows_written": 2 + 2 + 1,
    }


async def test_a_table_tells_its_rows_columns_and_first_row(alone: Alone, orders: Path) -> None:
    read = await result_of(READ, alone, path="orders.csv", columns=["day", "id"])
    assert {name: read[name] for name in ("rows", "columns", "first")} == {
        "rows": 3,
        "columns": ["day", "id"],
        "first": {"day": "2024-01-01", "id": 1},
    }
    assert read["table"].preview()["first"][2] == {"day": "2024-01-03", "id": 3}


async def test_more_rows_than_are_to_be_fetched_are_an_error(alone: Alone, orders: Path) -> None:
    with pytest.raises(ValueError, match="there are 3 rows, and fetch allows 2"):
        await result_of(READ, alone, path="orders.csv", fetch=2)


@pytest.mark.parametrize(
    "name", ["t.csv", "t.tsv", "t.csv.gz", "t.jsonl", "t.jsonl.gz", "t.parquet", "t.arrow", "a[1]*.csv"]
)
async def test_files_of_every_format_hold_what_was_written(alone: Alone, name: str) -> None:
    rows = [
        {"n": 1, "word": 'a "b", c\td\né', "yes": True, "day": dt.date(2024, 2, 29), "fraction": 0.1},
        {"n": None, "word": None, "yes": None, "day": None, "fraction": None},
        {"n": 2**62, "word": "😀", "yes": False, "day": dt.date(1970, 1, 1), "fraction": -1e300},
    ]
    written = await result_of(WRITE, alone, data=pa.Table.from_pylist(rows), path=name)
    assert written["bytes"] == (alone.base / name).stat().st_size
    read = await result_of(READ, alone, path=name)
    assert read["table"].to_pylist() == rows


async def test_files_without_rows_keep_their_columns(alone: Alone) -> None:
    nothing = pa.table({"n": pa.array([], pa.int64()), "word": pa.array([], pa.string())})
    for name in ("t.csv", "t.parquet", "t.arrow"):
        await result_of(WRITE, alone, data=nothing, path=name)
        read = await result_of(READ, alone, path=name)
        assert (read["rows"], read["columns"], read["first"]) == (0, ["n", "word"], None)


async def test_json_lines_are_json(alone: Alone) -> None:
    rows = [{"n": float("nan"), "list": [1, None], "object": {"a": "é"}}]
    await result_of(WRITE, alone, data=rows, path="t.jsonl.gz")
    lines = gzip.open(alone.base / "t.jsonl.gz", "rt", encoding="utf-8").read().splitlines()
    assert [json.loads(line) for line in lines] == [{"n": None, "list": [1, None], "object": {"a": "é"}}]


async def test_csv_holds_lists_objects_and_bytes_as_json(alone: Alone) -> None:
    data = [{"list": [1, None], "object": {"a": "é"}, "raw": b"\xff", "none": None, "empty": "", "word": 'a "b"'}]
    await result_of(WRITE, alone, data=data, path="t.csv")
    assert (alone.base / "t.csv").read_text() == (
        'list,object,raw,none,empty,word\n"[1, null]","{""a"": ""é""}","/w==",,"","a ""b"""\n'
    )


async def test_empty_texts_are_told_from_nulls_where_that_is_asked_for(alone: Alone) -> None:
    await result_of(WRITE, alone, data=[{"a": "", "n": 1}, {"a": None, "n": 2}], path="t.csv")
    read = await result_of(READ, alone, path="t.csv", quoted_nulls=False, fetch=2)
    assert read["items"] == [{"a": "", "n": 1}, {"a": None, "n": 2}]
    read = await result_of(READ, alone, path="t.csv", fetch=2)
    assert read["items"] == [{"a": None, "n": 1}, {"a": None, "n": 2}]


async def test_several_files_are_one_table(alone: Alone) -> None:
    (alone.base / "1.csv").write_text("a,b\n1,x\n")
    (alone.base / "2.csv").write_text("b,a\ny,2.5\n")
    read = await result_of(READ, alone, path=["1.csv", "2.csv"])
    assert read["table"].to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 2.5, "b": "y"}]


async def test_csv_is_read_as_it_is_said_to_be(alone: Alone) -> None:
    (alone.base / "t.txt").write_text("007;NA;1\n008;x;\n")
    read = await result_of(
        READ,
        alone,
        path="t.txt",
        format="csv",
        delimiter=";",
        header=False,
        nulls=["NA", ""],
        types={"column0": "VARCHAR", "column2": "DOUBLE"},
        fetch=9,
    )
    assert read["items"] == [
        {"column0": "007", "column1": None, "column2": 1.0},
        {"column0": "008", "column1": "x", "column2": None},
    ]


async def test_types_that_the_first_rows_do_not_have_are_found(alone: Alone) -> None:
    (alone.base / "t.csv").write_text("a,b\n" + "1,2\n" * 60_000 + "x,2.5\n")
    (alone.base / "t.jsonl").write_text('{"a": 1}\n' * 60_000 + '{"a": "x"}\n')
    csv = await result_of(READ, alone, path="t.csv")
    assert csv["table"].schema.types == [pa.string(), pa.float64()]
    lines = await result_of(READ, alone, path="t.jsonl")
    assert lines["rows"] == 60_001
    assert alone.counts["rows_read"] == 120_002


async def test_types_of_json_lines_can_be_given(alone: Alone) -> None:
    (alone.base / "t.jsonl").write_text('{"day": "2024-01-01", "n": 1}\n')
    read = await result_of(READ, alone, path="t.jsonl", types={"day": "VARCHAR", "n": "DOUBLE"})
    assert read["table"].schema == pa.schema({"day": pa.string(), "n": pa.float64()})


async def test_folders_do_not_become_columns(alone: Alone) -> None:
    (alone.base / "year=2024").mkdir()
    (alone.base / "year=2024/t.csv").write_text("a\n1\n")
    read = await result_of(READ, alone, path="year=2024/t.csv")
    assert read["columns"] == ["a"]


async def test_what_is_missing_is_told_with_what_is_near(alone: Alone, orders: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"did you mean 'orders.csv'"):
        await result_of(READ, alone, path="order.csv")
    with pytest.raises(UnknownName, match="there is no column 'custmer'; did you mean 'customer'"):
        await result_of(READ, alone, path="orders.csv", columns=["custmer"])
    with pytest.raises(UnknownName, match="there is no column 'custmer'; did you mean 'customer'"):
        await result_of(READ, alone, path="orders.csv", types={"custmer": "VARCHAR"})
    with pytest.raises(DatabaseError, match=r'(?s)"custmer" not found.*customer'):
        await result_of(QUERY, alone, sql="SELECT custmer FROM o", tables={"o": [{"customer": 1}]})
    (alone.base / "x.cvs").touch()
    with pytest.raises(ValueError, match=r"its name does not tell the format; did you mean '.csv'"):
        await result_of(READ, alone, path="x.cvs")
    with pytest.raises(TypeError, match=r"tables\.o: a table was expected, or a list of objects, not .* int"):
        await result_of(QUERY, alone, sql="SELECT 1", tables={"o": 1})
    whole = await result_of(READ, alone, path="orders.csv")
    with pytest.raises(TypeError, match=r"tables\.o: .* it holds one as 'table': refer to that"):
        await result_of(QUERY, alone, sql="SELECT 1", tables={"o": whole})
    with pytest.raises(TypeError, match=r"it holds one as 'table': refer to that"):
        await result_of(WRITE, alone, data=whole, path="copy.csv")


async def test_a_wrong_line_is_told_with_its_place(alone: Alone) -> None:
    (alone.base / "t.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    with pytest.raises(DatabaseError, match=r"(?s)t\.csv.*[Ll]ine.?:? ?3"):
        await result_of(READ, alone, path="t.csv", delimiter=",", types={"a": "BIGINT", "b": "BIGINT"})


async def test_a_file_in_another_encoding_is_told_in_the_words_of_documents(alone: Alone) -> None:
    (alone.base / "t.csv").write_bytes(b"\xff\xfe\x00\x01\n\x00")
    with pytest.raises(DatabaseError, match=r"t\.csv.*\n.*not utf-8 encoded") as caught:
        await result_of(READ, alone, path="t.csv")
    assert "ignore_errors" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('secret.csv')",
        "SELECT * FROM 'secret.csv'",
        "SELECT * FROM read_text('secret.csv')",
        "SELECT * FROM glob('*')",
        "COPY (SELECT 1) TO 'made.csv'",
        "ATTACH 'made.duckdb'",
        "EXPORT DATABASE 'made'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    ],
)
async def test_queries_over_tables_reach_no_files(alone: Alone, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(alone.base)
    Path("secret.csv").write_text("a\n1\n")
    with pytest.raises(DatabaseError):
        await result_of(QUERY, alone, sql=sql, tables={"t": [{"a": 1}]})
    assert [path.name for path in alone.base.iterdir() if path.name != ".run"] == ["secret.csv"]


async def test_queries_see_no_variables_of_the_program(alone: Alone) -> None:
    config = pa.table({"a": [1]})
    assert config
    with pytest.raises(DatabaseError, match="config"):
        await result_of(QUERY, alone, sql="SELECT * FROM config")


async def test_a_table_can_be_read_several_times_in_a_query(alone: Alone, orders: Path) -> None:
    read = await result_of(READ, alone, path="orders.csv", spill_bytes=0)
    assert read["table"].file is not None
    joined = await result_of(
        QUERY, alone, sql="SELECT count(*) AS n FROM o AS a JOIN o AS b USING (customer)", tables={"o": read["table"]}
    )
    assert joined["first"] == {"n": 5}


async def test_columns_of_one_name_are_an_error_that_says_what_to_do(alone: Alone) -> None:
    with pytest.raises(ValueError, match=r"two columns are called 'a'.*AS"):
        await result_of(QUERY, alone, sql="SELECT 1 AS a, 2 AS a")


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.arrow"])
async def test_a_file_whose_writing_fails_is_as_it_was(alone: Alone, name: str) -> None:
    (alone.base / name).write_text("before")

    many = await result_of(QUERY, alone, sql="SELECT i FROM range(200000) AS r(i)")
    with pytest.raises(Cancelled):
        await result_of(WRITE, EndsSoon(alone.base), data=many["table"], path=name)
    assert (alone.base / name).read_text() == "before"
    assert left_over(alone) == []


async def test_a_file_that_is_there_is_replaced_unless_it_is_to_be_created(alone: Alone) -> None:
    await result_of(WRITE, alone, data=[{"a": 1}], path="t.csv", mode="create")
    with pytest.raises(FileExistsError, match="is there already"):
        await result_of(WRITE, alone, data=[{"a": 2}], path="t.csv", mode="create")
    assert (alone.base / "t.csv").read_text() == "a\n1\n"
    (alone.base / "t.csv").chmod(0o600)
    await result_of(WRITE, alone, data=[{"a": 2}], path="t.csv")
    assert (alone.base / "t.csv").read_text() == "a\n2\n"
    assert (alone.base / "t.csv").stat().st_mode & 0o777 == 0o600
    assert left_over(alone) == []


async def test_artifacts_are_written_into_the_runs_folder(alone: Alone) -> None:
    written = await result_of(WRITE, alone, data=[{"a": 1}], artifact="t.jsonl")
    assert Path(written["path"]) == alone.artifacts / "t.jsonl"


async def test_a_query_that_takes_long_ends_with_the_run(alone: Alone) -> None:
    alone.ended.set()
    with pytest.raises(Cancelled):
        await result_of(
            QUERY, alone, sql="SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range < b.range"
        )


async def test_statements_that_give_no_rows_tell_how_many_they_changed(alone: Alone, database: Database) -> None:
    alone.connections = {"@some.db": database}
    await result_of(WRITE, alone, data=[{"a": 1}, {"a": 2}], connection="@some.db", table="t")
    changed = await result_of(QUERY, alone, connection="@some.db", sql="UPDATE t SET a = a + 1")
    assert changed == {"table": None, "rows": 0, "columns": [], "first": None, "changed": 2}
    assert alone.counts["rows_written"] == 4


@pytest.mark.parametrize(
    ("node_type", "config", "said"),
    [
        (READ, {}, "either path, or connection and table"),
        (READ, {"path": "a.csv", "connection": "@a.b", "table": "t"}, "either path, or connection and table"),
        (READ, {"connection": "@a.b"}, "connection and table go together"),
        (WRITE, {"data": []}, "one of path, artifact, and connection with table"),
        (WRITE, {"data": [], "path": "a.csv", "mode": "append"}, "with mode create or replace, not append"),
        (WRITE, {"data": [], "connection": "@a.b", "table": "t", "mode": "upsert"}, "mode upsert and keys go together"),
        (QUERY, {"sql": "", "connection": "@a.b"}, "at least 1 character"),
        (QUERY, {"sql": "x", "connection": "@a.b", "tables": {"t": []}}, "don't go together"),
        (QUERY, {"sql": "x", "tables": {"a b": []}}, "pattern"),
    ],
)
def test_configurations_that_make_no_sense_are_refused(node_type, config: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        node_type.config.model_validate(config)


async def test_nothing_stays_in_the_runs_folder_once_tables_are_gone(alone: Alone, orders: Path) -> None:
    read = await result_of(READ, alone, path="orders.csv", spill_bytes=0)
    assert [path.suffix for path in alone.working.iterdir()] == [".arrows"]
    del read
    assert list(alone.working.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "place", "said"),
    [
        (
            {"sql": "SELECT $nmae", "parameters": {"name": 1}},
            ("sql",),
            "$nmae is not among the parameters; did you mean 'name'",
        ),
        (
            {"sql": "SELECT 1", "parameters": {"name": 1}},
            ("sql",),
            "the statement has no parameter $name; there are none",
        ),
        ({"sql": "SELECT '$a' -- $b\n, $c"}, ("sql",), "$c is not"),
        ({"sql": "SELECT * FROM t WHERE a = '${inputs.a}'"}, ("sql",), "write $name"),
        ({"sql": "${a.x} ${b.y}"}, ("sql",), "write $name"),
        ({"sql": "SELECT $x", "connection": "@mysql.main"}, ("sql",), "$x is not"),
        (
            {"sql": "x", "tables": {"t": {"connection": "@sqlite.x", "sql": "SELECT $y"}}},
            ("tables", "t", "sql"),
            "$y is not",
        ),
    ],
)
def test_statements_are_checked_before_they_run(given: dict, place: tuple, said: str) -> None:
    ((where, sentence),) = QUERY.check(given)
    assert where == place
    assert said in sentence


@pytest.mark.parametrize(
    "given",
    [
        {"sql": "SELECT $a", "parameters": {"a": "${inputs.a}"}},
        {"sql": "${model.sql}"},
        {"sql": "${model.sql}", "parameters": {"a": 1}},
        {"sql": "SELECT $a", "parameters": "${inputs.values}"},
        {"sql": "SELECT $$text $a$$, 'it''s $b', \"$c\""},
        {"sql": "SELECT $a", "connection": "@other.kind"},
        {"sql": 7},
    ],
)
def test_statements_that_may_be_right_are_not_found_fault_with(given: dict) -> None:
    assert QUERY.check(given) == []
