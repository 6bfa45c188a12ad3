"""Runs programs as a user would: in a process of their own, plain and traced."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pocketflow_otel import boot

COMMAND = [sys.executable, "-m", "pocketflow_otel.cli"]


@dataclass(frozen=True)
class Outcome:
    stdout: str
    stderr: str
    status: int


def _without_addresses(text: str) -> str:
    return re.sub(r"\b0x[0-9a-f]+", "0x", text)


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Shell:
    """A user's shell: a directory, an environment, and ways to start programs in it."""

    def __init__(self, directory: Path, state: Path) -> None:
        self.directory = directory
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYTHON"))}
        self.environ["XDG_STATE_HOME"] = str(state)
        self.traces = state / "pocketflow-otel" / "traces"

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environ,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Tests may be run where these are ignored: in the background, or under nohup.
            preexec_fn=_heed_signals,  # noqa: PLW1509 - no thread of the tests holds a lock that this takes
        )

    def _finish(self, *command: str, stdin: str) -> Outcome:
        with self.start(*command, stdin=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(stdin)
        return Outcome(_without_addresses(stdout), _without_addresses(stderr), process.returncode)

    def python(self, *arguments: str, stdin: str = "") -> Outcome:
        return self._finish(sys.executable, *arguments, stdin=stdin)

    def pocketflow_otel(self, *arguments: str, stdin: str = "") -> Outcome:
        return self._finish(*COMMAND, *arguments, stdin=stdin)

    def run(self, *arguments: str, stdin: str = "") -> Outcome:
        """Traced, and quiet, so that all that is written is the program's."""
        return self.pocketflow_otel("run", "--quiet", *arguments, stdin=stdin)

    def booted(self, *arguments: str, exporter: str = "file") -> Outcome:
        """Traced as `run` does it, but without the process of the command line before."""
        plain, self.environ = self.environ, boot.environment({"exporters": [exporter]}, self.environ)
        try:
            return self.python(*arguments)
        finally:
            self.environ = plain

    def signalled(self, number: signal.Signals, *command: str) -> Outcome:
        """Sends a signal when the program has written a line."""
        with self.start(*command) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.send_signal(number)
            stdout, stderr = process.communicate()
        return Outcome(first + stdout, stderr, process.returncode)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    directory = tmp_path / "work"
    directory.mkdir()
    return Shell(directory, tmp_path / "state")


FLOW = """
from pocketflow import Flow, Node

class Ask(Node):
    def exec(self, prep_res):
        return "yes"

    def post(self, shared, prep_res, exec_res):
        shared["answer"] = exec_res

Flow(Ask()).run({})
"""


@pytest.fixture
def flow() -> str:
    return FLOW
