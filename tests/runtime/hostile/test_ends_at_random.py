"""Random documents that are interrupted, or cancelled, at random moments: they end, and what they did is told."""

import asyncio
import threading
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.servers import wait_until
from pocketflow_otel.runtime import Event, Result, Run, execute_async, load, prepare
from runtime.reference.documents import lone_documents
from runtime.reference.nodes_for_documents import calls_of

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
few = settings(max_examples=40, deadline=None, suppress_health_check=CHECKS)
many = settings(max_examples=200, deadline=None, suppress_health_check=CHECKS)
ENDS = {"succeeded", "degraded", "failed", "limit", "interrupted"}
LONGEST_SECONDS = 60


def ours() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("pocketflow-")}


def all_ended(events: list[Event]) -> None:
    """Each visit that began has ended, and the run once."""
    began, ended = (
        Counter((event.node, event.visit, event.at) for event in events if event.kind == kind)
        for kind in ("node.started", "node.finished")
    )
    assert not began - ended
    assert [event.kind for event in events if event.kind.startswith("run.")] == ["run.started", "run.finished"]
    wait_until(lambda: not ours() - BEFORE, LONGEST_SECONDS)


def is_whole(result: Result, events: list[Event]) -> None:
    """Each visit that began has ended and is in the result, and nothing goes on."""
    all_ended(events)
    ended = [event for event in events if event.kind in {"node.finished", "node.skipped"}]
    told = Counter((event.node, event.visit, event.at) for event in ended)
    assert Counter((record.node, record.visit, record.at) for record in (*result.nodes, *result.undone)) == told
    assert result.summary.abandoned_threads == 0


BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _threads_before():
    BEFORE.clear()
    BEFORE.update(ours())


def interrupted(document: dict[str, Any], seconds: float) -> None:
    events: list[Event] = []
    run = Run(prepare(load(document)), on_event=events.append).start()
    time.sleep(seconds)
    run.interrupt()
    waiting = threading.Thread(target=run.wait, daemon=True)
    waiting.start()
    waiting.join(LONGEST_SECONDS)
    assert not waiting.is_alive(), "the run does not end"
    result = run.result()
    calls_of(run.id)
    assert result.status in ENDS
    if result.status == "interrupted":
        assert result.error is not None
        assert result.error.type == "Interrupted"
    is_whole(result, events)


def interrupted_at_event(document: dict[str, Any], number: int) -> None:
    """The moment is an event's, which time seldom meets."""
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if len(events) == number:
            run.interrupt()

    run = Run(prepare(load(document)), on_event=listen)
    run.start()
    waiting = threading.Thread(target=run.wait, daemon=True)
    waiting.start()
    waiting.join(LONGEST_SECONDS)
    assert not waiting.is_alive(), "the run does not end"
    result = run.result()
    calls_of(run.id)
    assert result.status in ENDS
    is_whole(result, events)


def cancelled(document: dict[str, Any], seconds: float) -> None:
    events: list[Event] = []

    async def run() -> None:
        task = asyncio.create_task(execute_async(prepare(load(document)), on_event=events.append))
        await asyncio.sleep(seconds)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=LONGEST_SECONDS)
        assert done, "the run does not end"
        if not task.cancelled():
            assert task.result().result().status in ENDS
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    if events:
        calls_of(events[0].run_id)
        all_ended(events)


MOMENTS = st.floats(0, 0.02)
PROPERTIES = [
    pytest.param(interrupted, (lone_documents(), MOMENTS), id="interrupted"),
    pytest.param(interrupted_at_event, (lone_documents(), st.integers(1, 40)), id="interrupted at an event"),
    pytest.param(cancelled, (lone_documents(), MOMENTS), id="cancelled"),
]


@pytest.mark.parametrize(("holds", "random"), PROPERTIES)
def test_random_documents_end_when_they_are_told_to(holds, random):
    few(given(*random)(holds))()


@pytest.mark.slow
@pytest.mark.parametrize(("holds", "random"), PROPERTIES)
def test_many_random_documents_end_when_they_are_told_to(holds, random):
    many(given(*random)(holds))()
