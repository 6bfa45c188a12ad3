"""What a real Prometheus answers to the dashboard after programs have run: the numbers of their traces."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from backends import dashboard
from backends.metered import Ran, having_run, service, sum_of
from pocketflow_otel.traces.model import Span, StatusCode

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(collector_program, the_jaeger, tmp_path_factory) -> Iterator[Ran]:
    with having_run(collector_program, the_jaeger, tmp_path_factory.mktemp("ran")) as one:
        yield one


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
