"""How traces are named on a command line: ``last``, ``last~2``, the start of an id, a file, or ``-``."""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path
from typing import BinaryIO, Final

from pocketflow_otel.figures import first_few

LAST: Final = "last"
STANDARD_INPUT: Final = "-"
_LAST: Final = re.compile(r"last(?:~(?P<back>\d{1,9}))?")
_ID: Final = re.compile(r"[0-9a-f]{4,32}")


class NoSuchTraceError(LookupError):
    """No trace has a name, or several do. The message says which are near."""


def find(name: str, directory: Path) -> Path | BinaryIO:
    """Finds what a name stands for.

    Args:
        name: ``last``, the trace that was written to last; ``last~1``, the one before it, and so on; the first four or
            more digits of a trace's id; a file; ``-`` for standard input.
        directory: Where trace files are kept. A file of any other name or place is named by its path.

    Returns:
        What `read_traces` takes. The file may be missing where only a journal of open spans is there.

    Raises:
        NoSuchTraceError: If there is no such trace, or the start of an id is that of several.
    """
    if name == STANDARD_INPUT:
        if sys.stdin is None:
            raise NoSuchTraceError("standard input is closed")
        return sys.stdin.buffer
    last = _LAST.fullmatch(name)
    if last is not None:
        return _last(int(last["back"] or 0), directory)
    path = Path(name)
    try:
        if path.is_file():
            return path
        if path.exists() and not path.is_dir():
            # What a pipe holds can be read only once.
            return path.open("rb")
    except OSError as error:
        raise NoSuchTraceError(f"{name}: {error.strerror}") from None
    if _ID.fullmatch(name.lower()):
        return _by_id(name.lower(), directory)
    if path.is_dir():
        raise NoSuchTraceError(_is_directory(path))
    raise NoSuchTraceError(_unknown(name, directory))


def trace_files(directory: Path) -> list[Path]:
    """The trace files of a directory, the one written to last first; of a trace that only has a journal, its name."""
    written: dict[Path, int] = {}
    for path in directory.glob("*.*"):
        if path.suffix not in (".jsonl", ".open"):
            continue
        trace = path.with_name(path.name.partition(".")[0] + ".jsonl")
        try:
            written[trace] = max(written.get(trace, 0), path.stat().st_mtime_ns)
        except FileNotFoundError:
            # A journal, whose last span has just ended.
            continue
    return sorted(written, key=lambda path: (written[path], path.name), reverse=True)


def _last(back: int, directory: Path) -> Path:
    files = trace_files(directory)
    if not files:
        raise NoSuchTraceError(f"no trace is in {directory}; `pocketflow-otel run` writes some")
    if back >= len(files):
        raise NoSuchTraceError(f"last~{back}: only {len(files)} traces are in {directory}, up to last~{len(files) - 1}")
    return files[back]


def _by_id(start: str, directory: Path) -> Path:
    found = [path for path in trace_files(directory) if path.name.startswith(start)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchTraceError(_unknown(start, directory))
    named = first_few([path.stem for path in found])
    raise NoSuchTraceError(f"{start}: {len(found)} traces in {directory} start so: {named}")


def _is_directory(path: Path) -> str:
    files = trace_files(path)
    if not files:
        return f"{path} is a directory, and no trace is in it. Expected a trace file, last, or the start of an id"
    return f"{path} is a directory: expected a file in it, such as {files[0]}, or last with --trace-dir {path}"


def _unknown(name: str, directory: Path) -> str:
    ids = [path.stem for path in trace_files(directory)]
    # Of an id somebody types the first few digits.
    near = difflib.get_close_matches(name, [LAST, *(each[: len(name)] for each in ids)], 1)
    hint = f"; near it is {near[0]}" if near and near[0] != name else ""
    return (
        f"{name}: no such file, and no trace in {directory} has an id that starts so{hint}. "
        "Expected last, last~1, the start of an id, a file, or - for standard input"
    )
