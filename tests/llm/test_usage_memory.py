"""Counting calls takes no more memory the more calls there are."""

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pocketflow import Flow, Node

from llm.reporter import PRICES, Reporter
from pocketflow_otel import budget, record_llm_usage

TESTS = Path(__file__).parents[1]
KILOBYTE = 1 << 10
MEGABYTE = 1 << 20

pytestmark = pytest.mark.slow


@pytest.fixture
def provider(instrumentor) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    instrumentor.instrument(tracer_provider=provider, price_file=PRICES)
    return provider


class Marks:
    """How much memory is held at a tenth of the way and at its end."""

    def __init__(self, steps: int) -> None:
        self._at = (steps // 10, steps)
        self.bytes: list[int] = []

    def step(self, number: int) -> None:
        if number in self._at:
            gc.collect()
            self.bytes.append(tracemalloc.get_traced_memory()[0])


def run_visits(visits: int, work: Callable[[dict[str, Any]], None]) -> Marks:
    """Runs a flow that visits one node many times.

    Args:
        visits: How often.
        work: What each visit does in ``post``, given the store.
    """
    marks = Marks(visits)

    class Loop(Node):
        def post(self, shared, prepared, result):
            work(shared)
            shared["visits"] += 1
            marks.step(shared["visits"])
            return "again" if shared["visits"] < visits else None

    node = Loop()
    node - "again" >> node
    node >> Node()
    tracemalloc.start()
    try:
        Flow(node).run({"visits": 0})
    finally:
        tracemalloc.stop()
    return marks


def test_a_million_calls_in_one_long_flow():
    # Tracing memory would take ten minutes, so it is that of a process that does nothing else, all told.
    arguments = [sys.executable, "-m", "llm.many_calls", str(MILLION)]
    ran = subprocess.run(arguments, cwd=TESTS, stdout=subprocess.PIPE, check=True)
    early, late = json.loads(ran.stdout)

    assert late - early < 4 * MEGABYTE


# Ten times what a visit keeps, and more.
CALLS = 60_000
MILLION = 1_000_000


def assert_flat(marks: Marks) -> None:
    early, late = marks.bytes
    assert late - early <= max(0.05 * early, 64 * KILOBYTE)


def test_calls_in_one_visit(provider):
    write, marks = Reporter(provider), Marks(CALLS)

    def work(_):
        for number in range(CALLS):
            write.call()
            marks.step(number + 1)

    run_visits(1, work)

    assert_flat(marks)


def test_answers_stored_one_after_the_other(provider):
    def work(shared):
        shared["usage"] = {"prompt_tokens": shared["visits"] + 1, "completion_tokens": 1, "model": "m"}
        shared["history"] = [*shared.get("history", ())[-9:], {"usage": shared["usage"], "id": str(shared["visits"])}]

    assert_flat(run_visits(2_000, work))


def test_calls_recorded_under_one_budget_outside_of_flows(provider):
    marks = Marks(100_000)
    tracemalloc.start()
    try:
        with budget(tokens=10**12):
            for number in range(100_000):
                record_llm_usage(model="m", input_tokens=number, response_id=str(number))
                marks.step(number + 1)
    finally:
        tracemalloc.stop()

    assert_flat(marks)
