"""The metrics of flows and nodes."""

from typing import Any

import pocketflow
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from instrumentation.recording import Recording, traced

FLOW = "gen_ai.invoke_workflow.duration"
NODE = "pocketflow.node.duration"
RETRIES = "pocketflow.node.retries"
ERRORS = "pocketflow.node.errors"


class Ask(pocketflow.Node): ...


class Flaky(pocketflow.Node):
    """Fails a number of times, then no more."""

    def __init__(self, failures: int, max_retries: int = 3) -> None:
        super().__init__(max_retries)
        self.failures = iter(range(failures))

    def exec(self, prep_res: Any) -> None:
        if next(self.failures, None) is not None:
            raise ValueError("flaky")


def points(recording: Recording, name: str) -> dict[tuple[tuple[str, Any], ...], float]:
    """A metric's points by their attributes: how often, or how much."""
    if name not in recording.metrics:
        return {}
    return {
        tuple(sorted(point.attributes.items())): getattr(point, "count", None) or point.value
        for point in recording.metrics[name].data.data_points
    }


def of_node(name: str, flow: str | None = "Flow", error: str | None = None) -> tuple[tuple[str, Any], ...]:
    attributes = {"gen_ai.node.name": name}
    if flow is not None:
        attributes["gen_ai.workflow.name"] = flow
    if error is not None:
        attributes["error.type"] = error
    return tuple(sorted(attributes.items()))


def of_flow(name: str, error: str | None = None) -> tuple[tuple[str, Any], ...]:
    attributes = {"gen_ai.workflow.name": name}
    if error is not None:
        attributes["error.type"] = error
    return tuple(sorted(attributes.items()))


def test_durations_of_flows_and_nodes() -> None:
    start = Ask()
    start >> Ask()
    flow = pocketflow.Flow(start)
    with traced() as recording:
        flow.run({})
        flow.run({})
    assert points(recording, FLOW) == {of_flow("Flow"): 2}
    assert points(recording, NODE) == {of_node("Ask"): 2, of_node("Ask#2"): 2}
    assert points(recording, RETRIES) == {}
    assert points(recording, ERRORS) == {}


def test_units_and_kinds() -> None:
    with traced() as recording:
        pocketflow.Flow(Flaky(1)).run({})
        with pytest.raises(ValueError):
            Flaky(1, max_retries=1).run({})
    metrics = recording.metrics
    assert {name: metric.unit for name, metric in metrics.items()} == {
        FLOW: "s",
        NODE: "s",
        RETRIES: "{retry}",
        ERRORS: "{error}",
    }
    assert {name: type(metric.data).__name__ for name, metric in metrics.items()} == {
        FLOW: "Histogram",
        NODE: "Histogram",
        RETRIES: "Sum",
        ERRORS: "Sum",
    }
    assert metrics[RETRIES].data.is_monotonic
    (point,) = metrics[FLOW].data.data_points
    assert list(point.explicit_bounds) == [0.01 * 2**power for power in range(14)]


def test_a_duration_is_that_of_the_span_in_seconds() -> None:
    with traced() as recording:
        pocketflow.Flow(Ask()).run({})
    (point,) = recording.metrics[FLOW].data.data_points
    span = recording.one("invoke_workflow Flow")
    assert 0 < point.sum <= (span.end_time - span.start_time) / 1e9 + 0.001


def test_an_error_marks_node_and_flow() -> None:
    with traced() as recording, pytest.raises(ValueError):
        pocketflow.Flow(Flaky(3)).run({})
    assert points(recording, FLOW) == {of_flow("Flow", "ValueError"): 1}
    assert points(recording, NODE) == {of_node("Flaky", error="ValueError"): 1}
    assert points(recording, ERRORS) == {of_node("Flaky", error="ValueError"): 1}
    assert points(recording, RETRIES) == {of_node("Flaky"): 2}


def test_tries_after_the_first_are_retries() -> None:
    with traced() as recording:
        pocketflow.Flow(Flaky(2)).run({})
    assert points(recording, RETRIES) == {of_node("Flaky"): 2}
    assert points(recording, ERRORS) == {}


def test_retries_of_items_are_summed() -> None:
    class Items(pocketflow.BatchNode):
        def prep(self, shared: Any) -> list[list[int]]:
            return [[0], [0, 0], []]

        def exec(self, failures: list[int]) -> None:
            if failures:
                failures.pop()
                raise ValueError

    with traced() as recording:
        pocketflow.Flow(Items(max_retries=3)).run({})
    assert points(recording, RETRIES) == {of_node("Items"): 3}


async def test_parallel_items_and_rounds() -> None:
    class Items(pocketflow.AsyncParallelBatchNode):
        async def prep_async(self, shared: Any) -> list[int]:
            return [1, 2]

    class Rounds(pocketflow.AsyncParallelBatchFlow):
        async def prep_async(self, shared: Any) -> list[dict[str, Any]]:
            return [{"n": 1}, {"n": 2}]

    with traced() as recording:
        await pocketflow.AsyncFlow(Rounds(Items())).run_async({})
    assert points(recording, NODE) == {of_node("Items", "Rounds"): 2}
    assert points(recording, FLOW) == {of_flow("AsyncFlow"): 1, of_flow("Rounds"): 1}


def test_a_nested_flow_is_measured_as_a_flow() -> None:
    inner = pocketflow.Flow(Ask())
    inner.name = "inner"
    with traced() as recording:
        pocketflow.Flow(inner).run({})
    assert points(recording, FLOW) == {of_flow("Flow"): 1, of_flow("inner"): 1}
    assert points(recording, NODE) == {of_node("Ask", "inner"): 1}


def test_a_node_by_itself_belongs_to_no_flow() -> None:
    with traced() as recording:
        Ask().run({})
    assert points(recording, NODE) == {of_node("Ask", None): 1}
    assert FLOW not in recording.metrics


@pytest.mark.parametrize("without_traces", [{"sampler": ALWAYS_OFF}, {"tracer_provider": None}])
def test_metrics_need_no_traces(without_traces: dict[str, Any]) -> None:
    with traced(**without_traces) as recording:
        pocketflow.Flow(Flaky(2)).run({})
        with pytest.raises(ValueError):
            pocketflow.Flow(Flaky(3)).run({})
    assert recording.spans == []
    assert points(recording, FLOW) == {of_flow("Flow"): 1, of_flow("Flow", "ValueError"): 1}
    assert points(recording, NODE) == {of_node("Flaky"): 1, of_node("Flaky", error="ValueError"): 1}
    assert points(recording, RETRIES) == {of_node("Flaky"): 4}
    assert points(recording, ERRORS) == {of_node("Flaky", error="ValueError"): 1}


def test_an_exemplar_leads_to_the_trace() -> None:
    with traced() as recording:
        pocketflow.Flow(Ask()).run({})
    (point,) = recording.metrics[NODE].data.data_points
    (exemplar,) = point.exemplars
    assert exemplar.trace_id == recording.spans[0].context.trace_id
    assert exemplar.span_id == recording.one("invoke_node Ask").context.span_id
