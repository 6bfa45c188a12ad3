"""What the tests of node types share."""

from pathlib import Path

import pytest

from runtime.nodes.context import Alone


@pytest.fixture
def context(tmp_path: Path) -> Alone:
    return Alone(tmp_path)
