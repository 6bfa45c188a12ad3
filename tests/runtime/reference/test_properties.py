"""Random workflow documents come to what the reference interpreter says, however many nodes run at once."""

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pocketflow_otel.runtime import Plan, Result, collect, execute, load, prepare
from runtime.reference.comparing import check_run
from runtime.reference.documents import documents
from runtime.reference.interpreter import Reference
from runtime.reference.nodes_for_documents import calls_of

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
few = settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
many = settings(max_examples=1000, deadline=None, suppress_health_check=CHECKS)


def with_parallel(document: dict[str, Any], parallel: int) -> dict[str, Any]:
    return {**document, "limits": {**document.get("limits", {}), "parallel": parallel}}


def ended(plan: Plan, times: int = 1) -> list[Result]:
    """Runs a plan so many times at once. What hangs is told as that, and does not hang the tests."""
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(collect(execute(plan))), daemon=True) for _ in range(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [thread for thread in threads if thread.is_alive()] == [], "a run does not end"
    assert [result.problems for result in results] == [()] * times
    return results


def check_against_reference(document: dict[str, Any], parallel: int, *, stops_at_once: bool) -> None:
    document = with_parallel(document, parallel)
    [result] = ended(prepare(load(document)))
    check_run(Reference(document, {}, stops_at_once=stops_at_once), result, calls_of(result.run_id), parallel)


def one_after_the_other(document: dict[str, Any]) -> None:
    check_against_reference(document, 1, stops_at_once=True)


def nested_one_after_the_other(document: dict[str, Any]) -> None:
    check_against_reference(document, 1, stops_at_once=False)


def side_by_side(document: dict[str, Any]) -> None:
    check_against_reference(document, 8, stops_at_once=False)


def twice_at_once(document: dict[str, Any]) -> None:
    document = with_parallel(document, 4)
    results = ended(prepare(load(document)), times=2)
    first, second = results
    assert first.run_id != second.run_id
    for result in results:
        check_run(Reference(document, {}, stops_at_once=False), result, calls_of(result.run_id), 4)


PROPERTIES = [
    pytest.param(one_after_the_other, documents(holds_nodes=False, timed=True), id="one after the other"),
    pytest.param(nested_one_after_the_other, documents(), id="nested, one after the other"),
    pytest.param(side_by_side, documents(), id="side by side"),
    pytest.param(twice_at_once, documents(), id="twice at once"),
]


@pytest.mark.parametrize(("holds", "random"), PROPERTIES)
def test_random_documents_run_as_the_reference_says(holds, random):
    few(given(random)(holds))()


@pytest.mark.slow
@pytest.mark.parametrize(("holds", "random"), PROPERTIES)
def test_many_random_documents_run_as_the_reference_says(holds, random):
    many(given(random)(holds))()
