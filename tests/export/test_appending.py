import errno
import os
import stat
import subprocess
import sys

import pytest

from pocketflow_otel.export.appending import AppendFile


@pytest.fixture
def file(tmp_path):
    made = AppendFile(tmp_path / "below" / "file")
    yield made
    made.close()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_and_made_when_it_is_needed(file):
    assert not file.path.parent.exists()
    file.append(b"one\n")
    assert mode(file.path) == 0o600
    assert mode(file.path.parent) == 0o700
    assert file.path.read_bytes() == b"one\n"


def test_each_line_is_one_write(file, monkeypatch):
    writes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(data) or write(fd, data))
    file.append(b"one\n")
    file.append(b"x" * 1_000_000 + b"\n")
    assert writes == [b"one\n", b"x" * 1_000_000 + b"\n"]


def test_others_append_too(file):
    file.append(b"one\n")
    with file.path.open("ab") as other:
        other.write(b"two\n")
    file.append(b"three\n")
    assert file.path.read_bytes() == b"one\ntwo\nthree\n"


def test_it_is_opened_again_after_it_was_closed(file):
    file.append(b"one\n")
    file.close()
    file.append(b"two\n")
    assert file.path.read_bytes() == b"one\ntwo\n"


def test_a_line_that_is_not_whole_is_ended_when_the_file_is_opened(file):
    file.path.parent.mkdir()
    file.path.write_bytes(b"one\ntor")
    file.append(b"two\n")
    file.append(b"three\n")
    assert file.path.read_bytes() == b"one\ntor\ntwo\nthree\n"


def test_a_short_write_tears_one_line_and_no_other(file, monkeypatch):
    file.append(b"one\n")
    write = os.write
    room = [3, 0, 1, 2]
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: room.pop(0) if room else None]))
    for line in (b"two\n", b"lost\n", b"too\n", b"tree\n"):
        with pytest.raises(OSError, match="No space left") as raised:
            file.append(line)
        assert raised.value.errno == errno.ENOSPC
        assert raised.value.filename == str(file.path)
    file.append(b"five\n")
    # "two" without its end; nothing; an end; the start of "tree", for which no end was needed.
    assert file.path.read_bytes() == b"one\ntwo\ntr\nfive\n"


def test_a_limit_on_the_size_of_files(tmp_path):
    script = """
import pathlib, resource, sys
from pocketflow_otel.export.appending import AppendFile
file = AppendFile(pathlib.Path(sys.argv[1]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
file.append(b"one\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (6, hard))
for line in (b"two\\n", b"three\\n"):
    try:
        file.append(line)
    except OSError as error:
        print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
file.append(b"four\\n")
"""
    path = tmp_path / "file"
    finished = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert finished.stdout.splitlines() == ["No space left on device", "File too large"]
    assert path.read_bytes() == b"one\ntw\nfour\n"


def test_a_file_that_was_deleted_is_made_again(file):
    file.append(b"one\n")
    file.path.unlink()
    file.path.parent.rmdir()
    file.append(b"two\n")
    assert file.path.read_bytes() == b"two\n"


def test_a_descriptor_that_the_program_closed_and_was_given_again_is_left_alone(file, tmp_path):
    file.append(b"one\n")
    os.close(file._fd)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    assert theirs == file._fd
    file.append(b"two\n")
    file.close()
    assert os.fstat(theirs).st_size == 0
    os.close(theirs)
    assert file.path.read_bytes() == b"one\ntwo\n"


def test_closing_what_the_program_closed(file):
    file.append(b"one\n")
    os.close(file._fd)
    file.close()
    file.append(b"two\n")
    assert file.path.read_bytes() == b"one\ntwo\n"


def test_what_cannot_be_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        AppendFile(tmp_path / "file" / "below").append(b"one\n")
