"""Programs in processes of their own, started as their users start them: plain, instrumented, and by `run`."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pocketflow_otel.traces.reader import Span, Trace, read_traces

SCRIPTS = Path(sys.executable).parent
LONGEST_RUN_SECONDS = 120
"""Far more than any program here takes: what hangs fails, rather than the whole test run."""


# Tests may be run where interrupts are ignored, in the background, and what they start would ignore them too. Told here
# and not in each child before it becomes the program: gRPC, of which tests run servers, aborts children now and then.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Outcome:
    """What came of a program."""

    stdout: str
    stderr: str
    status: int

    @property
    def seen(self) -> tuple[str, int]:
        """What a program's user sees of it, but for stderr."""
        return self.stdout, self.status


class Programs:
    """A working directory, an environment, and a place for traces.

    Attributes:
        environ: The environment of what is started, to be changed at will.
        traces: Where `run`, and the exporter `pocketflow_file` here, put trace files.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "work"
        self.directory.mkdir(parents=True)
        self.traces = directory / "state" / "pocketflow-otel" / "traces"
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHON"))}
        self.environ |= {
            # Several for each client are installed here, and importing the clients takes seconds.
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic,google-genai,google_genai",
            "XDG_STATE_HOME": str(directory / "state"),
            "OTEL_TRACES_EXPORTER": "pocketflow_file",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *command: str, stdin: int = subprocess.DEVNULL, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environ | variables,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *command: str, stdin: str = "", **variables: str) -> Outcome:
        with self.start(*command, stdin=subprocess.PIPE, **variables) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=LONGEST_RUN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Outcome(stdout, stderr, process.returncode)

    def python(self, *arguments: str, stdin: str = "", **variables: str) -> Outcome:
        return self.finish(sys.executable, *arguments, stdin=stdin, **variables)

    def instrument(self, *arguments: str, flags: tuple[str, ...] = (), stdin: str = "", **variables: str) -> Outcome:
        """Runs ``opentelemetry-instrument [flags] python [arguments]``."""
        return self.finish(*instrument_command(*arguments, flags=flags), stdin=stdin, **variables)

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Outcome:
        """Runs ``pocketflow-otel run [arguments]``, with its usual exporters unless a variable names others."""
        return self.finish(*run_command(*arguments), stdin=stdin, **{"OTEL_TRACES_EXPORTER": "", **variables})

    def read(self, directory: Path | None = None) -> list[Trace]:
        """The traces in a directory, in the order they started."""
        files = {
            path.with_name(path.name.split(".")[0] + ".jsonl")
            for path in (directory or self.traces).glob("*.*")
            if path.suffix in (".jsonl", ".open")
        }
        traces = [trace for file in files for trace in read_traces(file)]
        return sorted(traces, key=lambda trace: trace.spans[0].start_ns)

    def spans(self, name: str) -> list[Span]:
        """The spans of a name in all traces, in the order they started."""
        return [span for trace in self.read() for span in trace.spans if span.name == name]


def instrument_command(*arguments: str, flags: tuple[str, ...] = ()) -> list[str]:
    return [str(SCRIPTS / "opentelemetry-instrument"), *flags, sys.executable, *arguments]


def run_command(*arguments: str) -> list[str]:
    return [str(SCRIPTS / "pocketflow-otel"), "run", *arguments]
