"""The example workflows print what their comments say, and their traces hold the same trees as their documents."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.processes import SCRIPTS, Outcome, Programs
from pocketflow_otel.traces.reader import Trace
from runtime.tree_of_document import check_tree

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ("examples/*.yaml", "examples/workflows/*.yaml")
EXIT_CODE = re.compile(r"\(exit code (\d+)\)")


@dataclass(frozen=True)
class Case:
    """What a document's comment says to run, and what comes of it.

    Attributes:
        document: The document.
        script: The commands.
        stdout: What they print.
        status: The last one's exit code.
    """

    document: Path
    script: str
    stdout: str
    status: int

    def __str__(self) -> str:
        return self.script.partition("pocketflow-otel run examples/")[2] or self.script


def cases() -> list[Case]:
    return [case for pattern in PATTERNS for document in sorted(ROOT.glob(pattern)) for case in cases_in(document)]


def cases_in(document: Path) -> list[Case]:
    comment, _, _ = document.read_text(encoding="utf-8").partition("\nworkflow:")
    blocks = [block.replace("#   ", "") for block in comment.split("\n#\n")[1:]]
    return [case_in(block.splitlines(), document.relative_to(ROOT)) for block in blocks]


def case_in(lines: list[str], document: Path) -> Case:
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    codes = [int(match[1]) for line in lines if (match := EXIT_CODE.fullmatch(line))]
    printed = [f"{line}\n" for line in lines if not line.startswith("$ ") and not EXIT_CODE.fullmatch(line)]
    return Case(document, "\n".join(commands), "".join(printed), codes[0] if codes else 0)


CASES = cases()


class Place:
    """A folder with the examples and nothing else, and what has been run in it."""

    def __init__(self, directory: Path) -> None:
        self.programs = Programs(directory)
        self.programs.environ |= {
            "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]]),
            "OTEL_TRACES_EXPORTER": "",
        }
        ignored = shutil.ignore_patterns("__pycache__", "*.sqlite", "*.taken")
        shutil.copytree(ROOT / "examples", self.programs.directory / "examples", ignore=ignored)

    def run(self, script: str) -> Outcome:
        return self.programs.finish("/bin/sh", "-e", "-c", script)

    @property
    def result(self) -> dict[str, Any]:
        """The result of the only run."""
        (file,) = (self.programs.traces.parent / "runs").glob("*/result.json")
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return result

    @property
    def trace(self) -> Trace:
        """The trace of the only run."""
        (trace,) = self.programs.read()
        return trace

    def artifact(self, name: str) -> Path:
        (file,) = (self.programs.traces.parent / "runs").glob(f"*/artifacts/{name}")
        return file


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_example_prints_what_it_says_and_its_trace_is_its_tree(case: Case, place: Place):
    outcome = place.run(case.script)
    assert (outcome.stdout, outcome.status) == (case.stdout, case.status), outcome.stderr
    document = yaml.safe_load((ROOT / case.document).read_text(encoding="utf-8"))
    check_tree(document, (ROOT / case.document).parent, place.result, place.trace)


def test_every_document_says_how_to_run_it():
    documents = {path.relative_to(ROOT) for pattern in PATTERNS for path in ROOT.glob(pattern)}
    assert {case.document for case in CASES} == documents
    assert [str(case) for case in CASES if str(case.document) not in case.script] == []


def test_every_document_is_in_the_table():
    readme = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    linked = {Path("examples", target) for target in re.findall(r"\]\(([\w/]+\.yaml)\)", readme)}
    assert linked == {case.document for case in CASES}


def test_what_was_done_is_taken_back_the_latest_first(place: Place):
    place.run("pocketflow-otel run examples/workflows/rollback.yaml --input country=Norway || true")
    assert [record["node"] for record in place.result["undone"]] == ["refund", "release"]
    assert [record["stdout"] for record in place.result["undone"]] == [
        "refunded Ada 45: nobody ships to Norway\n",
        "released 2 lamp\n",
    ]


def test_branches_run_at_once(place: Place):
    place.run("pocketflow-otel run examples/workflows/parallel_branches.yaml")
    branches = [span for span in place.trace.spans if span.name.partition(" ")[2] in ("sentences", "longest", "names")]
    assert len(branches) == 3
    assert max(span.start_ns for span in branches) < min(span.end_ns for span in branches)


def test_files_of_a_run_hold_what_it_says(place: Place):
    place.run("pocketflow-otel run examples/workflows/etl.yaml")
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(place.artifact("totals.parquet"))
    assert table.to_pylist() == place.result["outputs"]["totals"]


def test_agent_is_visited_once_for_each_of_its_decisions(place: Place):
    place.run("python examples/workflows/offline_llm.py pocketflow-otel run examples/workflows/research_agent.yaml")
    actions = [record["action"] for record in place.result["nodes"] if record["node"] == "decide"]
    assert actions == ["search", "search", "calculate", "search", "search", "calculate", "answer"]
    decisions = [span for span in place.trace.spans if span.name == "invoke_node decide"]
    assert [span.attributes["pocketflow.action"] for span in decisions] == actions
    assert all(span.attributes["pocketflow.usage.calls"] == 1 for span in decisions)
    assert place.result["summary"]["tokens"] > 0
