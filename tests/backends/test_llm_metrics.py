"""What a real Prometheus knows of programs behind ``llm.yaml``: sums of all traces; and what the dashboard asks it."""

import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from backends import dashboard, prometheus
from backends.collector import Collector, collecting
from backends.jaeger import Jaeger
from backends.needed import program
from backends.prometheus import Prometheus, Series
from backends.sending import sending
from backends.servers import free_port, get, wait_until
from e2e.examples import EXAMPLES
from e2e.processes import Programs, run_command
from pocketflow_otel.traces.model import Span, StatusCode, Trace

STEP = 2
FAILING = """
from pocketflow import Flow, Node

class Ask(Node):
    def exec(self, prepared):
        return {"model": "in-house", "usage": {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}}

class Fail(Node):
    def exec(self, prepared):
        raise KeyError("question")

ask = Ask()
ask >> Fail(max_retries=2)
Flow(ask).run({})
"""
PAID_FOR_NOTHING = """
from pocketflow import Flow, Node
from pocketflow_otel import record_llm_usage

class Ask(Node):
    def exec(self, prepared):
        record_llm_usage(provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=500)
        if self.cur_retry < 2:
            raise TimeoutError("no answer")

class Inner(Flow):
    pass

Flow(Inner(Ask(max_retries=3))).run({})
"""


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


@pytest.fixture(scope="module")
def ran(collector_program, the_jaeger, tmp_path_factory) -> Iterator[Ran]:
    """Programs that ran side by side, one of them twice."""
    directory = tmp_path_factory.mktemp("metrics")
    programs = Programs(directory)
    programs.write("failing.py", FAILING)
    programs.write("retried.py", PAID_FOR_NOTHING)
    with stack(collector_program, the_jaeger, directory) as one:
        # Prometheus has to know the time before.
        wait_until(lambda: one.prometheus.at("up == 1"))
        began = time.time()
        names = ["agent_with_tools", "map_reduce", "map_reduce", "threads", "nested_flows"]
        scripts = [str(EXAMPLES / f"{name}.py") for name in names] + ["failing.py", "retried.py"]
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": one.collector.grpc, "OTEL_METRICS_EXPORTER": "otlp"}
        processes = [programs.start(*run_command(script), OTEL_TRACES_EXPORTER="", **variables) for script in scripts]
        for process in processes:
            process.communicate(timeout=60)
        traces = programs.read()
        assert len(traces) == len(scripts) + 2
        spans = sum(len(trace.spans) for trace in traces)
        wait_until(lambda: sum_of(one.prometheus.at("traces_span_metrics_calls_total")) == spans)
        wait_until(lambda: sum_of(one.prometheus.at("pocketflow_node_duration_seconds_count")) >= 1)
        # What the last scrape brought is in a step that has ended.
        ended = time.time() + STEP
        wait_until(lambda: time.time() > ended)
        yield Ran(one, traces, began, ended)


def sum_of(series: list[Series]) -> float:
    return sum(one.total for one in series)


def known(prom: Prometheus, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
    """What an expression gives now, by some labels."""
    return {tuple(one.labels.get(label, "") for label in labels): one.total for one in prom.at(expression)}


def summed(spans: list[Span], attribute: str, *by: Callable[[Span], str]) -> dict[tuple[str, ...], float]:
    sums: Counter[tuple[str, ...]] = Counter()
    for span in spans:
        if attribute in span.attributes:
            sums[tuple(each(span) for each in by)] += span.attributes[attribute]
    return dict(sums)


# Sums.


def test_every_span_is_counted(ran):
    labels = ("service_name", "span_name", "error_type", "pocketflow_action", "gen_ai_node_name", "status_code")
    told = ("error.type", "pocketflow.action", "gen_ai.node.name")
    expected = Counter(
        (
            service(span),
            span.name,
            *(span.attributes.get(name, "") for name in told),
            f"STATUS_CODE_{span.status.code}",
        )
        for span in ran.spans
    )
    assert known(ran.stack.prometheus, "traces_span_metrics_calls_total", *labels) == expected


def test_what_is_counted_for_several_processes_belongs_to_none_of_them(ran):
    series = ran.stack.prometheus.at('{__name__=~"traces_.+"}')
    target = ran.stack.metrics.removeprefix("http://").removesuffix("/metrics")
    assert {one.labels["instance"] for one in series} == {target}


@pytest.mark.parametrize(
    ("metric", "attribute"),
    [
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        ("calls", "calls"),
        ("unpriced_calls", "unpriced_calls"),
        ("cost_USD", "cost_usd"),
        ("retry_cost_USD", "retry.cost_usd"),
    ],
)
def test_usage_of_flows_is_summed(ran, metric, attribute):
    by = (service, lambda span: span.attributes["gen_ai.workflow.name"])
    expected = summed(ran.flows(), f"pocketflow.usage.{attribute}", *by)
    assert expected
    name = f"traces_pocketflow_flow_{metric}_total"
    assert known(ran.stack.prometheus, name, "service_name", "gen_ai_workflow_name") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "attribute"),
    [("input_tokens", "input_tokens"), ("output_tokens", "output_tokens"), ("cost_USD", "cost_usd")],
)
def test_usage_of_nodes_is_summed(ran, metric, attribute):
    by = (service, lambda span: span.attributes["gen_ai.node.name"])
    # Nested flows add up what their nodes used.
    nodes = [span for span in ran.nodes() if span.attributes["gen_ai.operation.name"] == "invoke_node"]
    expected = summed(nodes, f"pocketflow.usage.{attribute}", *by)
    name = f"traces_pocketflow_node_{metric}_total"
    assert known(ran.stack.prometheus, name, "service_name", "gen_ai_node_name") == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["input", "output"])
