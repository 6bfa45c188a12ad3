"""A trace is found by what somebody types for it."""

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pocketflow_otel.traces.naming import NoSuchTraceError, find, trace_files

IDS = ["aa11" + "0" * 28, "aa12" + "0" * 28, "bb00" + "0" * 28]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Three traces; the one in the middle is the last that was written to, and the third has only a journal."""
    for name, seconds in ((f"{IDS[0]}.jsonl", 10), (f"{IDS[1]}.jsonl", 30), (f"{IDS[2]}.77.open", 20)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_files_by_when_they_were_written_to(directory):
    assert [path.stem for path in trace_files(directory)] == [IDS[1], IDS[2], IDS[0]]


def test_a_journal_tells_that_its_trace_is_written_to(directory):
    journal = directory / f"{IDS[0]}.78.open"
    journal.touch()
    os.utime(journal, (40, 40))
    assert trace_files(directory)[0] == directory / f"{IDS[0]}.jsonl"


@pytest.mark.parametrize(
    ("name", "trace_id"),
    [("last", IDS[1]), ("last~0", IDS[1]), ("last~1", IDS[2]), ("last~2", IDS[0]), ("bb00", IDS[2]), ("AA12", IDS[1])],
)
def test_names_of_kept_traces(directory, name, trace_id):
    assert find(name, directory) == directory / f"{trace_id}.jsonl"


def test_a_file_is_what_it_is_even_where_its_name_looks_like_an_id(directory, monkeypatch):
    monkeypatch.chdir(directory)
    Path("aa11").touch()
    assert find("aa11", directory) == Path("aa11")
    assert find(str(directory / "notes.txt"), directory) == directory / "notes.txt"


def test_standard_input(directory, monkeypatch):
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    assert find("-", directory) is stream


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("aa1", "no such file"),
        ("aa1" + "1" * 10, "no trace in"),
        ("aab1", "near it is aa1"),
        ("lst", "near it is last"),
        ("last~3", "only 3 traces are in"),
        ("other.jsonl", "Expected last, last~1, the start of an id, a file, or -"),
    ],
)
def test_what_is_not_there(directory, name, told):
    with pytest.raises(NoSuchTraceError) as error:
        find(name, directory)
    assert told in str(error.value)
    assert name in str(error.value)


def test_a_directory_is_no_trace(directory, tmp_path):
    with pytest.raises(NoSuchTraceError) as error:
        find(str(directory), tmp_path)
    last = directory / f"{IDS[1]}.jsonl"
    assert str(error.value) == (
        f"{directory} is a directory: expected a file in it, such as {last}, or last with --trace-dir {directory}"
    )


def test_a_directory_does_not_hide_an_id(directory, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("aa11").mkdir()
    assert find("aa11", directory).stem.startswith("aa11")


def test_a_directory_without_traces(directory, tmp_path):
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(NoSuchTraceError, match=r"empty is a directory, and no trace is in it"):
        find(str(empty), directory)


def test_an_id_of_several(directory):
    (directory / f"aa113{'0' * 27}.jsonl").touch()
    with pytest.raises(NoSuchTraceError, match=r"2 traces in .* start so: aa11"):
        find("aa11", directory)


def test_no_traces_at_all(tmp_path):
    with pytest.raises(NoSuchTraceError, match="no trace is in"):
        find("last", tmp_path / "missing")
