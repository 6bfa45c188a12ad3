"""Docker Compose, without Docker: it reads a file, and tells what it makes of it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from backends.install import ROOT


def read(program: Path, file: str, *profiles: str) -> dict[str, Any]:
    """What Compose makes of a file of this project with some profiles.

    Raises:
        AssertionError: If it refuses the file, or has something to say of it.
    """
    flags = [word for profile in profiles for word in ("--profile", profile)]
    command = [program, "-f", ROOT / file, *flags, "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
