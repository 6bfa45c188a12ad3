"""Which traces ``llm.yaml`` keeps: those with errors, slow ones, costly ones, and a share of the others; each whole."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.collector import Collector, collecting
from backends.comparing import spans_in
from backends.jaeger import Jaeger
from backends.made_spans import Sender, sending
from backends.servers import free_port, wait_until

THRESHOLDS = {"SLOW_MS": "1000", "COSTLY_USD": "0.05", "AFTER_ROOT": "1s"}


@pytest.fixture
def sampling(collector_program: Path, the_jaeger: Jaeger, tmp_path: Path):
    """Runs a Collector that keeps a percentage of what is not kept anyway."""

    def run(percentage: int, **variables: str):
        endpoints = {"JAEGER_ENDPOINT": the_jaeger.grpc, "PROMETHEUS_ENDPOINT": f"127.0.0.1:{free_port()}"}
        settings = {**endpoints, **THRESHOLDS, "KEEP_PERCENTAGE": str(percentage), **variables}
        return collecting(collector_program, "llm.yaml", tmp_path, **settings)

    return run


@pytest.fixture
def dropping(sampling) -> Iterator[Collector]:
    with sampling(0) as collector:
        yield collector


def flow(sender: Sender, *, call: dict[str, Any] | None = None, seconds: float = 0.01, **usage: float) -> str:
    """Sends a flow of three spans in two requests, its root last; returns the trace's id."""
    attributes = {f"pocketflow.usage.{name}": value for name, value in usage.items()}
    root = sender.begin("invoke_workflow Flow", **{"gen_ai.operation.name": "invoke_workflow"}, **attributes)
    sender.span("invoke_node Ask", root)
    sender.send()
    sender.span("attempt", root, **(call or {}))
    context = sender.end(root, seconds=seconds)
    sender.send()
    return f"{context.trace_id:032x}"


def arrived(jaeger: Jaeger, service: str) -> dict[str, int]:
    """How many spans of each trace of a service there are."""
    return {trace: len(spans_in([jaeger.document_now(trace)])) for trace in jaeger.trace_ids(service)}


def test_errors_slow_and_costly_traces_are_kept_whole_and_others_dropped(dropping, the_jaeger):
    with sending(dropping.http) as sender:
        dropped = {
            "plain": flow(sender),
            "nearly slow": flow(sender, seconds=0.9),
            "cheap": flow(sender, cost_usd=0.049, total_tokens=1_000_000),
        }
        kept = {
            "a try that failed": flow(sender, call={"error": "TimeoutError"}),
            "slow": flow(sender, seconds=1.1),
            "costly": flow(sender, cost_usd=0.05),
        }
        wait_until(lambda: len(arrived(the_jaeger, sender.service)) >= len(kept))
        # Decisions are made in the order that traces came.
        assert arrived(the_jaeger, sender.service) == dict.fromkeys(kept.values(), 3)
        assert not dropped.values() & arrived(the_jaeger, sender.service).keys()


def test_late_spans_go_the_way_of_their_trace(dropping, the_jaeger):
    with sending(dropping.http) as sender:
        roots = {name: sender.begin(name) for name in ("dropped", "kept")}
        late = {name: sender.begin("late", root) for name, root in roots.items()}
        sender.end(roots["dropped"])
        sender.end(roots["kept"], error="ValueError")
        sender.send()
        kept = f"{roots['kept'].get_span_context().trace_id:032x}"
        wait_until(lambda: kept in arrived(the_jaeger, sender.service))
        sender.end(late["dropped"], error="ValueError")
        sender.end(late["kept"])
        sender.send()
        wait_until(lambda: arrived(the_jaeger, sender.service).get(kept) == 2)
        assert arrived(the_jaeger, sender.service) == {kept: 2}


def test_no_decision_is_made_while_a_flow_runs(dropping, the_jaeger):
    with sending(dropping.http) as sender:
        root = sender.begin("invoke_workflow Flow", **{"pocketflow.usage.cost_usd": 1.0})
        sender.span("invoke_node Ask", root)
        sender.send()
        # Another trace, begun later, is decided about meanwhile.
        other = flow(sender, cost_usd=1.0)
        wait_until(lambda: other in arrived(the_jaeger, sender.service))
        trace = f"{sender.end(root).trace_id:032x}"
        sender.send()
        wait_until(lambda: arrived(the_jaeger, sender.service) == {trace: 2, other: 3})


def test_traces_whose_root_never_comes_are_decided_about_too(sampling, the_jaeger):
    with sampling(0, LONGEST_TRACE="1s") as collector, sending(collector.http) as sender:
        root = sender.begin("killed")
        context = sender.span("invoke_node Ask", root, error="ValueError")
        sender.send()
        wait_until(lambda: arrived(the_jaeger, sender.service) == {f"{context.trace_id:032x}": 1})


def test_a_share_of_the_others_is_kept(sampling, the_jaeger):
    with sampling(40) as collector, sending(collector.http) as sender:
        for _ in range(200):
            flow(sender)
        last = flow(sender, cost_usd=1.0)
        wait_until(lambda: arrived(the_jaeger, sender.service).get(last) == 3)
        counts = arrived(the_jaeger, sender.service)
        assert 40 < len(counts) < 120
        assert set(counts.values()) == {3}
