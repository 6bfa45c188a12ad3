"""Tables into files: whole, or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import secrets
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pocketflow_otel.runtime.connections.databases.kinds import kind
from pocketflow_otel.runtime.nodes.tables.formats import Format, delimiter_of, is_compressed
from pocketflow_otel.runtime.values.cells import json_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

Compression = Literal["zstd", "snappy", "gzip", "none"]


@dataclass(frozen=True)
class Writing:
    """How to write a file.

    Attributes:
        format: What it will hold.
        delimiter: Of CSV: what stands between values.
        header: Of CSV: whether the first line has the columns' names.
        compression: Of Parquet.
    """

    format: Format
    delimiter: str | None = None
    header: bool = True
    compression: Compression = "zstd"


@dataclass(frozen=True)
class Rows:
    """Rows on their way into a file.

    Attributes:
        schema: Their columns.
        batches: The rows.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def write_file(path: Path, rows: Rows, how: Writing, *, replace: bool, parents: bool) -> int:
    """Writes rows into a file; its size in bytes.

    Args:
        path: The file; it appears once it is complete.
        rows: The rows.
        how: How to write it.
        replace: Whether there may be one already.
        parents: Whether folders that are missing are made.

    Raises:
        FileExistsError: There is one, and it is not to be replaced.
        OSError: It can't be written.
        ValueError: A value can't be written in this format.
    """
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path, replace=replace) as beside:
        _WRITERS[how.format](beside, rows, how, path)
        return beside.stat().st_size


@contextmanager
def _whole(path: Path, *, replace: bool) -> Iterator[Path]:
    """A file beside another one, whose place it takes when the block ends well."""
    target = path.resolve()
    if target.exists() and not replace:
        raise FileExistsError(f"{path} is there already; mode: replace writes it anew")
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {target.parent}; parents: true makes it")
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        _put(beside, target, replace=replace)
    finally:
        beside.unlink(missing_ok=True)


def _put(beside: Path, target: Path, *, replace: bool) -> None:
    if replace:
        beside.replace(target)
    else:
        # Fails where somebody else was faster.
        target.hardlink_to(beside)


def _write_csv(file: Path, rows: Rows, how: Writing, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    delimiter = delimiter_of(path, how.delimiter) or ","
    options = arrow_csv.WriteOptions(include_header=False, delimiter=delimiter)
    schema = pa.schema((field.name, _csv_type(field.type)) for field in rows.schema)
    with pa.output_stream(file, compression="gzip" if is_compressed(path) else None) as lines:
        if how.header:
            header = io.StringIO()
            csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(schema.names)
            lines.write(header.getvalue().encode())
        with arrow_csv.CSVWriter(lines, schema, write_options=options) as writer:
            for batch in rows.batches:
                arrays = [_csv_column(array, of) for array, of in zip(batch.columns, schema.types, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _csv_type(of: pa.DataType) -> pa.DataType:
    """What a column is in CSV: what is no single number, time or text, is the text of its JSON."""
    import pyarrow as pa

    return pa.string() if kind(of).name in {"binary", "nested", "duration", "null"} else of


def _csv_column(array: pa.Array, of: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return array if array.type == of else pa.array([_csv_text(cell) for cell in array.to_pylist()], of)


def _csv_text(value: Any) -> str | None:
    told = json_value(value)
    return told if told is None or isinstance(told, str) else json.dumps(told, ensure_ascii=False)


def _write_jsonl(file: Path, rows: Rows, _how: Writing, path: Path) -> None:
    with gzip.open(file, "wb") if is_compressed(path) else file.open("wb") as lines:
        for batch in rows.batches:
            for row in batch.to_pylist():
                line = json.dumps(json_value(row), ensure_ascii=False, separators=(",", ":"))
                lines.write(line.encode() + b"\n")


def _write_parquet(file: Path, rows: Rows, how: Writing, _path: Path) -> None:
    from pyarrow import parquet

    with parquet.ParquetWriter(file, rows.schema, compression=how.compression) as writer:
        for group in _grouped(rows.batches):
            writer.write_table(group)


def _grouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches as row groups: small ones make large files that are slow to read."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= _GROUP_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _write_arrow(file: Path, rows: Rows, _how: Writing, _path: Path) -> None:
    import pyarrow as pa

    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        for batch in rows.batches:
            writer.write_batch(batch)


_GROUP_ROWS: Final = 100_000
_WRITERS: Final[dict[Format, Callable[[Path, Rows, Writing, Path], None]]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "arrow": _write_arrow,
}
