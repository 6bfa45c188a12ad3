"""What nodes, items, tries, rounds and flows say to have used is what the server billed for the calls made in them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from fixtures.llm_vendors import VendorServer
from instrumentation.processes import run_script
from instrumentation.recording import traced
from llm.flows import ALIKE, IN_VAIN, Flow, programs, programs_that_tell
from llm.running import Program, sync_clients
from llm.totals import INSTRUMENTATIONS, assert_totals_are_as_billed, instrumented

TESTS = Path(__file__).parents[1]

World = tuple[VendorServer, dict[Any, Any]]

by_whom = pytest.mark.parametrize("who", [who for who, installed in INSTRUMENTATIONS.items() if installed])
quick = settings(deadline=None, derandomize=True, max_examples=18, suppress_health_check=list(HealthCheck))
thorough = settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The server, and clients made before anything is instrumented."""
    with ExitStack() as stack:
        server = stack.enter_context(VendorServer())
        yield server, sync_clients(server, stack)


def assert_adds_up(plan: Flow, who: str, world: World) -> None:
    server, clients = world
    before = len(server.calls)
    with traced() as recording, instrumented(who, recording.tracer_provider):
        program = Program(plan, server, clients)
        program.run()
    assert_totals_are_as_billed(server.calls[before:], program.journal, who, recording.spans)


@by_whom
@given(plan=programs())
@example(plan=ALIKE)
@example(plan=IN_VAIN)
@settings(quick)
def test_totals_are_what_the_server_billed(plan: Flow, who: str, world: World) -> None:
    assert_adds_up(plan, who, world)


@given(plan=programs_that_tell())
@example(plan=ALIKE)
@example(plan=IN_VAIN)
@settings(quick)
def test_without_instrumentations_they_are_what_results_tell(plan: Flow, world: World) -> None:
    assert_adds_up(plan, "nobody", world)


@pytest.mark.slow
@by_whom
@given(plan=programs())
@settings(thorough)
def test_so_they_are_in_many_programs(plan: Flow, who: str, world: World) -> None:
    assert_adds_up(plan, who, world)


@pytest.mark.slow
@given(plan=programs_that_tell())
@settings(thorough)
def test_so_they_are_in_many_programs_without_instrumentations(plan: Flow, world: World) -> None:
    assert_adds_up(plan, "nobody", world)


IN_A_PROCESS_OF_ITS_OWN = """
import sys
sys.path.insert(0, {tests!r})

from contextlib import ExitStack

from hypothesis import HealthCheck, given, settings
from opentelemetry import trace

from fixtures.llm_vendors import VendorServer
from instrumentation.recording import traced
from llm.flows import {programs}
from llm.running import Program, sync_clients
from llm.totals import assert_totals_are_as_billed, instrumented
from pocketflow_otel.guard import guard

guard.reraise = True
made = []

with ExitStack() as stack:
    server = stack.enter_context(VendorServer())
    early = sync_clients(server, stack)
    recording = stack.enter_context(traced())
    trace.set_tracer_provider(recording.tracer_provider)
    stack.enter_context(instrumented({who!r}, recording.tracer_provider))
    late = sync_clients(server, stack)

    @settings(deadline=None, derandomize=True, database=None, max_examples={examples},
              suppress_health_check=list(HealthCheck))
    @given(plan={programs}())
    def check(plan):
        for clients in (early, late):
            calls, events = len(server.calls), len(recording.events)
            program = Program(plan, server, clients)
            program.run()
            spans = [span for event, span in recording.events[events:] if event == "end"]
            assert_totals_are_as_billed(server.calls[calls:], program.journal, {who!r}, spans)
            made.append(len(spans))

    check()
print(len(made))
"""


def run_alone(directory: Path, who: str, examples: int) -> Any:
    """Runs programs with a global provider, where the Anthropic client makes spans itself; tells how many ran."""
    strategy = "programs_that_tell" if who == "clients themselves" else "programs"
    script = IN_A_PROCESS_OF_ITS_OWN.format(tests=str(TESTS), programs=strategy, who=who, examples=examples)
    return run_script(directory, script)


def test_they_are_with_a_global_provider_and_clients_made_before_and_after(tmp_path: Path) -> None:
    assert run_alone(tmp_path, "official, openinference", 4) == 8


@pytest.mark.slow
@pytest.mark.parametrize("who", [who for who in INSTRUMENTATIONS if who != "nobody"])
def test_so_they_are_with_a_global_provider_in_more_programs(tmp_path: Path, who: str) -> None:
    assert run_alone(tmp_path, who, 10) == 20
