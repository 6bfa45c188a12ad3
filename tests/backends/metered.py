"""Programs that have run behind ``llm.yaml``, and a Prometheus that knows what the Collector counted."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backends import dashboard, prometheus
from backends.collector import Collector, collecting
from backends.jaeger import Jaeger
from backends.needed import program
from backends.prometheus import Prometheus, Series
from backends.servers import free_port, wait_until
from e2e.examples import EXAMPLES
from e2e.processes import Programs, run_command
from pocketflow_otel.traces.model import Span, Trace

STEP = 2
OWN = """
from pocketflow import Flow, Node
from pocketflow_otel import record_llm_usage

class PaidTwiceForNothing(Node):
    def exec(self, prepared):
        record_llm_usage(
            provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=500, duration_seconds=0.1
        )
        if self.cur_retry < 2:
            raise TimeoutError("no answer")

class Inner(Flow):
    pass

class Ask(Node):
    def exec(self, prepared):
        return {"model": "in-house", "usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}}

class Fail(Node):
    def exec(self, prepared):
        raise KeyError("question")

Flow(Inner(PaidTwiceForNothing(max_retries=3))).run({})
Flow(Ask()).run({})
ask = Ask()
ask >> Fail(max_retries=2)
Flow(ask).run({})
"""
"""A nested flow with tries that failed, a flow whose call has no known price, and one that fails: a trace each."""


@dataclass
class Stack:
    """A Collector that drops traces without errors, and the Prometheus that reads its metrics."""

    collector: Collector
    prometheus: Prometheus
    metrics: str


@contextmanager
def stack(collector_program: Path, jaeger: Jaeger, directory: Path) -> Iterator[Stack]:
    target = f"127.0.0.1:{free_port()}"
    variables = {"JAEGER_ENDPOINT": jaeger.grpc, "PROMETHEUS_ENDPOINT": target, "METRICS_INTERVAL": "200ms"}
    variables |= {"KEEP_PERCENTAGE": "0", "AFTER_ROOT": "1s"}
    with (
        collecting(collector_program, "llm.yaml", directory, **variables) as collector,
        prometheus.scraping(program("prometheus"), target, directory) as one,
    ):
        yield Stack(collector, one, f"http://{target}/metrics")


@dataclass
class Ran:
    """Programs that have run, and what is known of it."""

    stack: Stack
    traces: list[Trace]
    began: float
    ended: float

    @property
    def spans(self) -> list[Span]:
        return [span for trace in self.traces for span in trace.spans]

    def flows(self) -> list[Span]:
        return [one for one in self.spans if "gen_ai.workflow.name" in one.attributes and not visit(one)]

    def nodes(self) -> list[Span]:
        return [one for one in self.spans if visit(one)]

    def shown(self, query: dashboard.Query, service: str = ".*") -> list[Series]:
        return query.ask(self.stack.prometheus, service, self.began, self.ended, STEP)


def visit(span: Span) -> int:
    return span.attributes.get("pocketflow.node.visit", 0)


def service(span: Span) -> str:
    return span.resource["service.name"]


@contextmanager
def having_run(collector_program: Path, jaeger: Jaeger, directory: Path) -> Iterator[Ran]:
    """Has programs run side by side, one of them twice."""
    programs = Programs(directory)
    programs.write("own.py", OWN)
    with stack(collector_program, jaeger, directory) as one:
        # Prometheus has to know the time before.
        wait_until(lambda: one.prometheus.at("up == 1"))
        began = time.time()
        scripts = [str(EXAMPLES / f"{name}.py") for name in ("agent_with_tools", "map_reduce", "map_reduce")] + [
            "own.py"
        ]
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": one.collector.grpc, "OTEL_METRICS_EXPORTER": "otlp"}
        processes = [programs.start(*run_command(script), OTEL_TRACES_EXPORTER="", **variables) for script in scripts]
        for process in processes:
            process.communicate(timeout=60)
        traces = programs.read()
        assert len(traces) == len(scripts) + 2
        spans = [span for trace in traces for span in trace.spans]
        visits = sum(span.attributes.get("gen_ai.operation.name") == "invoke_node" for span in spans)
        calls = sum(span.name.startswith("chat ") for span in spans)
        wait_until(lambda: sum_of(one.prometheus.at("traces_span_metrics_calls_total")) == len(spans))
        wait_until(lambda: sum_of(one.prometheus.at("traces_pocketflow_flow_calls_total")) == calls)
        wait_until(lambda: sum_of(one.prometheus.at("pocketflow_node_duration_seconds_count")) == visits)
        # What the last scrape brought is in a step that has ended.
        ended = time.time() + STEP
        wait_until(lambda: time.time() > ended)
        yield Ran(one, traces, began, ended)


def sum_of(series: list[Series]) -> float:
    return sum(one.total for one in series)
