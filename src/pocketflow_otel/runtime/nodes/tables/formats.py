"""Formats of files that hold a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from pathlib import Path

Format = Literal["csv", "jsonl", "parquet", "arrow"]

_ENDINGS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
}


def format_of(path: Path, given: Format | None) -> Format:
    """The format of a file: as it is given, or as its name ends; ``.gz`` may follow.

    Raises:
        ValueError: Neither says it.
    """
    if given:
        return given
    ending = _ending(path)
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    near = nearest(ending, _ENDINGS)
    hint = f"; did you mean {near!r}?" if near else ""
    raise ValueError(f"{path}: its name does not tell the format{hint}: give format: {', '.join(get_args(Format))}")


def delimiter_of(path: Path, given: str | None) -> str | None:
    """What stands between the values of a CSV file, if anything says it."""
    return given or ("\t" if _ending(path) == ".tsv" else None)


def is_compressed(path: Path) -> bool:
    """Whether a file is, or is to be, compressed by gzip."""
    return path.suffix.lower() == ".gz"


def _ending(path: Path) -> str:
    return (path.with_suffix("") if is_compressed(path) else path).suffix.lower()
