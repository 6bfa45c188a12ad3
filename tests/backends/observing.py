"""Starts a backend for LLM applications, sends it all that tests look at, and notes what it made of it.

These backends take long to start. So this is done once in a test run, and the tests look at the notes.
"""

import fcntl
import pickle
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from backends import mlflow, phoenix
from backends.browser import browsing, shown
from backends.collector import collecting
from backends.llm_programs import Run, run_all, write_only
from backends.reading import blocks
from backends.servers import wait_until
from backends.stored import StoredTrace
from docs import workspace
from docs.pages import ROOT, read_page
from docs.workspace import Outcome
from pocketflow_otel.traces.reader import Trace, read_trace

T = TypeVar("T")


class LlmBackend(Protocol):
    """What tests need of a backend."""

    def page(self, trace_id: str) -> str:
        """The URL of a trace's page."""

    def trace_ids(self) -> set[str]:
        """The ids of all traces."""

    def trace(self, trace_id: str, count: int) -> StoredTrace:
        """A trace, once it has so many spans."""


@dataclass(frozen=True)
class Command:
    """A block of a documentation page that was run.

    Attributes:
        text: The block.
        outcome: How it went.
        arrived: The ids of the traces that the backend had afterwards, and not before.
    """

    text: str
    outcome: Outcome
    arrived: set[str]


@dataclass(frozen=True)
class Observed:
    """What was sent to a backend, and what it made of it.

    Attributes:
        runs: The programs that sent to it.
        stored: What it stored of them, by trace id.
        file: A trace file that was sent to it afterwards.
        file_stored: What it stored of that.
        sessions: The ids of a session's traces, by the session's id.
        found: The ids of the spans that are found by the filters on its documentation page.
        shown: What a browser shows of the traces of programs that ran with content, by the program's name.
        commands: The blocks of its documentation page, but for the first, which started it.
    """

    runs: list[Run]
    stored: dict[str, StoredTrace]
    file: Trace
    file_stored: StoredTrace
    sessions: dict[str, set[str]]
    found: dict[str, set[str]]
    shown: dict[str, str]
    commands: list[Command]

    def traces(self, program: str, content: bool) -> list[Trace]:
        """What a program sent."""
        (run,) = (run for run in self.runs if (run.program, run.content) == (program, content))
        return run.traces


def once(place: Path, name: str, make: Callable[[Path], T]) -> T:
    """Makes something in the first process of a test run that asks for it; the others get a copy.

    Args:
        place: A directory of the test run.
        name: What it is called.
        make: Makes it, in a directory of its own.
    """
    notes = place / f"{name}.notes"
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not notes.exists():
            # Another process may have failed to make it.
            directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
            notes.write_bytes(pickle.dumps(make(directory)))
    made: T = pickle.loads(notes.read_bytes())
    return made


def filters(name: str) -> list[str]:
    """The conditions on spans' attributes on a backend's page."""
    code = read_page(ROOT / f"docs/backends/{name}.md").inline_code
    return [condition for condition in code if condition.startswith("attributes[")]


def start_command(name: str, program: Path) -> list[str | Path]:
    """How the page of a backend starts it, which is in an environment that it makes first.

    Args:
        name: The backend.
        program: The installed one.
    """
    *_, last = blocks(name)[0].text.splitlines()
    started, *arguments = shlex.split(last)
    assert started == f"{name}/bin/{program.name}"
    return [program, *arguments]


def run_commands(name: str, backend: LlmBackend, addresses: Mapping[str, str], directory: Path) -> list[Command]:
    """Runs the blocks of a page as they stand, each in a place of its own.

    Args:
        name: The backend.
        backend: It.
        addresses: What stands for what the page has, as host and port.
        directory: Where to.
    """
    done = []
    for block in blocks(name)[1:]:
        place = directory / str(block.line)
        place.mkdir(parents=True)
        text = block.text
        for documented, real in addresses.items():
            text = text.replace(documented, real)
        before = backend.trace_ids()
        outcome = workspace.make(place).shell(text)
        if outcome.status == 0:
            wait_until(lambda before=before: backend.trace_ids() - before)
        done.append(Command(block.text, outcome, backend.trace_ids() - before))
    return done


def stored_of(backend: LlmBackend, runs: list[Run]) -> dict[str, StoredTrace]:
    """What a backend has stored of what programs sent."""
    traces = [trace for run in runs for trace in run.traces]
    return {trace.trace_id: backend.trace(trace.trace_id, len(trace.spans)) for trace in traces}


def shown_of(backend: LlmBackend, runs: list[Run], awaited: str, chromium: Path, directory: Path) -> dict[str, str]:
    """What a browser shows of the first trace of each program that ran with content, by the program's name.

    Args:
        backend: Whose pages.
        runs: All programs.
        awaited: A line that a page shows when it has all of a trace's first span.
        chromium: The browser.
        directory: Where pictures of the pages are put.
    """
    texts = {}
    with browsing(chromium) as page:
        for run in (run for run in runs if run.content):
            trace = run.traces[0]
            last = trace.children(trace.roots()[0])[-1].name
            picture = directory / f"{run.program}.png"
            texts[run.program] = shown(page, backend.page(trace.trace_id), [last, awaited], picture)
    return texts


def observe_phoenix(directory: Path, programs: Mapping[str, Path]) -> Observed:
    """Starts Phoenix, sends to it, and notes what it made of it.

    Args:
        directory: Where to.
        programs: Phoenix, Chromium and the Collector.
    """
    with phoenix.storing(start_command("phoenix", programs["phoenix"]), directory) as backend:
        runs = run_all(directory / "programs", **backend.variables)
        stored = stored_of(backend, runs)
        sessions = backend.sessions()
        file = write_only(directory / "file")
        replay = {"TRACE_FILES": str(file), "JAEGER_ENDPOINT": backend.grpc}
        written = read_trace(file)
        with collecting(programs["collector"], "replay.yaml", directory, receives=False, **replay):
            file_stored = backend.trace(written.trace_id, len(written.spans))
        return Observed(
            runs,
            stored,
            written,
            file_stored,
            sessions,
            {condition: backend.found(condition) for condition in filters("phoenix")},
            shown_of(backend, runs, "Output", programs["chromium"], directory),
            run_commands(
                "phoenix",
                backend,
                {"localhost:6006": backend.http, "localhost:4317": backend.grpc},
                directory / "commands",
            ),
        )


def observe_mlflow(directory: Path, programs: Mapping[str, Path]) -> Observed:
    """Starts MLflow, sends to it, and notes what it made of it.

    Args:
        directory: Where to.
        programs: MLflow and Chromium.
    """
    with mlflow.storing(start_command("mlflow", programs["mlflow"]), directory) as backend:
        runs = run_all(directory / "programs", **backend.variables)
        stored = stored_of(backend, runs)
        sessions = {trace.session for trace in stored.values()}
        file = write_only(directory / "file")
        for line in file.read_bytes().splitlines():
            backend.post("/v1/traces", line, **mlflow.HEADERS)
        written = read_trace(file)
        return Observed(
            runs,
            stored,
            written,
            backend.trace(written.trace_id, len(written.spans)),
            {session: backend.session(session) for session in sessions if session is not None},
            {},
            shown_of(backend, runs, "Outputs", programs["chromium"], directory),
            run_commands("mlflow", backend, {"localhost:5000": backend.http}, directory / "commands"),
        )
