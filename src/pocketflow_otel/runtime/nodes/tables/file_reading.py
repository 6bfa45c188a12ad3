"""Tables out of files, in batches."""

from __future__ import annotations

import csv
import gzip
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases.database import BATCH_ROWS, Answer, DatabaseError, UnknownName
from pocketflow_otel.runtime.nodes.tables.formats import Format, delimiter_of, is_compressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from pocketflow_otel.runtime.connections.databases.duckdb import DuckdbSession

SAMPLE_ROWS: Final = 20_480
ALL_ROWS: Final = -1
# What it would have done is said in the words of options that a document does not have.
_SOLUTIONS: Final = re.compile(
    r"\n(?:Possible solution|Possible fixes|Try increasing)|If this error occurs", re.IGNORECASE
)
_GUESSED: Final = ("auto-detected", "sample_size")
_ARROW_FILE: Final = b"ARROW1"


class WrongGuess(DatabaseError):  # noqa: N818 - it says what went wrong
    """The types that the first rows have are not those of a later one."""


@dataclass(frozen=True)
class Reading:
    """How to read a file.

    Attributes:
        format: What it holds.
        columns: Which columns; all by default.
        types: DuckDB's types of columns, where they are not to be found out.
        delimiter: Of CSV: what stands between values; found out by default.
        header: Of CSV: whether the first line has the columns' names.
        nulls: Of CSV: words that mean null.
        quoted_nulls: Of CSV: whether they do so in quotes, too.
        sample: How many rows types are found out from; -1 for all.
    """

    format: Format
    columns: Sequence[str] | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    header: bool = True
    nulls: Sequence[str] = ("",)
    quoted_nulls: bool = True
    sample: int = SAMPLE_ROWS


def reading(path: Path, how: Reading, session: DuckdbSession) -> AbstractContextManager[Answer]:
    """A file's table, to be read while the block lasts.

    Args:
        path: The file.
        how: How to read it.
        session: A DuckDB that reaches files.

    Raises:
        UnknownName: A column is not there.
        DatabaseError: The file does not hold such a table; also while it is read.
    """
    if how.format == "parquet":
        return _parquet(path, how.columns)
    if how.format == "arrow":
        return _arrow(path, how.columns)
    return _by_duckdb(path, how, session)


@contextmanager
def _by_duckdb(path: Path, how: Reading, session: DuckdbSession) -> Iterator[Answer]:
    with _explaining(path, how):
        columns = _csv_columns(path, how, session) if how.format == "csv" else _json_columns(path, how, session)
    _check(how.types, list(columns), path)
    _check(how.columns or (), list(columns), path)
    source, parameters = _csv(path, how) if how.format == "csv" else _json(path, how, columns)
    selected = session.dialect.names(how.columns) if how.columns else "*"
    with _explaining(path, how):
        # Names are quoted, values bound.
        answer = session.query(f"SELECT {selected} FROM {source}", parameters)  # noqa: S608
    yield Answer(_explained(answer.batches, path, how), answer.schema)


def _misfit(path: Path, how: Reading, session: DuckdbSession) -> None:
    """Has a CSV file that could not be made sense of read as the plain texts that its first line promises.

    Raises:
        DatabaseError: A line does not fit; which one.
    """
    # What failed has ended the transaction.
    session.run("ROLLBACK")
    session.run("BEGIN")
    delimiter = delimiter_of(path, how.delimiter) or ","
    with (gzip.open if is_compressed(path) else open)(path, "rt", encoding="utf-8", errors="replace") as lines:
        first = next(csv.reader(lines, delimiter=delimiter), [])
    columns = {f"column{index}": "VARCHAR" for index in range(len(first))}
    given = {"auto_detect": False, "delim": delimiter, "header": how.header, "quote": '"', "escape": '"'}
    source, parameters = _call("read_csv", path, given | {"columns": columns})
    for _ in session.query(f"SELECT * FROM {source}", parameters).batches:  # noqa: S608 - values are bound
        pass


def _explained(batches: Iterator[pa.RecordBatch], path: Path, how: Reading) -> Iterator[pa.RecordBatch]:
    with _explaining(path, how):
        yield from batches


@contextmanager
def _explaining(path: Path, how: Reading) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        told = f"{path}: {_SOLUTIONS.split(str(error))[0].strip()}"
        guessed = how.sample != ALL_ROWS and any(word in str(error) for word in _GUESSED)
        raise (WrongGuess if guessed else DatabaseError)(told) from error


def _csv(path: Path, how: Reading) -> tuple[str, dict[str, Any]]:
    given = {
        "delim": delimiter_of(path, how.delimiter),
        "header": how.header,
        # Left to itself it would take lines before one that does not fit for a preamble, or lines for comments.
        "skip": 0,
        "comment": "",
        "quote": '"',
        "escape": '"',
        "nullstr": list(how.nulls) or None,
        "allow_quoted_nulls": how.quoted_nulls,
        "sample_size": how.sample,
        "types": dict(how.types) or None,
    }
    return _call("read_csv", path, given)


def _csv_columns(path: Path, how: Reading, session: DuckdbSession) -> dict[str, str]:
    try:
        return _described(session, *_csv(path, replace(how, types={})))
    except DatabaseError:
        _misfit(path, how, session)
        raise


def _json(path: Path, how: Reading, columns: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    # All types have to be given, if one is.
    types = {"columns": {**columns, **how.types}} if how.types else {}
    return _call("read_json", path, {"format": "newline_delimited", "sample_size": how.sample, **types})


def _json_columns(path: Path, how: Reading, session: DuckdbSession) -> dict[str, str]:
    return _described(session, *_json(path, replace(how, types={}), {}))


def _call(function: str, path: Path, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    # Folders called ``key=value`` are no columns.
    parameters = {"path": _literal_path(path), "hive_partitioning": False}
    parameters |= {name: value for name, value in given.items() if value is not None}
    named = ", ".join(f"{name} = ${name}" for name in parameters if name != "path")
    return f"{function}($path, {named})", parameters


def _literal_path(path: Path) -> str:
    """A path as a pattern that only it matches."""
    return "".join(f"[{letter}]" if letter in "[*?" else letter for letter in str(path))


def _described(session: DuckdbSession, source: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The names and types of the columns that are found."""
    batches = session.query(f"DESCRIBE FROM {source}", parameters).batches
    return {row["column_name"]: row["column_type"] for batch in batches for row in batch.to_pylist()}


@contextmanager
def _parquet(path: Path, columns: Sequence[str] | None) -> Iterator[Answer]:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path, pre_buffer=False) as file:
        _check(columns or (), file.schema_arrow.names, path)
        schema = _selected(file.schema_arrow, columns)
        yield Answer(_selecting(file.iter_batches(BATCH_ROWS, columns=columns), columns), pa.schema(schema))


@contextmanager
def _arrow(path: Path, columns: Sequence[str] | None) -> Iterator[Answer]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file:
        is_file = file.read(len(_ARROW_FILE)) == _ARROW_FILE
        file.seek(0)
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(file) as reader:
            _check(columns or (), reader.schema.names, path)
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
            yield Answer(_selecting(batches, columns), _selected(reader.schema, columns))


def _selecting(batches: Iterator[pa.RecordBatch], columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    return batches if columns is None else (batch.select(list(columns)) for batch in batches)


def _selected(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    import pyarrow as pa

    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def _check(columns: Sequence[str] | Mapping[str, str], there: Sequence[str], path: Path) -> None:
    for name in columns:
        if name not in there:
            raise UnknownName(f"{path}: there is no column {name!r}", name, there)
