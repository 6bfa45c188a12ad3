"""Exported files in the pages that open them, in a real browser: speedscope and Mermaid."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from backends import speedscope
from backends.browser import browsing
from backends.mermaid import Mermaid
from backends.needed import program
from backends.speedscope import Speedscope
from pocketflow_otel import semconv
from pocketflow_otel.traces.formats import chrome, mermaid
from pocketflow_otel.traces.formats.tracks import lay_out
from pocketflow_otel.traces.model import Span, Status, StatusCode, Trace
from traces.formats.trees import span, trace, traces


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browsing(program("chromium")) as one:
        yield one


@pytest.fixture
def the_speedscope(page: Page, tmp_path: Path) -> Iterator[Speedscope]:
    with speedscope.serving(program("speedscope"), tmp_path, page) as one:
        yield one


@pytest.fixture
def the_mermaid(page: Page) -> Mermaid:
    return Mermaid(program("mermaid"), page)


def understood(given_out: dict[str, Any]) -> Counter[tuple[str, tuple[str, ...], int]]:
    """Each span that speedscope has: its profile, its name after those around it, its length in nanoseconds."""
    frames = [frame["name"] for frame in given_out["shared"]["frames"]]
    found: Counter[tuple[str, tuple[str, ...], int]] = Counter()
    for profile in given_out["profiles"]:
        around: list[tuple[str, float]] = []
        for event in profile["events"]:
            if event["type"] == "O":
                around.append((frames[event["frame"]], event["at"]))
            else:
                names = tuple(name for name, _ in around)
                _, start = around.pop()
                found[profile["name"], names, round((event["at"] - start) * 1000)] += 1
    return found


def laid_out(some: list[Trace]) -> Counter[tuple[str, tuple[str, ...], int]]:
    """The same of the spans as they are put on tracks."""
    found: Counter[tuple[str, tuple[str, ...], int]] = Counter()
    number = 0
    for process_id, process in enumerate(lay_out(some), 1):
        for number, track in enumerate(process.tracks, number + 1):
            profile = f"{process.name} (pid {process_id}), {track.name} (tid {number})"
            names: list[str] = []
            for placed, depth in track.spans:
                names[depth:] = [placed.span.name]
                found[profile, tuple(names), placed.end_ns - placed.start_ns] += 1
    return found


def named(made: Trace, number: int) -> Trace:
    """The trace with an id of its own, and a name for all that has none: speedscope has words of its own there."""
    spans = [dataclasses.replace(each, name=each.name or "nameless") for each in made.spans]
    return Trace(f"{number + 1:032x}", spans)


@settings(
    deadline=None, max_examples=12, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(some=st.lists(traces(finished=True), min_size=10, max_size=20))
def test_speedscope_shows_each_span_inside_those_around_it(the_speedscope, some):
    some = [named(made, number) for number, made in enumerate(some)]
    the_speedscope.open(chrome.render(some, with_args=False))
    assert the_speedscope.complaints == []
    assert understood(the_speedscope.given_out()) == laid_out(some)


def test_speedscope_shows_what_an_unfinished_span_has_inside_until_the_end(the_speedscope):
    one = trace(span(1, 0, None, name="flow"), span(2, 1_000, None, 1, "node"), span(3, 1_500, 3_000, 2, "attempt"))
    the_speedscope.open(chrome.render([one], with_args=False))
    profile = "unknown service (pid 1), flow (tid 1)"
    assert understood(the_speedscope.given_out()) == Counter(
        {
            (profile, ("flow",), 3_000): 1,
            (profile, ("flow", "node"), 2_000): 1,
            (profile, ("flow", "node", "attempt"), 1_500): 1,
        }
    )


def test_speedscope_names_a_profile_for_each_branch(the_speedscope, tmp_path):
    items = [span(2 + index, index, 9_000, 1, "item", attributes={semconv.BATCH_INDEX: index}) for index in range(2)]
    one = trace(span(1, 0, 10_000, name="batch", resource={"service.name": "shop"}), *items)
    one = dataclasses.replace(
        one, spans=[dataclasses.replace(each, resource={"service.name": "shop"}) for each in one.spans]
    )
    the_speedscope.open(chrome.render([one], with_args=False))
    the_speedscope.page.screenshot(path=tmp_path / "speedscope.png")
    assert "shop (pid 1), batch (tid 1)" in the_speedscope.page.inner_text("body")
    assert [profile["name"] for profile in the_speedscope.given_out()["profiles"]] == [
        "shop (pid 1), batch (tid 1)",
        "shop (pid 1), item 0 of batch (tid 2)",
        "shop (pid 1), item 1 of batch (tid 3)",
    ]


def flow(number: int, start: int, end: int | None, name: str, parent: int | None = None, **told: Any) -> Span:
    attributes = {semconv.OPERATION_NAME: semconv.SPAN_FLOW, semconv.WORKFLOW_NAME: name, **told}
    return span(number, start, end, parent, f"invoke_workflow {name}", attributes=attributes)


def node(number: int, start: int, end: int, name: str, before: str | None, action: str = "default", **fields) -> Span:
    attributes = {semconv.OPERATION_NAME: semconv.SPAN_NODE, semconv.GRAPH_NODE_ID: name, semconv.ACTION: action}
    if before is not None:
        attributes[semconv.GRAPH_NODE_PARENT_ID] = before
    return span(number, start, end, 1, f"invoke_node {name}", attributes=attributes, **fields)


def test_mermaid_draws_boxes_with_their_figures_and_arrows_with_their_actions(the_mermaid, tmp_path):
    graph = {
        "nodes": [{"id": name} for name in ("Decide", "Search", "Answer", "Never")],
        "edges": [
            {"from": "Decide", "action": "search", "to": "Search"},
            {"from": "Decide", "action": "answer", "to": "Answer"},
            {"from": "Decide", "action": "give up", "to": "Never"},
            {"from": "Search", "action": "default", "to": "Decide"},
        ],
    }
    one = trace(
        flow(1, 0, 100_000_000, "Agent", **{semconv.FLOW_GRAPH: json.dumps(graph)}),
        node(2, 0, 10_000_000, "Decide", None, "search"),
        node(3, 10_000_000, 20_000_000, "Search", "Decide"),
        node(4, 20_000_000, 30_000_000, "Decide", "Search", "search"),
        node(5, 30_000_000, 40_000_000, "Search", "Decide"),
        node(6, 40_000_000, 50_000_000, "Decide", "Search", "answer"),
        node(7, 50_000_000, 90_000_000, "Answer", "Decide", status=Status(StatusCode.ERROR)),
    )
    drawn = the_mermaid.draw(mermaid.render(one), tmp_path / "mermaid.png")
    assert sorted(drawn.boxes) == [
        ["Agent", "100ms"],
        ["Answer", "40ms", "1 error"],
        ["Decide", "3 times · 30ms"],
        ["Never", "not visited"],
        ["Search", "2 times · 20ms"],
    ]
    assert sorted(filter(None, drawn.arrows)) == [["2 times"], ["answer"], ["give up"], ["search · 2 times"]]
    assert drawn.dotted == 1


HOSTILE = [
    "end",
    "subgraph",
    "1. Ask",
    "- item",
    "`**bold**`",
    '"quoted"',
    "a]b[c)d(e}f{",
    "<b>html</b> & <script>alert(1)</script>",
    "été 中文 🚀",
    "x;y%%z",
    "#quot; #35; &amp;",
    "_a_ __b__ *c*",
    "class n1 failed",
    "A-->B",
    "\\n \\",
    "fa:fa-car",
    "$$x^2$$",
    "{{mustache}}",
    "|pipe|",
    "@{shape: x}",
    ":::point",
    "%%{init: {}}%%",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_mermaid_shows_names_as_they_are(the_mermaid, name):
    one = trace(flow(1, 0, 1000, name), node(2, 0, 500, name, None, name), node(3, 500, 900, "last", name))
    drawn = the_mermaid.draw(mermaid.render(one))
    shown = [[line.replace("\u200b", "") for line in lines] for lines in (*drawn.boxes, *drawn.arrows)]
    assert [" ".join(lines[:-1]) for lines in shown[:3]].count(name) == 2
    assert [name] in [[" ".join(lines)] for lines in shown[3:]]


@settings(
    deadline=None, max_examples=60, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(name=st.text(max_size=100), action=st.text(max_size=30))
def test_mermaid_draws_any_name(the_mermaid, name, action):
    one = trace(flow(1, 0, 1000, name), node(2, 0, 500, name, None, action), node(3, 500, 900, "last", name))
    assert ["last", "0.00ms"] in the_mermaid.draw(mermaid.render(one)).boxes


@settings(
    deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(made=traces())
def test_mermaid_draws_traces_of_other_tools(the_mermaid, made):
    drawn = the_mermaid.draw(mermaid.render(named(made, 0)))
    shown = {" ".join(lines[0].split()) for lines in drawn.boxes}
    assert shown <= {each.name or "nameless" for each in made.spans}
    assert shown


def test_mermaid_draws_flows_that_follow_themselves(the_mermaid):
    inner = [
        flow(
            2 + index,
            index * 100,
            index * 100 + 90,
            "Again",
            1,
            **{
                semconv.GRAPH_NODE_ID: "Again",
                semconv.ACTION: "again",
                **({semconv.GRAPH_NODE_PARENT_ID: "Again"} if index else {}),
            },
        )
        for index in range(3)
    ]
    below = dataclasses.replace(node(9, 10, 20, "Step", None), parent_span_id=f"{2:016x}")
    drawn = the_mermaid.draw(mermaid.render(trace(flow(1, 0, 1000, "Loop"), *inner, below)))
    assert sorted(lines[0] for lines in drawn.boxes) == ["Again", "Loop", "Step"]
    assert ["again · 2 times"] in drawn.arrows
