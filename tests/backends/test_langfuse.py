"""What Langfuse's own client sends of our spans, and what arrives when it is sent to directly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.langfuse import Langfuse, receiving
from backends.reading import blocks
from docs import workspace
from docs.pages import ROOT, read_page
from docs.test_docs import TROUBLE
from docs.workspace import Workspace
from e2e.processes import Programs
from pocketflow_otel.traces.reader import Trace

IN_A_SESSION = 'session("chat-42", user_id="ada")'
OUTSIDE = "contextlib.nullcontext()"
EVERY_KIND = {"invoke_workflow", "iteration", "invoke_node", "item", "attempt", "chat"}
PROGRAM = """
import contextlib

from langfuse import Langfuse
from pocketflow import BatchFlow, BatchNode, Flow

from pocketflow_otel import record_llm_usage, session


class Ask(BatchNode):
    def prep(self, shared):
        return ["one", "two"]

    def exec(self, word):
        if self.cur_retry == 0 and word == "two":
            raise ValueError("not yet")
        record_llm_usage(model="gpt-4o-mini", input_tokens=3, output_tokens=2)


class Rounds(BatchFlow):
    def prep(self, shared):
        return [{}, {}]


langfuse = Langfuse()
with SESSION:
    Flow(start=Rounds(start=Ask(max_retries=2))).run({})
langfuse.flush()
"""


@pytest.fixture
def langfuse() -> Iterator[Langfuse]:
    with receiving() as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return workspace.make(tmp_path)


def run(directory: Path, langfuse: Langfuse, way: str, session: str) -> Trace:
    """Runs the program, which sends to Langfuse by its client; returns what it wrote to a file besides."""
    programs = Programs(directory)
    programs.write("program.py", PROGRAM.replace("SESSION", session))
    outcome = getattr(programs, way)("program.py", **langfuse.variables)
    assert outcome.status == 0, outcome
    (trace,) = programs.read()
    assert {span.name.partition(" ")[0] for span in trace.spans} == EVERY_KIND
    return trace


def missing(trace: Trace, langfuse: Langfuse) -> set[str]:
    """The names of spans that did not arrive."""
    assert langfuse.refused == []
    return {span.name for span in trace.spans if span.span_id not in langfuse.spans}


@pytest.mark.parametrize("way", ["run", "instrument"])
def test_the_client_lets_every_span_of_a_session_pass(tmp_path, langfuse, way):
    trace = run(tmp_path, langfuse, way, IN_A_SESSION)
    assert missing(trace, langfuse) == set()
    arrived = [langfuse.spans[span.span_id] for span in trace.spans]
    assert [(span.name, span.parent_span_id) for span in arrived] == [
        (span.name, span.parent_span_id) for span in trace.spans
    ]
    assert all(span.attributes.items() <= langfuse.spans[span.span_id].attributes.items() for span in trace.spans)


@pytest.mark.parametrize("way", ["run", "instrument"])
def test_the_client_lets_every_span_pass(tmp_path, langfuse, way):
    assert missing(run(tmp_path, langfuse, way, OUTSIDE), langfuse) == set()


def test_every_command_of_the_page_brings_a_trace(place: Workspace):
    for block in blocks("langfuse"):
        with receiving() as langfuse:
            outcome = place.shell(block.text.replace("localhost:3000", langfuse.address))
        assert outcome.status == 0, outcome
        assert TROUBLE.search(outcome.stderr) is None, outcome.stderr
        assert langfuse.refused == []
        assert [span.name for span in langfuse.spans.values() if span.parent_span_id is None] == [
            "invoke_workflow Flow"
        ]


def test_the_program_of_the_page_sends_every_span(place: Workspace, langfuse: Langfuse):
    (block,) = (block for block in read_page(ROOT / "docs/backends/langfuse.md").blocks if block.kind == "python")
    place.environ |= langfuse.variables
    outcome = place.python(block.text)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert sorted(span.name for span in langfuse.spans.values()) == [
        "attempt",
        "attempt",
        "invoke_node Count",
        "invoke_workflow Flow",
        "item",
        "item",
    ]
