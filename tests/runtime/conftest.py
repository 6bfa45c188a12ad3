"""What the tests of the runtime share."""

import pytest

from pocketflow_otel.capture import told
from pocketflow_otel.capture.seen import SeenSecrets


@pytest.fixture(autouse=True)
def _told_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that one test tells would be masked in all that come after it in the process."""
    monkeypatch.setattr(told, "_told", SeenSecrets())
