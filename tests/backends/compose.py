"""Docker Compose, without Docker: it reads a file, and tells what it makes of it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from backends import install

ROOT = install.ROOT
VERSION = "2.40.3"


def make_compose(place: Path) -> None:
    """Builds the command, which needs no Docker to check files."""
    sources = install.module_sources("github.com/docker/compose/v2", VERSION, place)
    install.run("go", "build", "-mod=mod", "-o", place / "compose", "./cmd", cwd=sources, CGO_ENABLED="0")
    shutil.rmtree(sources)


BACKEND = install.Backend("compose", VERSION, "compose", make_compose, ("go",))


def program() -> Path:
    """The command; where it can't be had the test is skipped, but not in CI."""
    try:
        return BACKEND.install()
    except install.CannotInstallError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


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
