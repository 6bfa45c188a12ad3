"""Calls that programs record themselves."""

import asyncio

import pytest
from pocketflow import AsyncFlow, AsyncParallelBatchNode, Flow

from llm.reports import (
    NODE,
    ONE_CALL,
    SECOND,
    Does,
    cost_of,
    official,
    tokens_of,
    totals,
    usage_on,
    used,
)
from pocketflow_otel import BudgetExceeded, budget, record_llm_usage


def test_a_recorded_call_tells_all_that_is_known_of_it(recording):
    def work():
        record_llm_usage(
            model="my-model",
            input_tokens=100,
            output_tokens=10,
            cached_input_tokens=20,
            cache_write_tokens=5,
            reasoning_tokens=7,
            provider="vllm",
            response_id="r-1",
            cost_usd=0.5,
            duration_seconds=2.0,
        )

    Flow(Does(work)).run({})

    chat = recording.one("chat my-model")
    assert chat.end_time - chat.start_time == 2 * SECOND
    assert chat.parent.span_id == recording.one(NODE).context.span_id
    assert dict(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "my-model",
        "gen_ai.response.id": "r-1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.cache_write.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 7,
        "gen_ai.usage.cost": 0.5,
        "operation.cost": 0.5,
        "pocketflow.price.source": "reported",
    }
    assert used(recording) == {
        "input_tokens": 100,
        "output_tokens": 10,
        "cached_input_tokens": 20,
        "reasoning_tokens": 7,
        "total_tokens": 110,
        "calls": 1,
        "cost_usd": 0.5,
        "models": ("my-model",),
        "price_sources": ("reported",),
    }
    names = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "my-model",
    }
    assert tokens_of(recording) == {"input": 100, "output": 10}
    [duration] = recording.metrics["gen_ai.client.operation.duration"].data.data_points
    assert (duration.count, duration.sum, dict(duration.attributes)) == (1, 2.0, names)
    assert cost_of(recording) == {"my-model": 0.5}


BAD = {
    "input_tokens": (-1, 1.5, True, "100", 2**53 + 1),
    "output_tokens": (-1, "many"),
    "cached_input_tokens": (-1,),
    "cache_write_tokens": ([5],),
    "reasoning_tokens": (float("nan"),),
    "cost_usd": (-1, float("nan"), float("inf"), "0.5", True),
    "duration_seconds": (-1, float("inf"), "2"),
    "provider": ("", 3),
    "response_id": (b"r",),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=repr
)
def test_a_value_that_makes_no_sense_is_logged_and_left_out(recording, caplog, name, value):
    Flow(Does(lambda: record_llm_usage(**{"model": "m", "output_tokens": 10, name: value}))).run({})

    [message] = caplog.messages
    assert message.startswith(f"record_llm_usage({name}=…) is ignored: expected a ")
    got = repr(value) if type(value) in (int, float, bool) else "nothing" if value == "" else type(value).__name__
    assert message.endswith(f", got {got}")
    assert totals(recording) == (1, 0, 0 if name == "output_tokens" else 10)
    assert used(recording).get("cost_usd", 0) == (0 if name == "output_tokens" else 0.00002)


@pytest.mark.parametrize("model", ["", None, 3])
def test_a_call_without_a_name_is_counted_as_unknown(recording, caplog, model):
    Flow(Does(lambda: record_llm_usage(model=model, input_tokens=100))).run({})

    assert recording.one("chat unknown").attributes["gen_ai.usage.input_tokens"] == 100
    assert used(recording)["unpriced_models"] == ("unknown",)
    assert len(caplog.messages) == (0 if model is None else 1)


def test_calls_recorded_outside_of_flows_are_spans_and_metrics(recording):
    for _ in range(2):
        record_llm_usage(model="m", input_tokens=100, response_id="r-1")

    assert [span.parent for span in recording.named("chat m")] == [None, None]
    assert tokens_of(recording) == {"input": 200, "output": 0}
    assert cost_of(recording) == {"m": 0.0002}


def test_calls_recorded_under_a_budget_outside_of_flows_are_spent(recording, write):
    with budget(tokens=220):
        record_llm_usage(model="m", input_tokens=100, output_tokens=10, response_id="a")
        write.span(official(response_id="a"))
        record_llm_usage(model="m", input_tokens=100, output_tokens=10, response_id="b")
        with pytest.raises(BudgetExceeded) as stopped:
            Flow(Does(lambda: None)).run({})

    assert (stopped.value.limit, stopped.value.allowed, stopped.value.spent) == ("tokens", 220, 220)
    assert [span.attributes["gen_ai.response.id"] for span in recording.named("chat m")] == ["a", "b"]


@pytest.mark.parametrize("recorded_first", [False, True])
def test_a_recorded_call_that_was_seen_as_well_is_one_by_its_id(recording, write, recorded_first):
    def work():
        if recorded_first:
            record_llm_usage(model="m", input_tokens=100, output_tokens=10, response_id="a")
        write.span(official(response_id="a"))
        if not recorded_first:
            record_llm_usage(model="m", input_tokens=100, output_tokens=10, response_id="a")

    Flow(Does(work)).run({})

    assert used(recording) == ONE_CALL


def test_two_calls_recorded_with_one_id_are_two(recording):
    def work():
        record_llm_usage(model="m", input_tokens=100, response_id="a")
        record_llm_usage(model="m", input_tokens=100, response_id="a")

    Flow(Does(work)).run({})

    assert totals(recording) == (2, 200, 0)


def test_recording_where_nothing_is_instrumented_does_nothing(caplog):
    record_llm_usage(model="m", input_tokens=-1)

    assert caplog.messages == []


async def test_calls_recorded_in_tasks_count_where_they_are_made(recording):
    class Items(AsyncParallelBatchNode):
        async def prep_async(self, shared):
            return [1, 2, 3]

        async def exec_async(self, item):
            await asyncio.gather(*(asyncio.create_task(self.call(item)) for _ in range(2)))

        async def call(self, item):
            record_llm_usage(model="m", input_tokens=item)

    await AsyncFlow(Items()).run_async({})

    assert [usage_on(item)["input_tokens"] for item in recording.named("item")] == [2, 4, 6]
