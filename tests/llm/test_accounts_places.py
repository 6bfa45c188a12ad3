"""A call counts in all that it was made in and in nothing else, with what becomes known of it later."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from pocketflow import AsyncFlow, AsyncParallelBatchNode, BatchFlow, BatchNode, Flow, Node

from llm.reports import (
    NODE,
    OFFICIAL,
    OTHERS,
    Does,
    cost_of,
    official,
    openinference,
    totals,
    usage_on,
    used,
)
from pocketflow_otel import BudgetExceeded, budget, carry

# Where calls are made.


def test_reports_in_two_items_are_of_two_calls(recording, write):
    class Items(BatchNode):
        def prep(self, shared):
            return [OFFICIAL, OTHERS]

        def exec(self, writer):
            write.span(official(), writer, times=(0, 1))

    Flow(Items()).run({})

    assert totals(recording) == totals(recording, "invoke_node Items") == (2, 200, 20)
    assert [usage_on(item)["calls"] for item in recording.named("item")] == [1, 1]


async def test_calls_alike_in_parallel_items_are_all_counted(recording, write):
    class Items(AsyncParallelBatchNode):
        async def prep_async(self, shared):
            return range(5)

        async def exec_async(self, item):
            write.span(official(), times=(0, 1))
            write.span(openinference(), OTHERS, times=(0, 1))
            return {"prompt_tokens": 100, "completion_tokens": 10}

    await AsyncFlow(Items()).run_async({})

    assert totals(recording, "invoke_workflow AsyncFlow") == (5, 500, 50)
    assert [usage_on(item)["calls"] for item in recording.named("item")] == [1] * 5
    assert recording.named("chat m") == []


async def test_one_id_for_all_answers_keeps_parallel_items_apart(recording, write):
    first_answered, second_answered, first_reported = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Items(AsyncParallelBatchNode):
        async def prep_async(self, shared):
            return [(None, first_answered, second_answered, first_reported),
                    (first_answered, second_answered, first_reported, None)]  # fmt: skip

        async def exec_async(self, steps):
            begin, answered, report, reported = steps
            if begin:
                await begin.wait()
            with write.around(official(response_id="chatcmpl-1"), OTHERS):
                write.span(official(response_id="chatcmpl-1"))
                answered.set()
                await report.wait()
            if reported:
                reported.set()

    await AsyncFlow(Items()).run_async({})

    assert totals(recording, "invoke_workflow AsyncFlow") == (2, 200, 20)
    assert [usage_on(item)["calls"] for item in recording.named("item")] == [1, 1]


def test_a_call_in_a_node_below_a_span_of_others_is_a_call_of_its_own(recording, write):
    # The Anthropic instrumentation's span stays current while the program reads a stream.
    def outer():
        with write.around(official()):
            Flow(Does(lambda: write.span(openinference(), OTHERS, times=(0, 1)))).run({})

    class Outer(Does):
        pass

    Outer(outer).run({})

    assert totals(recording, "invoke_node Outer") == (2, 200, 20)
    assert totals(recording) == (1, 100, 10)


def test_each_around_a_call_counts_it_and_no_other(recording, write):
    class Rounds(BatchFlow):
        def prep(self, shared):
            return [{"number": 1}, {"number": 2}]

    class First(Does):
        pass

    class Second(Does):
        pass

    first, nothing = First(lambda: write.span(official(100, 10)), max_retries=2), Node()
    first >> nothing >> Second(lambda: write.span(official(7, 1, "n")))
    Flow(Rounds(first)).run({})

    assert [usage_on(span)["input_tokens"] for span in recording.named("iteration")] == [107, 107]
    assert [usage_on(span)["input_tokens"] for span in recording.named("attempt")] == [100, 100]
    assert [usage_on(span)["models"] for span in recording.named("invoke_node Second")] == [("n",), ("n",)]
    assert [usage_on(span) for span in recording.named("invoke_node Node")] == [{}, {}]
    assert used(recording, "invoke_workflow Rounds") == used(recording)
    assert used(recording) == {
        "input_tokens": 214,
        "output_tokens": 22,
        "total_tokens": 236,
        "calls": 4,
        "cost_usd": 0.00042,
        "models": ("m", "n"),
        "price_sources": ("price table, as of 2026-01-31", "price table"),
    }


def test_all_kinds_of_tokens_are_added_up(recording, write):
    more = {"gen_ai.usage.cache_read.input_tokens": 20, "gen_ai.usage.reasoning.output_tokens": 7}
    Flow(Does(lambda: [write.span(official() | more) for _ in range(2)] and None)).run({})

    assert used(recording, NODE) == {
        "input_tokens": 200,
        "output_tokens": 20,
        "cached_input_tokens": 40,
        "reasoning_tokens": 14,
        "total_tokens": 220,
        "calls": 2,
        "cost_usd": 0.00024,
        "models": ("m",),
        "price_sources": ("price table, as of 2026-01-31",),
    }


def test_a_span_that_ends_after_its_node_counts_for_what_is_still_open(recording, write):
    streams = []
    first = Does(lambda: streams.append(write.begin(official())))

    class Last(Does):
        pass

    first >> Last(lambda: streams.pop().end())
    Flow(first).run({})

    assert used(recording, NODE) == used(recording, "invoke_node Last") == {}
    assert totals(recording) == (1, 100, 10)


def test_a_span_that_ends_after_its_flow_counts_for_nothing(recording, write):
    streams = []
    Flow(Does(lambda: streams.append(write.begin(official())))).run({})
    streams.pop().end()

    assert used(recording) == {}


def test_a_span_that_ends_twice_counts_once(recording, write, caplog):
    def work():
        span = write.begin(official())
        span.end()
        span.end()

    Flow(Does(work)).run({})

    assert totals(recording) == (1, 100, 10)
    assert caplog.messages == ["Calling end() on an ended span."]


def test_calls_of_threads_count_where_the_context_was_carried_from(recording, write):
    together = Barrier(4)

    def call(_):
        together.wait(10)
        for _ in range(50):
            write.span(official())

    def work():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(carry(call), range(4)))

    Flow(Does(work)).run({})

    assert totals(recording) == totals(recording, NODE) == (200, 20_000, 2_000)


# Tries.


def test_what_tries_that_failed_have_spent_is_told_apart(recording, write):
    tries = iter([(100, 10), (50, 5), (7, 1)])

    def work():
        read, written = next(tries)
        write.span(official(read, written))
        if read > 7:
            raise ValueError

    Flow(Does(work, max_retries=3)).run({})

    assert used(recording, NODE) == used(recording)
    assert used(recording) == {
        "input_tokens": 157,
        "output_tokens": 16,
        "total_tokens": 173,
        "calls": 3,
        "cost_usd": 0.000189,
        "models": ("m",),
        "price_sources": ("price table, as of 2026-01-31",),
        "retry.total_tokens": 165,
        "retry.cost_usd": 0.00018,
    }
    assert ["retry.total_tokens" in usage_on(span) for span in recording.named("attempt")] == [False] * 3
    assert [usage_on(span)["total_tokens"] for span in recording.named("attempt")] == [110, 55, 8]


def test_a_call_that_ends_after_its_try_failed_is_spent_for_nothing(recording, write):
    streams = []

    def work():
        if not streams:
            streams.append(write.begin(official()))
            raise ValueError
        streams.pop().end()

    Flow(Does(work, max_retries=2)).run({})

    assert used(recording)["retry.total_tokens"] == 110
    assert used(recording)["total_tokens"] == 110


def test_the_last_try_of_an_item_counts_as_failed_where_a_fallback_gives_the_result(recording, write):
    class Items(BatchNode):
        def prep(self, shared):
            return [1]

        def exec(self, item):
            write.span(official())
            raise ValueError

        def exec_fallback(self, item, error):
            write.span(official(5, 1))

    Flow(Items(max_retries=2)).run({})

    assert totals(recording, "item") == totals(recording) == (3, 205, 21)
    assert used(recording, "item")["retry.total_tokens"] == used(recording)["retry.total_tokens"] == 220


# What becomes known later.


def test_a_call_is_priced_by_the_report_that_names_its_model(recording, write):
    def work():
        with write.around(openinference(model="m"), OTHERS):
            write.span(openinference(model=""), OFFICIAL)

    first = Does(work)
    first >> Does(work)
    with budget(usd=0.00012), pytest.raises(BudgetExceeded) as stopped:
        Flow(first).run({})

    assert used(recording) == {
        "input_tokens": 100,
        "output_tokens": 10,
        "total_tokens": 110,
        "calls": 1,
        "cost_usd": 0.00012,
        "models": ("m",),
        "price_sources": ("price table, as of 2026-01-31",),
    }
    assert stopped.value.spent == 0.00012
    assert cost_of(recording) == {"m": 0.00012}


def test_a_call_that_is_priced_later_is_spent_once(write):
    def work():
        with write.around(openinference(model="m"), OTHERS):
            write.span(openinference(model=""), OFFICIAL)

    first = Does(work)
    first >> Node()
    with budget(tokens=111):
        Flow(first).run({})
        with pytest.raises(BudgetExceeded) as stopped:
            Flow(first).run({})

    assert (stopped.value.spent, stopped.value.node) == (220, "Node")


def test_usage_that_only_the_result_tells_is_added_to_the_call(recording, write):
    def work():
        write.span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
        return {"usage": {"prompt_tokens": 100, "completion_tokens": 10}}

    Flow(Does(work)).run({})

    assert used(recording) == {
        "input_tokens": 100,
        "output_tokens": 10,
        "total_tokens": 110,
        "calls": 1,
        "cost_usd": 0.00012,
        "models": ("m",),
        "price_sources": ("price table, as of 2026-01-31",),
    }
    assert recording.named("chat m") == []


def test_usage_that_another_span_tells_is_added_to_the_call(recording, write):
    def work():
        with write.around(openinference(), OTHERS):
            write.span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})

    Flow(Does(work)).run({})

    assert totals(recording) == (1, 100, 10)
    assert used(recording)["models"] == ("m",)
    assert "unpriced_calls" not in used(recording)


def test_costs_are_told_without_what_binary_fractions_leave(recording, write):
    Flow(Does(lambda: [write.span(official(read, 0, "n")) for read in (10_000, 20_000)] and None)).run({})

    assert used(recording)["cost_usd"] == 0.3


def test_a_model_without_a_price_is_not_free(recording, write):
    Flow(Does(lambda: write.span(official(model="my-own")))).run({})

    assert used(recording) == {
        "input_tokens": 100,
        "output_tokens": 10,
        "total_tokens": 110,
        "calls": 1,
        "models": ("my-own",),
        "unpriced_calls": 1,
        "unpriced_models": ("my-own",),
    }
    assert "pocketflow.cost" not in recording.metrics
