"""Calls that nodes return or store the answers of count once, however often these are met."""

import asyncio

import pytest
from anthropic.types import Message
from google.genai.types import GenerateContentResponse
from openai.types.chat import ChatCompletion
from opentelemetry.trace import SpanKind
from pocketflow import AsyncFlow, AsyncNode, Flow, Node

from instrumentation.recording import traced
from llm.reports import NODE, ONE_CALL, Does, official, tokens_of, totals, usage_on, used

ANSWERS = {
    "openai": lambda: ChatCompletion.model_validate(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    ),
    "anthropic": lambda: Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "m",
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 10},
        }
    ),
    "google": lambda: GenerateContentResponse.model_validate(
        {
            "response_id": "g-1",
            "model_version": "m",
            "usage_metadata": {"prompt_token_count": 100, "candidates_token_count": 10, "total_token_count": 110},
        }
    ),
}


def whole(answer):
    return answer


def dumped(answer):
    return answer.model_dump()


def usage_dict(answer):
    return (answer.usage_metadata if hasattr(answer, "usage_metadata") else answer.usage).model_dump()


@pytest.mark.parametrize("vendor", ANSWERS)
@pytest.mark.parametrize("stored", [whole, dumped, usage_dict])
@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
def test_an_answer_that_is_returned_and_stored_is_one_call(recording, write, vendor, stored, seen):
    ids = {"openai": "chatcmpl-1", "anthropic": "msg_1", "google": "g-1"}

    def work():
        if seen:
            write.span(official(response_id=ids[vendor]))
        return ANSWERS[vendor]()

    flow = Flow(Does(work, lambda shared, answer: shared.update(answer=stored(answer))))
    flow.run({})

    assert used(recording) == used(recording, NODE) == ONE_CALL
    assert len(recording.named("chat m")) == (0 if seen else 1)


@pytest.mark.parametrize("vendor", ANSWERS)
@pytest.mark.parametrize("again", [whole, dumped])
def test_what_is_stored_again_in_a_later_visit_is_the_same_call(recording, vendor, again):
    first = Does(ANSWERS[vendor], lambda shared, answer: shared.update(answer=answer))
    copying = Does(lambda: None, lambda shared, _: shared.update(copy=again(shared["answer"])))
    first >> copying >> Does(lambda: None, lambda shared, _: shared.update(history=[again(shared["answer"])]))
    Flow(first).run({})

    assert used(recording) == ONE_CALL


def test_what_is_returned_again_in_a_later_visit_is_the_same_call(recording):
    kept = {"usage": {"prompt_tokens": 100, "completion_tokens": 10}, "model": "m"}
    first = Does(lambda: kept, lambda shared, answer: shared.update(answer=answer))
    first >> Does(lambda: kept)
    Flow(first).run({})

    assert used(recording) == ONE_CALL


def test_a_usage_that_is_stored_under_another_key_later_is_the_same_call(recording):
    first = Does(lambda: None, lambda shared, _: shared.update(usage={"prompt_tokens": 100, "completion_tokens": 10}))
    first >> Does(lambda: None, lambda shared, _: shared.update(kept=shared["usage"]))
    Flow(first).run({})

    assert totals(recording) == (1, 100, 10)


def add_to_total(shared, _):
    shared["total"]["prompt_tokens"] += 100
    shared["total"]["completion_tokens"] += 10
    shared["rounds"] += 1
    return "again" if shared["rounds"] < 3 else None


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen"])
@pytest.mark.parametrize("keys", [("total",), ("total", "same")])
def test_running_totals_count_by_what_they_grow(recording, write, seen, keys):
    node = Does(lambda: write.span(official()) if seen else None, add_to_total)
    node - "again" >> node
    node >> Node()
    total = {"prompt_tokens": 0, "completion_tokens": 0}
    Flow(node).run({**dict.fromkeys(keys, total), "rounds": 0})

    assert [usage_on(visit)["input_tokens"] for visit in recording.named(NODE)] == [100, 100, 100]
    assert totals(recording) == (3, 300, 30)
    assert total == {"prompt_tokens": 300, "completion_tokens": 30}
    assert len(recording.named("chat unknown")) == (0 if seen else 3)


def test_totals_that_are_set_back_begin_anew(recording):
    def post(shared, _):
        shared["total"].update(prompt_tokens=shared["next"].pop(0), completion_tokens=1)
        return "again" if shared["next"] else None

    node = Does(lambda: None, post)
    node - "again" >> node
    node >> Node()
    Flow(node).run({"total": {}, "next": [100, 40, 90]})

    assert totals(recording) == (2, 150, 1)


