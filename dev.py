#!/usr/bin/env python3
"""Sets up this project with nothing but Python and git, and runs something in it.

Usage:
    python3 dev.py demo          run the demo
    python3 dev.py test [ARGS]   run the tests (ARGS go to pytest; -m slow: those that take long; -n0: in one process)
    python3 dev.py backends      install the backends that the tests send to, all of them at once
    python3 dev.py run COMMAND   run any command in the project's environment
    python3 dev.py uv ARGS       run the uv that the above use

The environment is made by uv from uv.lock, in .venv. A uv on the PATH is used; otherwise one is installed under .uv, so
that nothing is changed outside this folder. Works where the system's Python refuses `pip install`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent
UV_HOME = ROOT / ".uv"
UV_REQUIREMENT = "uv>=0.8,<1"
LEAST_PYTHON = (3, 11)
# Each process starts servers of its own, so that more of them than this gain little.
IN_PARALLEL = ("-n", "logical", "--maxprocesses=4", "--dist", "worksteal")


def main(arguments: list[str]) -> int:
    """Runs what the arguments ask for, and returns its exit code."""
    if sys.version_info < LEAST_PYTHON:
        return say(
            f"dev.py needs Python {LEAST_PYTHON[0]}.{LEAST_PYTHON[1]} or newer; this is {sys.version.split()[0]}"
        )
    tasks = {
        "demo": ["run", "--frozen", "--no-dev", "pocketflow-otel", "demo"],
        "test": ["run", "--frozen", "pytest", *IN_PARALLEL],
        "backends": ["run", "--frozen", "python", "tests/backends/install.py"],
        "run": ["run", "--frozen"],
        "uv": [],
    }
    task, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if task not in tasks:
        print(__doc__)
        return 0 if task in {"", "-h", "--help"} else 2
    uv = find_uv() or install_uv()
    if uv is None:
        return say(
            "could not install uv: this Python has neither a working `venv` nor `pip`. Install one of them (on Debian: "
            "`apt install python3-venv`), or uv itself, and try again"
        )
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(ROOT / ".venv")}
    environment.setdefault("UV_PYTHON", sys.executable)
    # Trust what the system trusts, as pip does: behind a company's proxy uv's own list of authorities is not enough.
    environment.setdefault("UV_SYSTEM_CERTS", "true")
    environment.setdefault("UV_NATIVE_TLS", "true")
    # The environment of a project around this one is not ours to use.
    environment.pop("VIRTUAL_ENV", None)
    return subprocess.run([str(uv), *tasks[task], *rest], check=False, env=environment, cwd=ROOT).returncode


def say(message: str) -> int:
    """Tells what went wrong; returns the exit code for that."""
    print(f"dev.py: {message}", file=sys.stderr)
    return 1


def find_uv() -> Path | None:
    """The uv to use, if there is one: on the PATH, or installed here before."""
    on_path = shutil.which("uv")
    candidates = [Path(on_path)] if on_path else []
    return next((uv for uv in (*candidates, *installed_uvs()) if works(uv)), None)


def installed_uvs() -> Iterator[Path]:
    """Where uv is when it has been installed here."""
    folder, name = ("Scripts", "uv.exe") if os.name == "nt" else ("bin", "uv")
    for uv in (UV_HOME / "venv" / folder / name, UV_HOME / "target" / "bin" / name):
        if uv.exists():
            yield uv


def works(uv: Path) -> bool:
    """Whether a uv can be run."""
    return subprocess.run([uv, "--version"], check=False, capture_output=True).returncode == 0


def install_uv() -> Path | None:
    """Installs uv in this folder: in an environment of its own, or where that can't be made, beside the code."""
    print("dev.py: installing uv in .uv", file=sys.stderr)
    venv = UV_HOME / "venv"
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    ways = (
        [
            [sys.executable, "-m", "venv", "--clear", str(venv)],
            [str(python), "-m", "pip", "install", "-q", UV_REQUIREMENT],
        ],
        # A Python that refuses to have packages installed into it lets pip put them elsewhere.
        [[sys.executable, "-m", "pip", "install", "-q", "--target", str(UV_HOME / "target"), UV_REQUIREMENT]],
    )
    for commands in ways:
        if all(succeeds(command) for command in commands):
            uv = next(filter(works, installed_uvs()), None)
            if uv is not None:
                return uv
    return None


def succeeds(command: list[str]) -> bool:
    """Whether a command runs and exits with 0; what it says goes to stderr."""
    return subprocess.run(command, check=False, stdout=sys.stderr).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
