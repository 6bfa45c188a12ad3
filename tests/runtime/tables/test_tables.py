"""Tables: rows stay as they are, in memory or in a file, and files go with them."""

import datetime as dt
import gc
import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.runtime.values.building import TableBuilder, as_table, build
from pocketflow_otel.runtime.values.cells import json_value
from pocketflow_otel.runtime.values.envelope import content_type
from pocketflow_otel.runtime.values.table import Table

CELLS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"])))
ROWS = st.lists(st.fixed_dictionaries({"n": CELLS, "word": TEXTS, "raw": st.one_of(st.none(), st.binary())}))
SCHEMA = pa.schema({"n": pa.int64(), "word": pa.string(), "raw": pa.binary()})


def made(folder: Path, *parts: list, spill_bytes: int = 2**40, schema: pa.Schema | None = None) -> Table:
    batches = [pa.RecordBatch.from_pylist(part, schema=schema) for part in parts]
    return build(schema, batches, lambda: folder, spill_bytes)


@given(parts=st.lists(ROWS, max_size=4), spill_bytes=st.sampled_from([0, 100, 2**40]))
def test_rows_come_back_as_often_as_one_likes_wherever_they_are(
    parts: list, spill_bytes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = made(tmp_path_factory.getbasetemp(), *parts, spill_bytes=spill_bytes, schema=SCHEMA)
    rows = [row for part in parts for row in part]
    assert (table.file is not None) == (table.nbytes > spill_bytes)
    assert (table.rows, table.columns) == (len(rows), ["n", "word", "raw"])
    for _ in range(2):
        assert [row for batch in table.batches() for row in batch.to_pylist()] == rows
        assert table.to_pylist() == rows
        assert table.to_pylist(3) == rows[:3]
        assert table.to_arrow().to_pylist() == rows
        assert pa.RecordBatchReader.from_stream(table).read_all().to_pylist() == rows


def test_the_file_of_a_table_goes_with_it(tmp_path: Path) -> None:
    table = made(tmp_path, [{"n": 1}], spill_bytes=0)
    batches, whole = table.batches(), table.to_arrow()
    assert list(tmp_path.iterdir()) == [table.file]
    first = next(batches)
    del table, batches
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert whole.to_pylist() == first.to_pylist() == [{"n": 1}]


def test_what_was_begun_and_not_finished_is_removed(tmp_path: Path) -> None:
    def failing() -> None:
        with TableBuilder(lambda: tmp_path, 0) as builder:
            builder.add(pa.RecordBatch.from_pylist([{"n": 1}]))
            assert len(list(tmp_path.iterdir())) == 1
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        failing()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spill_bytes", [0, 2**40])
@pytest.mark.parametrize(
    ("parts", "of", "values"),
    [
        (([None], [1]), pa.int64(), [None, 1]),
        (([1], [0.5]), pa.float64(), [1.0, 0.5]),
        (([Decimal("1.5")], [Decimal("10.25")]), pa.decimal128(4, 2), [Decimal("1.50"), Decimal("10.25")]),
    ],
)
def test_columns_widen_to_what_comes_later(tmp_path: Path, spill_bytes: int, parts, of, values: list) -> None:
    table = made(tmp_path, *([{"a": value} for value in part] for part in parts), spill_bytes=spill_bytes)
    assert table.schema.types == [of]
    assert [row["a"] for row in table.to_pylist()] == values
    del table
    assert list(tmp_path.iterdir()) == []


def test_a_number_is_not_made_another_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        made(tmp_path, [{"a": 2**53 + 1}], [{"a": 0.5}])


def test_types_that_do_not_go_together_are_told_by_their_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column 'b' holds both int64 and string"):
        made(tmp_path, [{"a": 1, "b": 1}], [{"a": 1.5, "b": "x"}])


def test_dictionaries_become_plain_columns(tmp_path: Path) -> None:
    first, second = (pa.record_batch({"a": pa.array(words).dictionary_encode()}) for words in (["x"], ["y", "z"]))
    table = build(None, [first, second], lambda: tmp_path, 0)
    assert table.schema.types == [pa.string()]
    assert table.to_pylist() == [{"a": "x"}, {"a": "y"}, {"a": "z"}]


def test_objects_are_a_table_with_all_their_keys(tmp_path: Path) -> None:
    table = as_table([{"a": 1}, {"b": "x", "a": 2}], lambda: tmp_path)
    assert table.to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert as_table(table, lambda: tmp_path) is table


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "not a value of type int"),
        ([{"a": 1}, 2], "not a list with something else in it"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        as_table(value, lambda: tmp_path)


def test_objects_whose_values_are_of_different_types_are_told_by_their_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column 'a'"):
        as_table([{"a": 1}, {"a": "x"}], lambda: tmp_path)


def test_a_preview_is_short_json(tmp_path: Path) -> None:
    table = made(tmp_path, [{"n": n, "day": dt.date(2024, 1, 1), "long": "x" * 10_000} for n in range(500)])
    preview = table.preview()
    assert (preview["rows"], preview["columns"], len(preview["first"])) == (500, ["n", "day", "long"], 10)
    assert preview["first"][3] == {"n": 3, "day": "2024-01-01", "long": "x" * 200 + "…"}
    assert len(json.dumps(preview)) < 10_000


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Decimal(12345678901234567890), 12345678901234567890),
        (Decimal("0.10"), 0.1),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "2024-01-01T00:00:00+00:00"),
        (dt.timedelta(minutes=1), 60.0),
        (b"\xff", "/w=="),
        (float("inf"), None),
        ([("key", 1)], [["key", 1]]),
    ],
)
def test_cells_are_told_as_json(value: object, told: object) -> None:
    assert json_value(value) == told


def test_tables_are_tables_to_envelopes_and_are_not_pickled(tmp_path: Path) -> None:
    table = made(tmp_path, [{"a": 1}])
    assert content_type(table) == "table"
    dump: Callable[[object], bytes] = pickle.dumps
    with pytest.raises(TypeError, match="can't be pickled"):
        dump(table)