def test_tokens_of_models_are_those_of_flows(ran, kind):
    metric = f"traces_pocketflow_model_{kind}_tokens_total"
    expected = summed(ran.spans, f"gen_ai.usage.{kind}_tokens", lambda span: span.attributes["gen_ai.request.model"])
    told = known(ran.stack.prometheus, f"sum by (gen_ai_request_model) ({metric})", "gen_ai_request_model")
    assert told == expected
    of_flows = summed(ran.flows(), f"pocketflow.usage.{kind}_tokens", lambda span: "all")
    assert sum(told.values()) == of_flows["all",]


def test_what_programs_count_themselves_is_there_too(ran):
    prom = ran.stack.prometheus
    costs = known(prom, "sum by (service_name) (pocketflow_cost_USD_total)", "service_name")
    assert costs == pytest.approx(summed(ran.flows(), "pocketflow.usage.cost_usd", service))
    for kind, metric in (
        ("invoke_workflow", "gen_ai_invoke_workflow_duration"),
        ("invoke_node", "pocketflow_node_duration"),
    ):
        count = known(prom, f"sum by (service_name) ({metric}_seconds_count)", "service_name")
        spans = (span for span in ran.spans if span.attributes.get("gen_ai.operation.name") == kind)
        assert count == Counter((service(span),) for span in spans)
    errors = known(prom, "sum by (service_name) (pocketflow_node_errors_total)", "service_name")
    assert errors == {("failing",): 1}


def test_traces_that_are_dropped_are_counted(ran, the_jaeger):
    kept = {trace.trace_id for trace in ran.traces if any(span.status.code is StatusCode.ERROR for span in trace.spans)}
    assert 0 < len(kept) < len(ran.traces)
    wait_until(lambda: all(the_jaeger.document_now(trace_id)["resourceSpans"] for trace_id in kept))
    arrived = {trace.trace_id for trace in ran.traces if the_jaeger.document_now(trace.trace_id)["resourceSpans"]}
    assert arrived == kept


