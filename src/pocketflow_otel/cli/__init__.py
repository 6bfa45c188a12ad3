"""The command line, ``pocketflow-otel``: one file per group of commands. Data on stdout, talk on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line."""
    from pocketflow_otel.cli.app import app

    app(prog_name="pocketflow-otel")
    sys.exit()
