"""Any values: through every database, and through files, they stay what they are."""

import datetime as dt
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocketflow_otel.runtime.connections.databases.database import Database
from pocketflow_otel.runtime.nodes.table_read import NODE_TYPE as READ
from pocketflow_otel.runtime.nodes.table_write import NODE_TYPE as WRITE
from pocketflow_otel.runtime.values.building import build
from runtime.nodes.context import Alone, result_of

# PostgreSQL has no NUL in texts.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
# That of MySQL ends in 2038.
INSTANTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2037, 12, 31), timezones=st.just(dt.UTC))
LOCALS = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 31))
DAYS = st.dates(dt.date(1000, 1, 1))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
DECIMALS = st.decimals(-(10**15), 10**15, places=5, allow_nan=False)
COLUMNS = {
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "number": (pa.float64(), NUMBERS),
    "word": (pa.string(), TEXTS),
    "raw": (pa.binary(), st.binary()),
    "yes": (pa.bool_(), st.booleans()),
    "money": (pa.decimal128(21, 5), DECIMALS),
    "day": (pa.date32(), DAYS),
    "instant": (pa.timestamp("us", "UTC"), INSTANTS),
    "local": (pa.timestamp("us"), LOCALS),
}
OF_SQLITE = ("whole", "number", "word", "raw")
OF_JSON = ("whole", "word", "yes")
SLOWLY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def tables(names: tuple[str, ...] = tuple(COLUMNS)) -> st.SearchStrategy[pa.Table]:
    """Tables of these columns, with nulls, and without rows too."""
    schema = pa.schema({name: COLUMNS[name][0] for name in names})
    row = st.fixed_dictionaries({name: st.none() | COLUMNS[name][1] for name in names})
    return st.lists(row, max_size=6).map(lambda rows: pa.Table.from_pylist(rows, schema=schema))


@SLOWLY
@given(data=st.data())
def test_any_values_go_through_a_database(database: Database, kind: str, data: st.DataObject) -> None:
    table = data.draw(tables(OF_SQLITE if kind == "sqlite" else tuple(COLUMNS)))
    name = f"t{uuid.uuid4().hex}"
    with database.session(writes=True) as session:
        session.write(name, table.schema, table.to_batches(), "create", [])
    with database.session() as session:
        answer = session.read(name, None)
        again = build(answer.schema, answer.batches, Path.cwd, 2**40)
    assert again.to_pylist() == table.to_pylist()


@SLOWLY
@given(data=st.data())
def test_any_values_are_bound_as_parameters(database: Database, kind: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(OF_SQLITE if kind == "sqlite" else tuple(COLUMNS)))
    of, values = COLUMNS[name]
    value = data.draw(values)
    table, schema = f"t{uuid.uuid4().hex}", pa.schema({"a": of})
    with database.session(writes=True) as session:
        session.write(table, schema, [pa.RecordBatch.from_pylist([{"a": value}, {"a": None}], schema)], "create", [])
    with database.session() as session:
        answer = session.query(f"SELECT a FROM {table} WHERE a = $value", {"value": value})
        assert [row for batch in answer.batches for row in batch.to_pylist()] == [{"a": value}]


@SLOWLY
@given(data=st.data())
@pytest.mark.parametrize("ending", ["parquet", "arrow", "jsonl", "csv"])
async def test_any_values_go_through_a_file(tmp_path: Path, ending: str, data: st.DataObject) -> None:
    table = data.draw(tables(OF_JSON if ending in {"jsonl", "csv"} else tuple(COLUMNS)))
    alone = Alone(tmp_path)
    await result_of(WRITE, alone, data=table, path=f"t.{ending}")
    types = {"whole": "BIGINT", "word": "VARCHAR", "yes": "BOOLEAN"} if table.num_rows else {}
    given_types = {"types": types, "quoted_nulls": False} if ending == "csv" else {"types": types}
    if ending == "jsonl" and not table.num_rows:
        return
    read = await result_of(READ, alone, path=f"t.{ending}", **(given_types if ending in {"jsonl", "csv"} else {}))
    assert read["table"].to_pylist() == table.to_pylist()
