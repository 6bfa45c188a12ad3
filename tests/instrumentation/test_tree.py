"""The spans of a program are what happened in it: each call once, in its place, with the numbers it had."""

from types import ModuleType
from typing import Any

import pocketflow
import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from fixtures import pocketflow_head
from instrumentation import narrated
from instrumentation.narration import Happening, Story, telling
from instrumentation.programs import Program, programs
from instrumentation.recording import Recording, traced
from instrumentation.running import Run, run_plain

libraries = pytest.mark.parametrize("library", [pocketflow, pocketflow_head], ids=["released", "head"])
deterministic = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(deadline=None, max_examples=1500, suppress_health_check=[HealthCheck.too_slow])

TOLD = (
    "pocketflow.node.kind",
    "pocketflow.node.visit",
    "pocketflow.node.next",
    "pocketflow.action",
    "pocketflow.action.unrouted",
    "pocketflow.flow.visits",
    "pocketflow.attempts",
    "pocketflow.max_retries",
    "pocketflow.fallback",
    "pocketflow.attempt.number",
    "pocketflow.batch.size",
    "pocketflow.batch.failed",
    "pocketflow.batch.index",
    "graph.node.parent_id",
)
"""The attributes that are compared."""


def story_of(program: Program, library: ModuleType) -> Story:
    """What happens in the program, as it says itself."""
    with telling(counts_on_node=library is pocketflow_head) as story:
        run_plain(program, narrated)
    return story


def trace_of(program: Program, library: ModuleType) -> Recording:
    run = Run(program, library)
    with run.surroundings(), traced() as recording:
        run.run()
    return recording


def expected(story: Story) -> list[tuple[str, dict[str, Any]]]:
    """The beginnings and ends of spans, in their order, with what each has to tell."""
    numbers: dict[int, int] = {}
    events = []
    for event, happening in story.events:
        if happening.span is not None:
            number = numbers.setdefault(id(happening), len(numbers))
            events.append((event, {"number": number, **told_by(happening, numbers)}))
    return events


def told_by(happening: Happening, numbers: dict[int, int]) -> dict[str, Any]:
    around = happening.around
    while around is not None and around.span is None:
        around = around.around
    attributes = {name: happening.told[name] for name in TOLD if name in happening.told}
    if isinstance(action := attributes.get("pocketflow.action"), int):
        attributes["pocketflow.action"] = str(action)
    return {
        "name": happening.span,
        "parent": numbers[id(around)] if around is not None else None,
        "attributes": attributes,
        "error": error_type(happening.error),
        "exceptions": int(happening.raised_here),
    }


def error_type(error: BaseException | None) -> str | None:
    kind = type(error)
    if error is None or kind.__module__ in ("builtins", "asyncio.exceptions"):
        return error and kind.__name__
    return f"{kind.__module__}.{kind.__name__}"


def seen(recording: Recording) -> list[tuple[str, dict[str, Any]]]:
    """The same of the spans there are."""
    numbers: dict[int, int] = {}
    ended = {span.context.span_id: span for span in recording.spans}
    return [
        (event, {"number": numbers.setdefault(key, len(numbers)), **told_on(ended[key], numbers)})
        for event, span in recording.events
        if (key := span.context.span_id)
    ]


def told_on(span: ReadableSpan, numbers: dict[int, int]) -> dict[str, Any]:
    attributes = dict(span.attributes or {})
    return {
        "name": span.name,
        "parent": numbers[span.parent.span_id] if span.parent is not None else None,
        "attributes": {name: attributes[name] for name in TOLD if name in attributes},
        "error": attributes.get("error.type"),
        "exceptions": sum(event.name == "exception" for event in span.events),
    }


def assert_spans_are_what_happened(program: Program, library: ModuleType) -> None:
    recording = trace_of(program, library)
    assert seen(recording) == expected(story_of(program, library))
    assert_times_are_in_order(recording)
    for span in recording.spans:
        status, attributes = span.status, span.attributes or {}
        assert (status.status_code is StatusCode.ERROR) == ("error.type" in attributes)
        assert "error.type" in attributes or status.status_code is StatusCode.UNSET


def assert_times_are_in_order(recording: Recording) -> None:
    spans = {span.context.span_id: span for span in recording.spans}
    ended = set()
    for event, began in recording.events:
        span = spans[began.context.span_id]
        parent = spans[span.parent.span_id] if span.parent is not None else span
        if event == "begin":
            assert parent.start_time <= span.start_time <= span.end_time
        else:
            # What runs in parallel may end after a parent that has failed because of another.
            assert span.end_time <= parent.end_time or parent.context.span_id in ended
            ended.add(span.context.span_id)


@libraries
@given(program=programs())
@settings(deterministic, max_examples=250)
def test_the_spans_are_what_happened(library: ModuleType, program: Program) -> None:
    assert_spans_are_what_happened(program, library)


@pytest.mark.slow
@libraries
@given(program=programs())
@settings(thorough)
def test_so_are_those_of_thousands_of_programs(library: ModuleType, program: Program) -> None:
    assert_spans_are_what_happened(program, library)
