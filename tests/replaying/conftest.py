import pytest

from pocketflow_otel.export import problems


@pytest.fixture(autouse=True)
def _width_of_terminals(monkeypatch):
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "70")


@pytest.fixture(autouse=True)
def _nothing_goes_wrong():
    """The console hides its own mistakes from programs; not from these tests."""
    before = problems.snapshot().get("live console")
    yield
    assert problems.snapshot().get("live console") == before
