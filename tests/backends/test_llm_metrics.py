"""What a real Prometheus knows of programs behind ``llm.yaml``: exact sums over all traces, whichever are kept."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from backends.made_spans import sending
from backends.metered import Ran, having_run, service, stack, sum_of
from backends.prometheus import Prometheus
from backends.servers import get, wait_until
from docs.pages import ROOT, read_page
from pocketflow_otel.traces.model import Span, StatusCode

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(collector_program, the_jaeger, tmp_path_factory) -> Iterator[Ran]:
    with having_run(collector_program, the_jaeger, tmp_path_factory.mktemp("ran")) as one:
        yield one


def known(prom: Prometheus, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
    """What an expression gives now, by some labels."""
    return {tuple(one.labels.get(label, "") for label in labels): one.total for one in prom.at(expression)}


def summed(spans: list[Span], attribute: str, *by: Callable[[Span], str]) -> dict[tuple[str, ...], float]:
    sums: Counter[tuple[str, ...]] = Counter()
    for span in spans:
        if attribute in span.attributes:
            sums[tuple(each(span) for each in by)] += span.attributes[attribute]
    return dict(sums)


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
    assert errors == {("own",): 1}


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


PAGE = read_page(ROOT / "docs/backends/prometheus.md")


def test_every_metric_is_told_and_no_other(ran):
    ours = ("traces_", "pocketflow_", "gen_ai_")
    told = {
        code
        for code in PAGE.inline_code
        if re.fullmatch(r"(traces|pocketflow|gen_ai)_\w+(_total|_seconds|_usage)", code)
    }
    there = {name for name in ran.stack.prometheus.names() if name.startswith(ours)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in there} == told


def test_labels_are_told(ran):
    labels = {
        label for one in ran.stack.prometheus.at('{__name__=~"(traces|pocketflow|gen_ai)_.+"}') for label in one.labels
    }
    apart = {"__name__", "le", "job", "instance", "service_name", "gen_ai_operation_name", "gen_ai_token_type"}
    assert labels - apart <= set(PAGE.inline_code)


@pytest.mark.parametrize("query", [code for code in PAGE.inline_code if code.startswith(("sum", "histogram_quantile"))])
def test_queries_of_the_page_find_something(ran, query):
    assert ran.stack.prometheus.at(query)
