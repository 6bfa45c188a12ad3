"""Whoever listens to a run's events may raise, wait or interrupt: the run ends, and its result is whole."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pocketflow_otel.runtime import Event, Result, Run, collect, execute, load, prepare
from pocketflow_otel.runtime.errors import RunError
from pocketflow_otel.runtime.running import run as running
from runtime.hostile.nodes import let_go

HERE = "runtime.hostile.nodes"
KINDS = ["run.started", "node.started", "node.finished", "node.skipped", "run.finished"]
LONGEST_SECONDS = 60


@pytest.fixture(autouse=True)
def _let_go():
    let_go.clear()
    yield
    let_go.set()


def wide(nodes: int = 6) -> dict[str, Any]:
    """Some nodes at once, and many that are skipped because of them: these are told of while locks are held."""
    first = {f"n{number}": {"type": f"{HERE}:pause", "with": {"seconds": 0.01}} for number in range(nodes)}
    skipped = {
        f"s{number}": {"type": f"{HERE}:give", "needs": [f"n{number}"], "when": "1 == 2"} for number in range(nodes)
    }
    after = {f"t{number}": {"type": f"{HERE}:give", "needs": [f"s{number % nodes}"]} for number in range(100)}
    return {"workflow": "wide", "nodes": first | skipped | after, "limits": {"parallel": nodes}}


def on(kind: str, do: Callable[[], object]) -> Callable[[Event], None]:
    def listener(event: Event) -> None:
        if event.kind == kind:
            do()

    return listener


def ended(run: Run) -> Result:
    waiting = threading.Thread(target=run.wait, daemon=True)
    waiting.start()
    waiting.join(LONGEST_SECONDS)
    assert not waiting.is_alive(), "the run does not end"
    return run.result()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_one_that_raises_is_told_nothing_more_and_the_others_are(kind, error, tmp_path):
    def fail() -> None:
        raise error("no more")

    result = ended(Run(prepare(load(wide())), on_event=on(kind, fail), directory=tmp_path / "run").start())
    assert result.status == "succeeded"
    (problem,) = result.problems
    assert problem.startswith("events are not told any more to on.<locals>.listener: ")
    assert problem.endswith(": no more")
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert len(lines) == 2 + 6 + 6 + 6 + 100  # the run's two; each of the first two; and those that were skipped
    assert '"run.finished"' in lines[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["here", "in another thread"])
def test_one_that_interrupts_the_run(kind, where):
    def interrupt() -> None:
        thread = threading.Thread(target=run.interrupt)
        (run.interrupt if where == "here" else thread.start)()
        if where != "here":
            thread.join()

    for _ in range(5):
        run = Run(prepare(load(wide())), on_event=on(kind, interrupt))
        result = ended(run.start())
        assert result.status == ("succeeded" if kind == "run.finished" else "interrupted")


def test_one_that_waits_for_ever_keeps_no_interrupted_run_from_its_end(monkeypatch):
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.2)
    run = Run(prepare(load(wide())), on_event=on("node.finished", lambda: let_go.wait(LONGEST_SECONDS))).start()
    run.interrupt()
    result = ended(run)
    assert result.status == "interrupted"


def test_an_event_that_an_event_brings_about_is_told_after_it():
    told: list[str] = []

    def second(event: Event) -> None:
        told.append(f"{event.kind} {event.node}")

    def first(event: Event) -> None:
        if event.kind == "node.started" and event.node == "a":
            inner = {"workflow": "inner", "nodes": {"x": {"type": f"{HERE}:give"}}}
            collect(execute(prepare(load(inner)), on_event=second))
        second(event)

    outer = {"workflow": "outer", "nodes": {"a": {"type": f"{HERE}:give"}}}
    collect(execute(prepare(load(outer)), on_event=first))
    inside = ["run.started ", "node.started x", "node.finished x", "run.finished "]
    assert told == ["run.started ", *inside, "node.started a", "node.finished a", "run.finished "]


async def test_a_run_that_needs_this_event_loop_is_not_waited_for_in_it():
    nodes = {"a": {"type": f"{HERE}:coroutine"}}
    run = Run(prepare(load({"workflow": "x", "nodes": nodes})), loop=asyncio.get_running_loop()).start()
    with pytest.raises(RunError, match="await wait_async"):
        run.result()
    await run.wait_async()
    assert (await asyncio.to_thread(run.result)).outputs == {"a": 5}


@pytest.mark.parametrize("many", [8])
def test_runs_of_one_plan_at_once_stay_apart(many):
    plan = prepare(load(wide()))
    results: list[Result] = []
    threads = [threading.Thread(target=lambda: results.append(collect(execute(plan)))) for _ in range(many)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST_SECONDS)
    assert time.monotonic() - began < LONGEST_SECONDS
    assert len({result.run_id for result in results}) == many
    assert {result.status for result in results} == {"succeeded"}
    assert {len(result.nodes) for result in results} == {112}
