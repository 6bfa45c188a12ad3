"""A program that runs a flow each time it is told to, traced in each of the ways, and what came of it."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from e2e.processes import SCRIPTS, Programs, instrument_command, run_command

RUN, CONFIGURE, INSTRUMENT = "run", "configure", "opentelemetry-instrument"
OURS = (RUN, CONFIGURE)

SOURCE = """
import sys
from pocketflow import Flow, Node

class Count(Node):
    def post(self, shared, prep_res, exec_res):
        shared["count"] += 1
        return "again" if shared["count"] % 10 else "done"

class Tell(Node):
    def post(self, shared, prep_res, exec_res):
        print(shared, flush=True)

count = Count()
count - "again" >> count
count - "done" >> Tell()
shared = {"count": 0}
for line in sys.stdin:
    Flow(start=count).run(shared)
"""
SPANS_A_FLOW = 12
_CONFIGURED = "import pocketflow_otel\npocketflow_otel.configure(exporters=['file', 'otlp'])\n" + SOURCE


def output(flows: int) -> str:
    """What it prints, traced or not."""
    return "".join(f"{{'count': {10 * (flow + 1)}}}\n" for flow in range(flows))


@dataclass(frozen=True)
class Ended:
    """What came of a program.

    Attributes:
        end_seconds: How long its end took.
        spans: How many spans have ended, for each trace, as its trace files have it.
        lost: What `doctor` says of it afterwards: for each source what was the matter, and how many spans were lost.
    """

    stdout: str
    stderr: str
    status: int
    end_seconds: float
    spans: dict[str, int]
    lost: dict[str, tuple[str, int]]

    @property
    def dropped(self) -> int:
        return sum(count for _, count in self.lost.values())


class Told:
    """A program that runs.

    Args:
        way: How it is traced.
        directory: Where it works.
        source: The program, where it is not `SOURCE`.
        variables: Its environment.
    """

    def __init__(self, way: str, directory: Path, *, source: str | None = None, **variables: str) -> None:
        self.way = way
        self.programs = Programs(directory)
        text = source or (_CONFIGURED if way == CONFIGURE else SOURCE)
        script = str(self.programs.write("told.py", text))
        self.programs.environ |= {"OTEL_TRACES_EXPORTER": "otlp,pocketflow_file" if way == INSTRUMENT else "file,otlp"}
        self.programs.environ |= variables
        command = {
            RUN: run_command("--quiet", script),
            CONFIGURE: [sys.executable, script],
            INSTRUMENT: instrument_command(script),
        }[way]
        self._stdout = self._stderr = ""
        self.process = self.programs.start(*command, stdin=subprocess.PIPE)

    def run_flow(self) -> None:
        """Has it run one flow, and waits until it has."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        assert line, f"{self.way} has ended with {self.process.wait()}: {self._stderr}{self.process.stderr.read()}"
        self._stdout += line

    def wait_until_said(self) -> None:
        """Waits until something is said on stderr."""
        self._stderr += self.process.stderr.readline()

    def end(self) -> Ended:
        """Lets it end."""
        began = time.monotonic()
        stdout, stderr = self.process.communicate(timeout=120)
        seconds = time.monotonic() - began
        traces = {trace.trace_id: len(trace.spans) for trace in self.programs.read()}
        lost = self._lost() if self.way in OURS else {}
        return Ended(self._stdout + stdout, self._stderr + stderr, self.process.returncode, seconds, traces, lost)

    def _lost(self) -> dict[str, tuple[str, int]]:
        doctor = subprocess.run(
            [SCRIPTS / "pocketflow-otel", "doctor", "--json"],
            capture_output=True,
            env=self.programs.environ,
            cwd=self.programs.directory,
            check=False,
        )
        last_run = json.loads(doctor.stdout)["last_run"] or {"problems": {}}
        return {source: (problem["message"], problem["dropped"]) for source, problem in last_run["problems"].items()}

    def kill(self) -> None:
        """Ends it, where a test did not get that far."""
        with self.process as process:
            process.kill()
