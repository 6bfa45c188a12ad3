"""Random workflow documents come to what the reference interpreter says, however many nodes run at once."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pocketflow_otel.runtime import Plan, Result, collect, execute, execute_async, load, prepare
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.reference.comparing import check_run
from runtime.reference.documents import documents
from runtime.reference.interpreter import Reference
from runtime.reference.model import Workflow
from runtime.reference.nodes_for_documents import calls_of

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
few = settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
many = settings(max_examples=300, deadline=None, suppress_health_check=CHECKS)

REGISTRY = Registry()

Ran = tuple[Result, list[Any]]


def planned(workflow: Workflow, parallel: int) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return prepare(load(workflow.saved(Path(folder))), registry=REGISTRY, parallel=parallel)


def ended(*runs: Callable[[], Iterable[Ran]]) -> list[Ran]:
    """Runs so many at once. What hangs is told as that, and does not hang the tests."""
    ran: list[Ran] = []
    threads = [threading.Thread(target=lambda run=run: ran.extend(run()), daemon=True) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [thread for thread in threads if thread.is_alive()] == [], "a run does not end"
    assert [result.problems for result, _ in ran] == [()] * len(ran)
    return ran


def run(plan: Plan) -> Iterable[Ran]:
    events: list[Any] = []
    yield collect(execute(plan, on_event=events.append)), events


def check(workflow: Workflow, ran: Ran, parallel: int, *, stops_at_once: bool = False) -> None:
    result, events = ran
    reference = Reference(workflow, stops_at_once=stops_at_once)
    check_run(reference, result, calls_of(result.run_id), events, parallel)


def one_after_the_other(workflow: Workflow) -> None:
    plan = planned(workflow, 1)
    check(workflow, *ended(lambda: run(plan)), 1, stops_at_once=True)


def one_at_a_time(workflow: Workflow) -> None:
    plan = planned(workflow, 1)
    check(workflow, *ended(lambda: run(plan)), 1)


def side_by_side(workflow: Workflow) -> None:
    plan = planned(workflow, 8)
    check(workflow, *ended(lambda: run(plan)), 8)


def twice_at_once(workflow: Workflow) -> None:
    plan = planned(workflow, 4)
    first, second = ended(lambda: run(plan), lambda: run(plan))
    assert first[0].run_id != second[0].run_id
    check(workflow, first, 4)
    check(workflow, second, 4)


def in_one_event_loop(workflow: Workflow, beside: Workflow) -> None:
    plans = [planned(workflow, 3), planned(beside, 8)]

    async def in_loop(plan: Plan) -> Ran:
        events: list[Any] = []
        return (await execute_async(plan, on_event=events.append)).result(), events

    async def both() -> list[Ran]:
        return await asyncio.gather(*map(in_loop, plans))

    one, other = ended(lambda: asyncio.run(both()))
    check(workflow, one, 3)
    check(beside, other, 8)


PROPERTIES = [
    pytest.param(one_after_the_other, [documents(holds_nodes=False, in_line=True)], id="one after the other"),
    pytest.param(one_after_the_other, [documents(in_line=True)], id="nested, one after the other"),
    pytest.param(one_at_a_time, [documents()], id="nested, one at a time"),
    pytest.param(side_by_side, [documents()], id="side by side"),
    pytest.param(twice_at_once, [documents()], id="twice at once"),
    pytest.param(in_one_event_loop, [documents(), documents()], id="two in one event loop"),
]


@pytest.mark.parametrize(("holds", "random"), PROPERTIES)
def test_random_documents_run_as_the_reference_says(holds, random):
    few(given(*random)(holds))()


@pytest.mark.slow
@pytest.mark.parametrize(("holds", "random"), PROPERTIES)
def test_many_random_documents_run_as_the_reference_says(holds, random):
    many(given(*random)(holds))()
