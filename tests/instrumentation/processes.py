"""Runs scripts in a process of their own, where nothing has been imported or instrumented yet."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any


def run_script(directory: Path, script: str, **environment: str) -> Any:
    """Runs a script, and returns the JSON it prints last.

    Args:
        directory: Where it runs; modules there can be imported.
        script: Its source.
        **environment: More environment variables.
    """
    path = directory / "script.py"
    path.write_text(textwrap.dedent(script))
    ours = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=directory,
        env={**ours, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout.splitlines()[-1])
