"""Where a reader of the backends' pages works, and what they type there."""

import re
from pathlib import Path

from docs import workspace
from docs.pages import ROOT, Block, read_page
from docs.workspace import Workspace

_TROUBLE = re.compile(r"Traceback|your program goes on|untraced|Failed to export|not traced|dropped|refused")


def blocks(page: str) -> list[Block]:
    """The commands on a backend's page."""
    return [block for block in read_page(ROOT / f"docs/backends/{page}.md").blocks if block.kind == "sh"]


def place_with(directory: Path, **programs: Path) -> Workspace:
    """A place with the project's Collector configurations.

    Args:
        directory: Where it is made.
        programs: What the pages call, by its name with ``_`` for ``-``.
    """
    place = workspace.make(directory.resolve())
    (place.directory / "collector-config").symlink_to(ROOT / "collector-config")
    on_path = place.home / "bin"
    on_path.mkdir()
    for name, program in programs.items():
        (on_path / name.replace("_", "-")).symlink_to(program)
    place.environ["PATH"] = f"{on_path}:{place.environ['PATH']}"
    return place


def assert_worked(outcome: workspace.Outcome) -> None:
    """A command has done what it was to do, and has nothing to complain of."""
    assert outcome.status == 0, outcome
    assert _TROUBLE.search(outcome.stderr) is None, outcome.stderr
