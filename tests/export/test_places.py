import stat
from pathlib import Path

import platformdirs
import pytest

from pocketflow_otel.export import places


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_default_is_in_the_state_directory():
    assert places.state_dir() == Path(platformdirs.user_state_dir("pocketflow-otel"))
    assert places.trace_dir() == places.state_dir() / "traces"
    assert places.trace_dir(None) == places.state_dir() / "traces"


def test_a_configured_directory_does_not_move_with_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert places.trace_dir("traces") == tmp_path / "traces"
    assert places.trace_dir(str(tmp_path / "other")) == tmp_path / "other"
    assert list(tmp_path.iterdir()) == []


def test_missing_directories_are_private(tmp_path):
    tmp_path.chmod(0o755)
    places.make_private(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == 0o700
    assert mode(tmp_path / "a" / "b") == 0o700
    assert mode(tmp_path) == 0o755


def test_an_existing_directory_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o755)
    places.make_private(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        places.make_private(tmp_path / "a")
