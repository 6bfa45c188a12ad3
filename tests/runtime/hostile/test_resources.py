"""Runs leave nothing behind: no thread, no open file, no task, no memory but what is asked to stay."""

import asyncio
import gc
import threading
import tracemalloc
import uuid
from pathlib import Path
from types import MethodType
from typing import Any

import pytest

from backends.servers import wait_until
from pocketflow_otel.runtime import collect, execute, execute_async, load, prepare

HERE = "runtime.hostile.nodes"
EVERYTHING: dict[str, Any] = {
    "workflow": "everything",
    "connections": {
        "sqlite.here": {"path": "x.sqlite"},
        "http.here": {"base_url": "http://127.0.0.1:1", "verify": False},
    },
    "limits": {"seconds": 600},
    "nodes": {
        "a": {"type": f"{HERE}:coroutine", "undo": "back"},
        "b": {"type": f"{HERE}:pause", "with": {"seconds": 0.001}, "timeout": 60},
        "c": {"type": "python", "with": {"code": "print(a)\nreturn [a] * 3", "args": {"a": "${a}"}}},
        "each": {
            "type": "map",
            "with": {"over": "${c}", "parallel": 3, "do": {"x": {"type": "template", "with": {"text": "${item}"}}}},
        },
        "sql": {"type": "sql.query", "with": {"connection": "@sqlite.here", "sql": "SELECT 1 AS n"}},
        "web": {
            "type": "http.request",
            "with": {"connection": "@http.here", "url": "/"},
            "on_error": "continue",
            "retry": {"tries": 2},
        },
        "last": {"type": f"{HERE}:raises", "with": {"kind": "MemoryError"}, "needs": ["each", "sql", "web", "b"]},
        "back": {"type": f"{HERE}:give"},
    },
}


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def objects() -> int:
    """How many there are, but for bound methods: what measures the coverage of tests keeps some for each thread."""
    gc.collect()
    return sum(type(each) is not MethodType for each in gc.get_objects())


def ours() -> int:
    return sum(thread.name.startswith("pocketflow-") for thread in threading.enumerate())


def in_threads(plan: Any, folder: Path) -> None:
    result = collect(execute(plan, directory=folder / uuid.uuid4().hex))
    assert result.status == "failed"
    assert len(result.undone) == 1


def in_a_loop(plan: Any, folder: Path) -> None:
    async def run() -> None:
        result = collect(await execute_async(plan, directory=folder / uuid.uuid4().hex))
        assert result.status == "failed"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


@pytest.mark.parametrize("how", [in_threads, in_a_loop])
@pytest.mark.parametrize("times", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_runs_leave_nothing_behind(how, times, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = prepare(load(EVERYTHING))
    for _ in range(10):  # what is kept for all
        how(plan, tmp_path)
    wait_until(lambda: ours() == 0)
    before, files = objects(), open_files()
    for _ in range(times):
        how(plan, tmp_path)
    wait_until(lambda: ours() == 0)
    # A run that stayed would be some thousand objects.
    assert (objects() - before) / times < 20
    assert open_files() <= files + 2


LOOP: dict[str, Any] = {
    "workflow": "loop",
    "limits": {"visits": 1_000_000},
    "nodes": {
        "count": {"type": "set", "with": {"compute": {"n": "default(count.n, 0) + 1"}}},
        "more": {"type": "condition", "with": {"cases": [{"when": "count.n < 10", "action": "again"}]}},
    },
    "edges": [
        {"from": "count", "to": "more"},
        {"from": "more", "action": "again", "to": "count"},
        {"from": "more", "to": "end"},
    ],
}


@pytest.mark.parametrize("visits", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_visit_costs_its_record_and_no_more(visits):
    LOOP["nodes"]["more"]["with"]["cases"][0]["when"] = f"count.n < {visits // 2}"
    plan = prepare(load(LOOP))
    tracemalloc.start()
    result = collect(execute(plan))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.status == "succeeded"
    assert len(result.nodes) == visits
    records = sum(held_by(record) for record in result.nodes[:100]) / 100
    assert peak / visits < 3 * records + 500


def held_by(record: Any) -> int:
    """Bytes of a record and what it alone holds."""
    fields = [getattr(record, name) for name in record.__slots__ if name not in {"cause", "node", "status", "role"}]
    return record.__sizeof__() + 16 + sum(value.__sizeof__() for value in fields)
