"""Reports of calls are told to be of one call or of several, and each call counts once."""

from typing import Any

import pytest
from opentelemetry.trace import Status, StatusCode
from pocketflow import Flow

from llm.reports import NODE, OFFICIAL, OTHERS, THIRD, Does, agent, official, openinference, totals
from pocketflow_otel.llm.ledger import STORE, Call, Ledger, SpanOfOthers
from pocketflow_otel.llm.responses import Found
from pocketflow_otel.llm.sums import Sums
from pocketflow_otel.llm.usage import Usage

# Which reports are of one call: what is done in a node, and the calls, tokens read and tokens written that come of it.


def same_id(write):
    write.span(official(response_id="a"))
    write.span(official(110, 11, response_id="a"), OTHERS)


def same_id_of_one_writer(write):
    # Servers of tests and gateways give all their answers one id.
    write.span(official(response_id="a"))
    write.span(official(response_id="a"))


def same_id_of_two_writers_twice(write):
    for _ in range(2):
        write.span(official(response_id="a"))
        write.span(official(response_id="a"), OTHERS)


def id_told_by_the_second_of_three(write):
    with write.around(official(response_id="a")):
        write.span(openinference(), OTHERS)
    write.span(official(110, 11, response_id="a"), THIRD)


def same_counts_at_the_same_time(write):
    write.span(official(), times=(0, 2))
    write.span(openinference(), OTHERS, times=(1, 3))


def same_counts_one_after_the_other(write):
    write.span(official(), times=(0, 1))
    write.span(openinference(), OTHERS, times=(2, 3))


def same_counts_at_the_same_time_by_one_writer(write):
    write.span(official(), times=(0, 2))
    write.span(official(), times=(1, 3))


def same_counts_and_ids_that_differ(write):
    write.span(official(response_id="a"), times=(0, 2))
    write.span(official(response_id="b"), OTHERS, times=(1, 3))


def other_counts_at_the_same_time(write):
    write.span(official(), times=(0, 2))
    write.span(openinference(100, 11), OTHERS, times=(1, 3))


def nested_with_the_same_model(write):
    with write.around(openinference(100, 13), OTHERS):
        write.span(official(100, 10))


def nested_with_the_model_in_full(write):
    with write.around(openinference(100, 13), OTHERS):
        write.span(official(100, 10, "m-2026-01-31"))


def nested_with_another_model(write):
    with write.around(openinference(100, 13), OTHERS):
        write.span(official(100, 10, "n"))


def nested_by_one_writer(write):
    with write.around(official()):
        write.span(official())


def nested_and_outer_first_to_end(write):
    with write.around(openinference(100, 13), OTHERS) as outer:
        inner = write.begin(official(100, 10))
        outer.end()
    inner.end()


def nested_three_deep(write):
    with write.around(openinference(), OTHERS), write.around(official()):
        write.span(official(response_id="a"), THIRD)


def two_nested_in_one(write):
    with write.around(openinference(100, 10), OTHERS):
        write.span(official(100, 10), times=(0, 1))
        write.span(official(50, 5), times=(2, 3))


def agent_of_a_call(write):
    with write.around(agent(100, 10), OTHERS):
        write.span(official())


def agent_of_two_calls(write):
    with write.around(agent(150, 15), OTHERS):
        write.span(official())
        write.span(official(50, 5))


def agent_alone(write):
    write.span(agent(150, 15), OTHERS)


def agent_of_agents(write):
    with write.around(agent(150, 15), OTHERS):
        write.span(agent(100, 10), OTHERS)
        write.span(agent(50, 5), OTHERS)


def agent_of_a_call_behind_a_tool(write):
    with write.around(agent(100, 10), OTHERS), write.around({"gen_ai.operation.name": "execute_tool"}, OTHERS):
        write.span(official())


def call_without_usage(write):
    write.span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})


