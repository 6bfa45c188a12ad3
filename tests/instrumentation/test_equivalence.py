"""A traced program does what it does untraced: it can't tell, and neither can whoever looks at it from outside."""

from types import ModuleType
from typing import Any

import pocketflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from fixtures import pocketflow_head
from instrumentation.programs import Program, programs
from instrumentation.recording import traced
from instrumentation.running import Outcome, Run, run_plain

CONTENT = {"capture_values": True, "capture_output": True, "capture_io": True}

WAYS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "with content": CONTENT,
    "looking deep": {**CONTENT, "store_depth": 4},
    "not looking at values": {"store_depth": 0},
    "some left out": {"exclude": ("Ask", "Chat#2")},
    "only some": {"include": ("Search",)},
    "some in detail": {"detailed": ("look*",)},
    "not sampled": {"sampler": ALWAYS_OFF},
    "without a provider": {"tracer_provider": None, "meter_provider": None, "logger_provider": None},
}

libraries = pytest.mark.parametrize("library", [pocketflow, pocketflow_head], ids=["released", "head"])
deterministic = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(deadline=None, max_examples=1500, suppress_health_check=[HealthCheck.too_slow])


def run_traced(program: Program, library: ModuleType, options: dict[str, Any]) -> Outcome:
    run = Run(program, library)
    with run.surroundings(), traced(**options):
        around = otel_context.get_current()
        run.run()
        assert otel_context.get_current() == around
    return run.outcome()


def assert_untouched(program: Program, library: ModuleType, way: str) -> None:
    untraced, with_traces = run_plain(program, library), run_traced(program, library, WAYS[way])
    assert with_traces == untraced
    # The program runs on as before once nothing is traced any more.
    assert run_plain(program, library) == untraced


@libraries
@given(program=programs(), way=st.sampled_from(sorted(WAYS)))
@settings(deterministic, max_examples=250)
def test_a_traced_program_does_what_it_does_untraced(library: ModuleType, program: Program, way: str) -> None:
    assert_untouched(program, library, way)


@pytest.mark.slow
@libraries
@given(program=programs(), way=st.sampled_from(sorted(WAYS)))
@settings(thorough)
def test_so_do_thousands_of_programs(library: ModuleType, program: Program, way: str) -> None:
    assert_untouched(program, library, way)
