"""What the end-to-end tests share: a place to run programs in."""

from pathlib import Path

import pytest

from e2e import agent
from e2e.processes import Programs


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """A working directory with ``agent.py`` in it, whose trace is `agent.OUTLINE`."""
    programs = Programs(tmp_path)
    programs.write("agent.py", agent.SOURCE)
    return programs