def agent_without_usage(write):
    write.span({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"})


def failed_without_usage(write):
    span = write.begin({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    span.set_status(Status(StatusCode.ERROR))
    span.end()


def failed_with_usage(write):
    span = write.begin(official())
    span.set_status(Status(StatusCode.ERROR))
    span.end()


def other_spans(write):
    write.span({"http.request.method": "POST"})
    write.span({})


CASES = {
    same_id: (1, 100, 10),
    same_id_of_one_writer: (2, 200, 20),
    same_id_of_two_writers_twice: (2, 200, 20),
    id_told_by_the_second_of_three: (1, 100, 10),
    same_counts_at_the_same_time: (1, 100, 10),
    same_counts_one_after_the_other: (2, 200, 20),
    same_counts_at_the_same_time_by_one_writer: (2, 200, 20),
    same_counts_and_ids_that_differ: (2, 200, 20),
    other_counts_at_the_same_time: (2, 200, 21),
    nested_with_the_same_model: (1, 100, 10),
    nested_with_the_model_in_full: (1, 100, 10),
    nested_with_another_model: (2, 200, 23),
    nested_by_one_writer: (2, 200, 20),
    nested_and_outer_first_to_end: (1, 100, 13),
    nested_three_deep: (1, 100, 10),
    two_nested_in_one: (2, 150, 15),
    agent_of_a_call: (1, 100, 10),
    agent_of_two_calls: (2, 150, 15),
    agent_alone: (1, 150, 15),
    agent_of_agents: (2, 150, 15),
    agent_of_a_call_behind_a_tool: (1, 100, 10),
    call_without_usage: (1, 0, 0),
    agent_without_usage: (0, 0, 0),
    failed_without_usage: (0, 0, 0),
    failed_with_usage: (1, 100, 10),
    other_spans: (0, 0, 0),
}


@pytest.mark.parametrize("report", CASES, ids=lambda report: report.__name__)
def test_reports_are_told_to_be_of_one_call(recording, write, report):
    Flow(Does(lambda: report(write))).run({})

    assert totals(recording) == totals(recording, NODE) == CASES[report]
    assert recording.named("chat m") == []


# The parts by themselves.


def call(read: int = 100, writer: str = OFFICIAL, scope: Any = None, **known: Any) -> Call:
    return Call(Usage(input_tokens=read, **known), known.get("model"), scope, writer, 0, 0)


def test_a_ledger_forgets_the_oldest_calls_and_what_tells_of_them_later_is_no_new_one():
    ledger = Ledger()
    calls = [call(number, response_id=str(number)) for number in range(4096 + 2)]
    for each in calls:
        ledger.add(each)

    assert ledger.by_id("1") is None
    assert ledger.by_id("2") is calls[2]
    nowhere = SpanOfOthers(None, (), None)
    assert ledger.of_report(call(1, OTHERS), nowhere) is None
    assert ledger.of_report(call(2, OTHERS), nowhere) is calls[2]
    assert [ledger.covers_forgotten(STORE) for _ in range(3)] == [True, True, False]


def test_a_ledger_meets_an_object_once():
    ledger, first, second = Ledger(), {}, {}
    few, many = Usage(input_tokens=1), Usage(input_tokens=2)

    assert ledger.met(Found(few, (), first)) is False
    assert ledger.met(Found(few, (), second)) is False
    assert ledger.met(Found(few, (), first)) is True
    assert ledger.met(Found(many, (), first)) is False  # filled anew
    assert ledger.met(Found(many, (), first)) is True


def test_sums_that_are_taken_back_are_as_they_were():
    sums, unpriced = Sums(), call(model="x")
    sums.add(unpriced)
    before = sums.attributes()
    other = call(7, model="x")
    sums.add(other, in_failed_try=True)
    sums.take_back(other, in_failed_try=True)

    assert sums.attributes() == before
    assert before["pocketflow.usage.unpriced_models"] == ["x"]
    sums.take_back(unpriced)
    assert sums.attributes() == {}


def test_sums_name_32_models():
    sums = Sums()
    for number in range(40):
        sums.add(call(model=f"m{number}"))

    assert sums.attributes()["pocketflow.usage.models"] == [f"m{number}" for number in range(32)]
    assert sums.calls == sums.unpriced_calls == 40
