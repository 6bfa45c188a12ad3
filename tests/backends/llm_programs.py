"""Programs whose traces tell all that a backend for LLM applications shows, and what they sent."""

from dataclasses import dataclass
from pathlib import Path

from e2e.examples import EXAMPLES
from e2e.processes import Programs
from fixtures.llm_vendors import VendorServer
from pocketflow_otel.traces.reader import Trace

SESSION, USER = "chat-42", "ada"
SUPPORT = '''
"""Two runs of one conversation: one that asks models, with a retry, a batch and a nested flow, and one that fails."""

import os

import openai
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from pocketflow import BatchFlow, BatchNode, Flow, Node

from pocketflow_otel import record_llm_usage, session

OpenAIInstrumentor().instrument()
client = openai.OpenAI(base_url=os.environ["VENDOR_URL"], api_key="key", max_retries=0)


def ask(prompt):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages).choices[0].message.content


class Classify(Node):
    def prep(self, shared):
        return shared["question"]

    def exec(self, question):
        directives = "[error 500 times=1] [usage input=120 output=30 cached=20 reasoning=7] [text billing]"
        return ask(f"{question} [label {os.getpid()}] {directives}")

    def post(self, shared, question, topic):
        print("topic:", topic)
        shared["topic"] = topic
        return topic


class LookUp(BatchNode):
    def prep(self, shared):
        return ["invoices", "payments"]

    def exec(self, table):
        return ask(f"Summarize {table} [usage input=50 output=5]")

    def post(self, shared, tables, summaries):
        shared["facts"] = summaries


class Review(Node):
    def exec(self, prepared):
        record_llm_usage(
            model="claude-sonnet-4-5",
            provider="anthropic",
            input_tokens=1000,
            output_tokens=200,
            cached_input_tokens=100,
        )
        return "fine"


class Reviews(BatchFlow):
    def prep(self, shared):
        return [{"reviewer": "first"}, {"reviewer": "second"}]


class Charge(Node):
    def exec(self, prepared):
        raise ValueError("no such customer")


classify = Classify(max_retries=3)
classify - "billing" >> LookUp() >> Reviews(start=Review())
support, refund = Flow(start=classify), Flow(start=Charge())
support.name, refund.name = "Support", "Refund"
with session("chat-42", user_id="ada", tags=["beta"]):
    support.run({"question": "Why was I charged twice?"})
    try:
        refund.run({})
    except ValueError as error:
        print(error)
'''
SOURCES = {name: (EXAMPLES / f"{name}.py").read_text() for name in ("agent_with_tools", "map_reduce", "nested_flows")}
SOURCES |= {"support": SUPPORT}


@dataclass(frozen=True)
class Run:
    """A program that ran and sent its spans.

    Attributes:
        program: Its name.
        content: Whether content was on.
        traces: What it sent, in the order they started, as it also wrote it to files.
    """

    program: str
    content: bool
    traces: list[Trace]

    def __str__(self) -> str:
        return f"{self.program}-{'content' if self.content else 'no-content'}"


PROGRAMS = [(name, content) for name in SOURCES for content in (True, False)]
"""Each program is run twice: by `run` with content, and by ``opentelemetry-instrument`` without."""


def run_all(directory: Path, **variables: str) -> list[Run]:
    """Runs the programs as `PROGRAMS` says.

    Args:
        directory: Where to.
        variables: The standard variables that say where spans are sent.
    """
    with VendorServer() as vendors:
        variables["VENDOR_URL"] = vendors.openai_url
        return [_run(directory / f"{name}-{content}", name, content, variables) for name, content in PROGRAMS]


def _run(directory: Path, name: str, content: bool, variables: dict[str, str]) -> Run:
    programs = _place(directory)
    file = programs.write(f"{name}.py", SOURCES[name]).name
    if content:
        outcome = programs.run(file, **variables, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY")
    else:
        outcome = programs.instrument(file, **variables, OTEL_TRACES_EXPORTER="otlp,pocketflow_file")
    assert outcome.status == 0, outcome
    assert "OTLP" not in outcome.stderr.partition("\n")[2], outcome.stderr
    return Run(name, content, programs.read())


def write_only(directory: Path) -> Path:
    """Runs a program that sends nothing; returns the trace file that it wrote."""
    programs = _place(directory)
    outcome = programs.run("--content", programs.write("map_reduce.py", SOURCES["map_reduce"]).name)
    assert outcome.status == 0, outcome
    (file,) = programs.traces.glob("*.jsonl")
    return file


def _place(directory: Path) -> Programs:
    programs = Programs(directory)
    programs.write("fake_llm.py", (EXAMPLES / "fake_llm.py").read_text())
    return programs
