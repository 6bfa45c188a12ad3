"""What every database does alike: rows go in and come out as they were, and a failure changes nothing."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from pocketflow_otel.runtime.connections.databases.database import Database, DatabaseError, Session, UnknownName
from pocketflow_otel.runtime.connections.databases.duckdb import DuckdbDatabase
from pocketflow_otel.runtime.connections.databases.mysql import MysqlDatabase
from pocketflow_otel.runtime.connections.databases.postgres import PostgresDatabase
from pocketflow_otel.runtime.connections.databases.sqlite import SqliteDatabase
from pocketflow_otel.runtime.values.building import build
from pocketflow_otel.runtime.values.table import Table

INSTANT = dt.datetime(2024, 2, 29, 23, 59, 58, 999_001, dt.UTC)
SCHEMA = pa.schema(
    {
        "whole": pa.int64(),
        "fraction": pa.float64(),
        "word": pa.string(),
        "raw": pa.binary(),
        "yes": pa.bool_(),
        "money": pa.decimal128(20, 4),
        "day": pa.date32(),
        "instant": pa.timestamp("us", "UTC"),
        "local": pa.timestamp("us"),
    }
)
ROWS = [
    {
        "whole": -(2**63),
        "fraction": 0.1,
        "word": '\'; DROP TABLE "t" -- ünïcödé 😀 \\ % \n\t',
        "raw": b"\x00\xff'",
        "yes": True,
        "money": Decimal("-12345678901.7800"),
        "day": dt.date(2024, 2, 29),
        "instant": INSTANT,
        "local": INSTANT.replace(tzinfo=None),
    },
    dict.fromkeys(SCHEMA.names),
    {
        "whole": 2**63 - 1,
        "fraction": -1.7976931348623157e308,
        "word": "",
        "raw": b"",
        "yes": False,
        "money": Decimal("0.0001"),
        "day": dt.date(1999, 12, 31),
        "instant": INSTANT + dt.timedelta(days=1),
        "local": dt.datetime(2024, 1, 1),
    },
]
AS_SQLITE_KEEPS_IT = {
    "yes": {True: 1, False: 0},
    "money": float,
    "day": str,
    "instant": str,
    "local": str,
}


def write(database: Database, rows: list, mode: str = "create", keys=(), schema=None, table: str = "t") -> int:
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    with database.session(writes=True) as session:
        return session.write(table, batch.schema, [batch], mode, keys)


def read(database: Database, table: str = "t", columns=None) -> Table:
    with database.session() as session:
        answer = session.read(table, columns)
        return build(answer.schema, answer.batches, Path.cwd, 2**40)


def query(database: Database, sql: str, **parameters) -> list:
    with database.session() as session:
        answer = session.query(sql, parameters)
        return build(answer.schema, answer.batches, Path.cwd, 2**40).to_pylist()


def run(database: Database, sql: str, **parameters) -> int | None:
    with database.session() as session:
        return session.query(sql, parameters).affected


def kept(kind: str, rows: list) -> list:
    """Rows as a database gives them back: SQLite has integers, reals, texts and blobs only."""
    if kind != "sqlite":
        return rows

    def cell(name: str, value: object) -> object:
        told = AS_SQLITE_KEEPS_IT.get(name)
        if value is None or told is None:
            return value
        return told[value] if isinstance(told, dict) else told(value)

    return [{name: cell(name, value) for name, value in row.items()} for row in rows]


def test_values_come_back_as_they_went_in(database: Database, kind: str) -> None:
    assert write(database, ROWS, schema=SCHEMA) == 3
    table = read(database)
    assert table.to_pylist() == kept(kind, ROWS)
    if kind != "sqlite":
        assert table.schema == SCHEMA


def test_values_are_bound_to_parameters_as_they_are(database: Database, kind: str) -> None:
    write(database, ROWS, schema=SCHEMA)
    for name, value in ROWS[0].items():
        found = query(
            database, f"SELECT whole FROM t WHERE {name} = $value AND word <> '$value' -- $value", value=value
        )
        assert found == [{"whole": -(2**63)}], name


def test_columns_of_nothing_keep_their_names_and_types(database: Database, kind: str) -> None:
    write(database, [], schema=SCHEMA)
    table = read(database, columns=["word", "money"])
    assert (table.rows, table.columns) == (0, ["word", "money"])
    if kind != "sqlite":
        assert table.schema.types == [pa.string(), pa.decimal128(20, 4)]


def test_rows_are_appended(database: Database) -> None:
    write(database, [{"a": 1}])
    assert write(database, [{"a": 2}, {"a": None}], "append") == 2
    assert read(database).to_pylist() == [{"a": 1}, {"a": 2}, {"a": None}]


def test_a_table_is_replaced_with_its_columns(database: Database) -> None:
    write(database, [{"a": 1, "b": "x"}])
    write(database, [{"c": 2}], "replace")
    assert read(database).to_pylist() == [{"c": 2}]


def test_rows_are_updated_where_their_keys_are_there_and_the_last_one_counts(database: Database) -> None:
    first = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]
    second = [{"id": "b", "n": 3}, {"id": "c", "n": 4}, {"id": "c", "n": 5}]
    write(database, first, "upsert", ["id"])
    assert write(database, second, "upsert", ["id"]) == 3
    found = query(database, "SELECT id, n FROM t ORDER BY id")
    assert found == [{"id": "a", "n": 1}, {"id": "b", "n": 3}, {"id": "c", "n": 5}]


def test_rows_that_are_all_keys_are_there_once(database: Database) -> None:
    write(database, [{"a": 1, "b": 2}], "upsert", ["a", "b"])
    write(database, [{"a": 1, "b": 2}, {"a": 1, "b": 3}], "upsert", ["a", "b"])
    assert query(database, "SELECT a, b FROM t ORDER BY b") == [{"a": 1, "b": 2}, {"a": 1, "b": 3}]


def test_rows_are_not_updated_by_keys_that_are_none(database: Database) -> None:
    write(database, [{"id": 1, "n": 1}])
    with pytest.raises(DatabaseError):
        write(database, [{"id": 1, "n": 2}], "upsert", ["id"])
    assert read(database).to_pylist() == [{"id": 1, "n": 1}]


@pytest.mark.parametrize("mode", ["create", "append", "replace", "upsert"])
def test_a_failure_midway_changes_nothing(database: Database, mode: str) -> None:
    if mode != "create":
        write(database, [{"a": 1}], "upsert", ["a"])

    def failing():
        yield pa.RecordBatch.from_pylist([{"a": 2}])
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"), database.session(writes=True) as session:
        session.write("t", pa.schema({"a": pa.int64()}), failing(), mode, ["a"] if mode == "upsert" else [])
    if mode == "create":
        with pytest.raises(UnknownName, match="there is no table 't'"):
            read(database)
    else:
        assert read(database).to_pylist() == [{"a": 1}]


def test_a_table_that_is_there_is_not_created(database: Database) -> None:
    write(database, [{"a": 1}])
    with pytest.raises(DatabaseError, match="table 't' is there already"):
        write(database, [{"a": 2}])


def test_names_that_are_not_there_are_told_with_the_nearest(database: Database) -> None:
    write(database, [{"customer": 1}], table="orders")
    with pytest.raises(UnknownName, match="there is no table 'order'; did you mean 'orders'"):
        read(database, "order")
    with pytest.raises(UnknownName, match="did you mean 'orders'"):
        write(database, [{"customer": 1}], "append", table="order")
    with pytest.raises(UnknownName, match="table 'orders' has no column 'custmer'; did you mean 'customer'"):
        read(database, "orders", ["custmer"])
    with pytest.raises(UnknownName, match="did you mean 'customer'"):
        write(database, [{"custmer": 1}], "append", table="orders")


def test_wrong_queries_are_told_in_the_databases_words(database: Database) -> None:
    write(database, [{"customer": 1}], table="orders")
    with pytest.raises(DatabaseError, match="syntax"):
        query(database, "SELECT * FRM orders")
    with pytest.raises(DatabaseError, match=r"(?s)ordrs.*[dD]id you mean .orders"):
        query(database, "SELECT * FROM ordrs")
    with pytest.raises(DatabaseError, match=r"(?s)custmer.*customer"):
        query(database, "SELECT custmer FROM orders")


def test_parameters_are_checked_by_name(database: Database) -> None:
    with pytest.raises(UnknownName, match=r"\$nmae is not among the parameters; did you mean 'name'"):
        query(database, "SELECT $nmae", name=1)
    with pytest.raises(UnknownName, match=r"the statement has no parameter \$other; there are name"):
        query(database, "SELECT $name", name=1, other=2)


def test_statements_tell_how_many_rows_they_changed(database: Database) -> None:
    assert run(database, "CREATE TABLE t (a integer)") == 0
    assert run(database, "INSERT INTO t VALUES (1), ($two)", two=2) == 2
    assert run(database, "UPDATE t SET a = a + 1") == 2
    assert run(database, "DELETE FROM t WHERE a = 3") == 1
    assert read(database).to_pylist() == [{"a": 2}]


def test_statements_may_return_the_rows_they_changed(database: Database, kind: str) -> None:
    run(database, "CREATE TABLE t (a integer)")
    assert query(database, "INSERT INTO t VALUES ($a) RETURNING a AS made", a=7) == [{"made": 7}]
    assert read(database).to_pylist() == [{"a": 7}]


def test_large_results_come_in_pieces(database: Database) -> None:
    rows = [{"n": n, "word": f"word {n}"} for n in range(25_000)]
    write(database, rows)
    with database.session() as session:
        answer = session.query("SELECT n, word FROM t ORDER BY n", {})
        sizes = [batch.num_rows for batch in answer.batches]
    assert sum(sizes) == 25_000
    assert len(sizes) > 2


def test_names_of_any_kind_are_quoted(database: Database, kind: str) -> None:
    rows = [{'we"ird `name` $x [1]': 1, "select": 2, "é": 3}]
    write(database, rows, table='or"der `s`')
    assert read(database, 'or"der `s`').to_pylist() == rows


def test_what_runs_is_cancelled_from_another_thread(database: Database, kind: str) -> None:
    endless = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n",
        "duckdb": "SELECT count(*) AS c FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range % 5",
        "postgres": "SELECT pg_sleep(600)::text AS c",
        "mysql": "SELECT count(*) AS c FROM seq_1_to_1000000000 a, seq_1_to_1000000000 b WHERE a.seq % 7 = b.seq % 5",
    }
    ended = threading.Event()

    def cancelling(session: Session) -> None:
        # It may not have begun yet.
        while not ended.wait(0.1):
            session.cancel()

    def endlessly() -> None:
        with database.session() as session:
            thread = threading.Thread(target=cancelling, args=[session])
            thread.start()
            try:
                list(session.query(endless[kind], {}).batches)
            finally:
                ended.set()
                thread.join()

    with pytest.raises(DatabaseError):
        endlessly()


def test_sessions_side_by_side_wait_for_each_other(database: Database) -> None:
    write(database, [{"n": -1}])
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: write(database, [{"n": n}], "append"), range(20)))
    assert sorted(row["n"] for row in read(database).to_pylist()) == list(range(-1, 20))


def test_decimals_are_numbers_to_sqlite_or_an_error(sqlite: SqliteDatabase) -> None:
    write(sqlite, [{"n": Decimal("9.50")}, {"n": Decimal("10.25")}, {"n": Decimal("3.00")}])
    assert query(sqlite, "SELECT n FROM t WHERE n > 4 ORDER BY n") == [{"n": 9.5}, {"n": 10.25}]
    with pytest.raises(DatabaseError, match=r"SQLite has no number 1234567890123456789.25"):
        write(sqlite, [{"n": Decimal("1234567890123456789.25")}], "append")


def test_sqlite_reaches_no_other_file(sqlite: SqliteDatabase, tmp_path: Path) -> None:
    for sql in (f"ATTACH '{tmp_path}/other' AS other", f"VACUUM INTO '{tmp_path}/other'"):
        with pytest.raises(DatabaseError):
            run(sqlite, sql)
    assert not (tmp_path / "other").exists()


def test_a_duckdb_file_reaches_no_other_file(duckdb: DuckdbDatabase, tmp_path: Path) -> None:
    for sql in (f"ATTACH '{tmp_path}/other' AS other", f"COPY (SELECT 1) TO '{tmp_path}/other'"):
        with pytest.raises(DatabaseError):
            run(duckdb, sql)
    assert not (tmp_path / "other").exists()


@pytest.mark.backend
def test_types_of_postgres_that_arrow_lacks_come_as_texts(postgres: PostgresDatabase) -> None:
    sql = """
        SELECT interval '1 month' AS span, '{"b": 1.50}'::jsonb AS object, 'ab'::varchar(3) AS short,
            ARRAY[1, NULL, 3] AS list, 12.5::numeric AS free, 1e60::numeric(61) AS large, int4range(1, 3) AS range
    """
    (row,) = query(postgres, sql)
    assert row == {
        "span": "1 mon",
        "object": '{"b": 1.50}',
        "short": "ab",
        "list": [1, None, 3],
        "free": Decimal("12.5"),
        "large": Decimal(10**60),
        "range": "[1,3)",
    }


@pytest.mark.backend
def test_decimals_of_no_fixed_scale_widen_as_they_come(postgres: PostgresDatabase) -> None:
    rows = query(
        postgres, "SELECT CASE WHEN i < 15000 THEN 1 ELSE 0.125 END AS n FROM generate_series(1, 20000) AS s(i)"
    )
    assert (rows[0]["n"], rows[-1]["n"]) == (Decimal(1), Decimal("0.125"))


@pytest.mark.backend
def test_types_of_mysql_are_told_exactly(mysql: MysqlDatabase) -> None:
    run(mysql, "CREATE TABLE t (u bigint unsigned, tiny tinyint, span time(3), e enum('x', 'y'), b bit(10), y year)")
    run(mysql, "INSERT INTO t VALUES (18446744073709551615, -128, '-30:00:01.5', 'y', b'101', 2024)")
    assert read(mysql).to_pylist() == [
        {
            "u": 2**64 - 1,
            "tiny": -128,
            "span": -dt.timedelta(hours=30, seconds=1.5),
            "e": "y",
            "b": b"\x00\x05",
            "y": 2024,
        }
    ]


@pytest.mark.backend
def test_a_truth_of_mysql_that_is_none_is_an_error(mysql: MysqlDatabase) -> None:
    run(mysql, "CREATE TABLE t (yes boolean)")
    run(mysql, "INSERT INTO t VALUES (1), (2)")
    with pytest.raises(DatabaseError, match=r"column 'yes'.*CAST"):
        read(mysql)