def test_answers_alike_of_one_visit_are_as_many_calls(recording):
    def work():
        return [{"prompt_tokens": 100, "completion_tokens": 10} for _ in range(3)]

    Flow(Does(work, lambda shared, answers: shared.update(answers=answers))).run({})

    assert totals(recording) == (3, 300, 30)
    assert len(recording.named("chat unknown")) == 3


def test_of_more_answers_than_calls_seen_the_others_are_new(recording, write):
    def work():
        write.span(official())
        return [{"model": "m", "prompt_tokens": read, "completion_tokens": 10} for read in (7, 100)]

    Flow(Does(work)).run({})

    assert totals(recording) == (2, 107, 20)


def test_where_spans_tell_of_calls_a_programs_own_sums_are_none(recording, write):
    class Report(Node):
        def post(self, shared, prep_res, exec_res):
            shared["total"] = {"input_tokens": 100, "output_tokens": 10}
            shared["settings"] = {"model": "m", "input_tokens": 4000}

    node = Does(lambda: write.span(official()))
    node >> Report()
    Flow(node).run({})

    assert totals(recording) == (1, 100, 10)


def test_a_result_without_an_id_is_of_a_call_with_other_counts_in_the_same_visit(recording, write):
    # A stream that was not read to its end tells less than the vendor counts.
    def work():
        write.span(official(100, 1))
        return {"prompt_tokens": 100, "completion_tokens": 10}

    Flow(Does(work)).run({})

    assert totals(recording) == (1, 100, 1)


def test_what_a_try_returns_is_of_the_call_in_it(recording, write):
    answers = iter([ValueError, {"prompt_tokens": 100, "completion_tokens": 10}])

    def work():
        write.span(official())
        answer = next(answers)
        if answer is ValueError:
            raise answer
        return answer

    Flow(Does(work, max_retries=2)).run({})

    assert [usage_on(span)["calls"] for span in recording.named("attempt")] == [1, 1]
    assert totals(recording) == (2, 200, 20)


def test_what_a_try_returns_and_then_its_node_is_one_call(recording):
    Flow(Does(lambda: {"prompt_tokens": 100, "completion_tokens": 10}, max_retries=2)).run({})

    assert totals(recording, "attempt") == totals(recording, NODE) == (1, 100, 10)
    assert recording.one("chat unknown").parent.span_id == recording.one("attempt").context.span_id


def test_a_call_known_from_a_result_is_a_span_of_its_own(recording):
    Flow(Does(ANSWERS["openai"])).run({})

    chat, node = recording.one("chat m"), recording.one(NODE)
    assert chat.parent.span_id == node.context.span_id
    assert (chat.start_time, chat.end_time <= node.end_time) == (node.start_time, True)
    assert chat.kind is SpanKind.CLIENT
    assert dict(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cost": 0.00012,
        "operation.cost": 0.00012,
        "pocketflow.price.source": "price table",
        "pocketflow.price.as_of": "2026-01-31",
    }
    assert tokens_of(recording) == {"input": 100, "output": 10}
    assert "gen_ai.client.operation.duration" not in recording.metrics


def test_what_the_store_held_before_the_flow_is_not_this_flows(recording):
    class Add(Node):
        def post(self, shared, prep_res, exec_res):
            shared["total"]["prompt_tokens"] += 100
            shared["total"]["completion_tokens"] += 1

    class Again(Node):
        def prep(self, shared):
            return shared["total"]

        def exec(self, prep_res):
            return prep_res

    node = Add()
    node >> Again()
    Flow(node).run({"total": {"prompt_tokens": 500, "completion_tokens": 5}})

    assert totals(recording) == (1, 100, 1)


def test_a_usage_made_where_one_was_dropped_is_another():
    class Drop(AsyncNode):
        async def prep_async(self, shared):
            shared.pop("usage", None)

        async def exec_async(self, prep_res):
            return {"prompt_tokens": 50, "completion_tokens": 1, "total_tokens": 51}

        async def post_async(self, shared, prep_res, exec_res):
            shared["usage"] = exec_res
            shared["visits"] = shared.get("visits", 0) + 1
            return "again" if shared["visits"] < 20 else "done"

    node = Drop()
    node - "again" >> node
    node - "done" >> Node()
    with traced() as recording:
        asyncio.run(AsyncFlow(node).run_async({}))

    assert totals(recording, "invoke_workflow AsyncFlow") == (20, 1000, 20)
