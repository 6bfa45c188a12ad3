"""A user's place to try the documentation in: a home, the examples, and the files that the pages tell to make."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from docs import console
from docs.pages import ROOT, read_pages

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Workspace:
    """A directory with everything, and the environment of a user who has installed the package.

    Attributes:
        directory: Where commands run.
        home: The user's home.
        environ: The environment.
    """

    directory: Path
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def shell(self, script: str) -> Outcome:
        """Runs a script of the shell, which ends with the first command that fails."""
        return self._run("/bin/sh", "-e", "-c", script)

    def python(self, program: str) -> Outcome:
        """Runs a program."""
        path = self.directory / "snippet.py"
        path.write_text(program, encoding="utf-8")
        return self._run(sys.executable, path.name)

    def terminal(self, command: str) -> str:
        """Runs a command on a terminal, and gives what it wrote, with the home as the pages have it."""
        return console.on_terminal(command, self.directory, self.environ).replace(str(self.home), "/home/ada")

    def _run(self, *command: str) -> Outcome:
        process = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Outcome(process.returncode, process.stdout, process.stderr)


def make(place: Path) -> Workspace:
    """Makes a workspace below an empty directory."""
    directory, home, hidden = place / "work", place / "home", place / "hidden"
    for each in (directory, home, hidden):
        each.mkdir()
    shutil.copytree(ROOT / "examples", directory / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    for block in (block for page in read_pages() for block in page.blocks):
        if block.file_name is not None:
            (directory / block.file_name).write_text(block.text, encoding="utf-8")
    # Who installs the package alone has no openai, and the demo prints other errors with it.
    (hidden / "openai.py").write_text("raise ImportError('not installed')\n", encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHON", "XDG_"))}
    environ |= {
        # A user has few of these; here are all, several for each client, and importing the clients takes seconds.
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic,google-genai,google_genai",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(hidden),
    }
    return Workspace(directory, home, environ)