def test_no_request_is_lost_among_many_at_a_time(collector_program, the_jaeger, tmp_path):
    requests, senders = 40, 8
    usage = {"pocketflow.usage.input_tokens": 7, "pocketflow.usage.cost_usd": 0.5}
    attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "Flow", **usage}

    def send() -> None:
        with sending(one.collector.http, "busy") as sender:
            for _ in range(requests):
                sender.span("invoke_workflow Flow", attributes=attributes)
                sender.send()

    with stack(collector_program, the_jaeger, tmp_path) as one:
        threads = [threading.Thread(target=send) for _ in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sent = requests * senders
        wait_until(lambda: sum_of(one.prometheus.at("traces_span_metrics_calls_total")) == sent)
        wait_until(lambda: sum_of(one.prometheus.at("traces_pocketflow_flow_input_tokens_total")) >= 7 * sent, 5)
        assert known(one.prometheus, "traces_pocketflow_flow_input_tokens_total", "service_name") == {
            ("busy",): 7 * sent
        }
        assert known(one.prometheus, "traces_pocketflow_flow_cost_USD_total", "service_name") == {("busy",): 0.5 * sent}


def test_names_are_the_same_for_a_prometheus_that_takes_dots(ran):
    newest = "text/plain;version=1.0.0;escaping=allow-utf-8"
    names = [
        set(re.findall(rb"^# TYPE (\S+)", get(ran.stack.metrics, Accept=accept), re.MULTILINE))
        for accept in (newest, "text/plain")
    ]
    assert names[0] == names[1]
    assert b"traces_span_metrics_calls_total" in names[0]


# The dashboard.

QUERIES = dashboard.queries()


def expected_totals(ran: Ran) -> dict[str, float]:
    """What the panels with one number show."""
    flows, nodes = ran.flows(), ran.nodes()

    def usage(name: str) -> float:
        return sum(span.attributes.get(f"pocketflow.usage.{name}", 0) for span in flows)

    def failed(spans: list[Span]) -> int:
        return sum(span.status.code is StatusCode.ERROR for span in spans)

    tried = [span for span in ran.spans if span.attributes.get("pocketflow.attempts", 1) > 1]
    return {
        "Flows (stat)": len(flows),
        "Failed flows (stat)": failed(flows),
        "Node visits (stat)": len(nodes),
        "Node errors (stat)": failed(nodes),
        "Retries (stat)": sum(span.attributes["pocketflow.attempts"] - 1 for span in tried),
        "Tokens (stat)": usage("total_tokens"),
        "Cost (stat)": usage("cost_usd"),
        "Calls without a price (stat)": usage("unpriced_calls"),
    }


def test_numbers_on_the_dashboard_are_those_of_the_traces(ran):
    shown = {query.panel: sum_of(ran.shown(query)) for query in QUERIES if query.panel.endswith("(stat)")}
    assert shown == pytest.approx(expected_totals(ran))
    assert 0 not in shown.values()


@pytest.mark.parametrize("query", QUERIES, ids=[f"{place} {query.panel}" for place, query in enumerate(QUERIES)])
def test_every_query_of_the_dashboard_finds_something(ran, query):
    series = ran.shown(query)
    assert series
    assert any(value > 0 for one in series for value in one.values.values() if not math.isnan(value))
    assert ran.shown(query, "no-such-service") == []


@pytest.mark.parametrize(
    ("panel", "total"),
    [
        ("Flows (timeseries)", "Flows (stat)"),
        ("Node visits (timeseries)", "Node visits (stat)"),
        ("Errors (timeseries)", "Node errors (stat)"),
        ("Retries (timeseries)", "Retries (stat)"),
        ("Actions (timeseries)", "Actions"),
        ("Tokens by flow (timeseries)", "Tokens (stat)"),
        ("Tokens by node (timeseries)", "Tokens (stat)"),
        ("Tokens by model (timeseries)", "Tokens (stat)"),
        ("Cost by node (timeseries)", "Cost (stat)"),
        ("Cost by model (timeseries)", "Cost (stat)"),
    ],
)
def test_bars_add_up_to_the_totals(ran, panel, total):
    totals = expected_totals(ran) | {"Actions": sum("pocketflow.action" in span.attributes for span in ran.nodes())}
    assert sum(sum_of(ran.shown(query)) for query in QUERIES if query.panel == panel) == pytest.approx(totals[total])


def test_cost_of_failed_tries_is_that_of_the_flows(ran):
    (query,) = (query for query in QUERIES if query.panel.startswith("Cost of failed tries"))
    expected = sum(span.attributes.get("pocketflow.usage.retry.cost_usd", 0) for span in ran.flows())
    assert expected > 0
    assert sum_of(ran.shown(query)) == pytest.approx(expected)


def test_table_tells_the_mean_and_the_visits_of_every_node(ran):
    _, mean, visits = (query for query in QUERIES if query.panel == "Slowest nodes (table)")
    durations: dict[str, list[float]] = {}
    for span in ran.nodes():
        durations.setdefault(span.attributes["gen_ai.node.name"], []).append((span.end_ns - span.start_ns) / 1e9)
    by_node = {one.labels["gen_ai_node_name"]: one.total for one in ran.shown(visits)}
    assert by_node == {name: len(each) for name, each in durations.items()}
    means = {one.labels["gen_ai_node_name"]: one.total for one in ran.shown(mean)}
    assert means == pytest.approx({name: sum(each) / len(each) for name, each in durations.items()})


def test_the_service_can_be_chosen(ran):
    (variable,) = dashboard.document()["templating"]["list"]
    selector, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
    services = ran.stack.prometheus.values_of(label, selector)
    assert services == sorted({service(span) for span in ran.spans})
    assert variable["allValue"] == ".*"
    one = next(query for query in QUERIES if query.panel == "Flows (stat)")
    assert {name: sum_of(ran.shown(one, name)) for name in services} == Counter(map(service, ran.flows()))


def test_metrics_that_are_asked_for_exist(ran):
    asked = {name for query in QUERIES for name in re.findall(r"\b(\w+)\{", query.expression)}
    assert len(asked) >= 12
    assert asked <= ran.stack.prometheus.names()


def test_grafana_knows_every_part_of_the_dashboard():
    """Grafana itself is not here; its published types read the file and write the same again."""
    plugins.register_default_plugins()
    written = JSONEncoder().encode(Dashboard.from_json(dashboard.document()))
    assert missing(dashboard.document(), json.loads(written)) == []


def missing(wanted: object, there: object, place: str = "") -> list[str]:
    """The places of what one document has and another one, which may have more, has not."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        absent = [f"{place}.{name}" for name in wanted.keys() - there.keys()]
        return absent + [
            found
            for name in wanted.keys() & there.keys()
            for found in missing(wanted[name], there[name], f"{place}.{name}")
        ]
    if isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        pairs = enumerate(zip(wanted, there, strict=True))
        return [found for number, pair in pairs for found in missing(*pair, f"{place}[{number}]")]
    return [] if wanted == there else [f"{place}: {wanted!r} became {there!r}"]
