"""``llm.chat``: the real client against servers on this machine; what it gives, and what is counted of it."""

import asyncio
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pocketflow import AsyncFlow, AsyncNode

from backends.servers import free_port, wait_until
from fixtures.llm_vendors import VendorServer, directive
from instrumentation.recording import traced
from llm.totals import INSTRUMENTATIONS, instrumented
from pocketflow_otel import semconv
from pocketflow_otel.demo.llm_server import LLMServer
from pocketflow_otel.llm.usage import Usage
from pocketflow_otel.runtime.connections.openai import OpenAIConnection, OpenAISettings
from pocketflow_otel.runtime.nodes.chat.errors import (
    LlmAnswerError,
    LlmConnectionError,
    LlmCutError,
    LlmError,
    LlmRateLimitError,
    LlmRefusalError,
    LlmRequestError,
    LlmServerError,
)
from pocketflow_otel.runtime.nodes.llm_chat import NODE_TYPE
from runtime.nodes.context import Alone, result_of
from runtime.nodes.serving import Answer, serving

KEY = "sk-proj-0123456789abcdef"
USAGE = Usage(input_tokens=120, output_tokens=30, cached_input_tokens=20, cache_write_tokens=5, reasoning_tokens=7)
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}


def connected(context: Alone, url: str) -> None:
    settings = OpenAISettings.model_validate({"base_url": url, "api_key": KEY})
    context.connections = {"@openai.main": OpenAIConnection(settings, context.base)}


async def chat(context: Alone, **config: Any) -> Any:
    try:
        return await result_of(NODE_TYPE, context, connection="@openai.main", **{"model": "gpt-4o-mini", **config})
    finally:
        await context.connections["@openai.main"].aclose()


@pytest.fixture
def vendors(context: Alone) -> Iterator[VendorServer]:
    with VendorServer() as server:
        connected(context, server.openai_url)
        yield server


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_comes_with_what_it_used(context: Alone, vendors: VendorServer, stream: bool) -> None:
    prompt = f"Why? {directive(usage=USAGE, text='Because of it.')}"
    answer = await chat(context, prompt=prompt, stream=stream)
    [call] = vendors.calls
    assert answer == {
        "text": "Because of it.",
        "model": "gpt-4o-mini",
        "finish_reason": "stop",
        "id": call.response_id,
        "usage": {
            "input_tokens": 120,
            "output_tokens": 30,
            "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5},
            "output_tokens_details": {"reasoning_tokens": 7},
        },
    }
    assert (call.usage.total_tokens, call.streamed) == (150, stream)
    assert context.counts == {"input_tokens": 120, "output_tokens": 30}
    assert "".join(context.told) == ("Because of it." if stream else "")


async def test_a_server_that_does_not_tell_usage_is_believed(context: Alone, vendors: VendorServer) -> None:
    answer = await chat(context, prompt=directive(reports_usage=False, text="x"))
    assert (answer["text"], answer["usage"], context.counts) == ("x", None, {})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("who", ["nobody", "official", "openinference", "official, openinference"])
async def test_a_call_is_counted_once_whoever_traces_the_client(
    context: Alone, vendors: VendorServer, who: str, stream: bool
) -> None:
    assert who in INSTRUMENTATIONS

    class Ask(AsyncNode):  # type: ignore[misc]
        async def exec_async(self, _: Any) -> Any:
            return await chat(context, prompt=f"Why? {directive(usage=USAGE)}", stream=stream)

        async def post_async(self, shared: dict[str, Any], _: Any, answer: Any) -> None:
            shared["ask"] = answer

    with traced() as recording, instrumented(who, recording.tracer_provider):
        await AsyncFlow(Ask()).run_async({})
    [flow] = [span for span in recording.spans if span.name.startswith("invoke_workflow")]
    told = dict(flow.attributes or {})
    assert told[semconv.USAGE_CALLS] == 1
    assert told[semconv.USAGE_INPUT_TOKENS] == 120
    assert told[semconv.USAGE_OUTPUT_TOKENS] == 30
    assert told[semconv.USAGE_CACHED_INPUT_TOKENS] == 20
    assert told[semconv.USAGE_COST] == pytest.approx((100 * 0.15 + 20 * 0.075 + 30 * 0.6) / 1e6, rel=0.1)


async def test_the_server_of_the_demo_answers_too(context: Alone) -> None:
    with LLMServer() as server:
        connected(context, server.url)
        answer = await chat(
            context, prompt="Write a short answer.\nQuestion: how high is the Eiffel Tower?", stream=True
        )
    [request] = server.requests
    assert answer["usage"]["input_tokens"] == request.input_tokens
    assert "".join(context.told) == answer["text"] != ""


def replying(*contents: Any, seen: list[Any] | None = None, **choice: Any) -> Any:
    """Answers each request with the next content, and keeps what was asked."""
    left = list(contents)

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        if seen is not None:
            seen.append((dict(request.headers), json.loads(body)))
        message = {"role": "assistant", "content": left.pop(0)} | choice.get("message", {})
        reason = choice.get("finish_reason", "stop")
        completion = {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        }  # fmt: skip
        return 200, {"Content-Type": "application/json"}, json.dumps(completion).encode()

    return answer


async def test_the_request_holds_what_the_document_says_and_nothing_else(context: Alone) -> None:
    seen: list[Any] = []
    with serving(replying("x", "y", seen=seen)) as host:
        connected(context, f"http://{host}/v1")
        asked = [{"role": "user", "content": [{"type": "text", "text": "q"}]}]
        await chat(
            context, model="m", system="Be brief.", messages=asked, temperature=0.5, max_tokens=5, stop=["\n"], seed=7,
            options={"top_k": 3, "reasoning_effort": "low"},
        )  # fmt: skip
        connected(context, f"http://{host}/v1")
        answer = await chat(context, model="m", prompt="q")
    headers, body = seen[0]
    assert {name.lower(): value for name, value in headers.items()}["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "m", "messages": [{"role": "system", "content": "Be brief."}, *asked], "temperature": 0.5,
        "max_tokens": 5, "stop": ["\n"], "seed": 7, "top_k": 3, "reasoning_effort": "low",
    }  # fmt: skip
    assert seen[1][1] == {"model": "m", "messages": [{"role": "user", "content": "q"}]}
    assert answer["model"] == "m-2026"


@pytest.mark.parametrize(
    "content",
    ['{"name": "Ada", "age": 36}', 'Here you are:\n```json\n{"name": "Ada", "age": 36}\n```\nAnything else?'],
)
async def test_with_a_schema_the_answer_is_also_given_as_data(context: Alone, content: str) -> None:
    seen: list[Any] = []
    with serving(replying(content, seen=seen)) as host:
        connected(context, f"http://{host}/v1")
        answer = await chat(context, prompt="Who?", schema=PERSON)
    assert answer["data"] == {"name": "Ada", "age": 36}
    expected = {"name": "answer", "schema": PERSON, "strict": True}
    assert seen[0][1]["response_format"] == {"type": "json_schema", "json_schema": expected}


@pytest.mark.parametrize(
    ("content", "choice", "config", "error", "said"),
    [
        ("I'd say Ada", {}, {"schema": PERSON}, LlmAnswerError, "the answer is not JSON: Expecting value"),
        ('{"name": 5, "age": "x"}', {}, {"schema": PERSON}, LlmAnswerError,
         "the answer is not what the schema says: age: 'x' is not of type 'integer'; name: 5 is not of type 'string'"),
        ("[" * 100_000, {}, {"schema": PERSON}, LlmAnswerError, "the answer is not JSON: "),
        ("", {}, {}, LlmAnswerError, "gpt-4o-mini: the answer is empty"),
        (None, {"message": {"refusal": "I can't help."}}, {}, LlmRefusalError, "the model refused: I can't help."),
        ("", {"finish_reason": "content_filter"}, {}, LlmRefusalError, "a filter of the server held the answer back"),
        ('{"na', {"finish_reason": "length"}, {"schema": PERSON, "max_tokens": 3}, LlmCutError,
         "the answer was cut at the most tokens it may have (max_tokens: 3)"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_use_is_an_error_and_its_tokens_are_counted(
    context: Alone, content: Any, choice: Any, config: Any, error: type[LlmError], said: str
) -> None:
    with serving(replying(content, **choice)) as host:
        connected(context, f"http://{host}/v1")
        with pytest.raises(error) as caught:
            await chat(context, prompt="Who?", **config)
    assert said in str(caught.value)
    assert context.counts == {"input_tokens": 9, "output_tokens": 3}


async def test_a_cut_answer_is_right_where_that_is_said(context: Alone) -> None:
    with serving(replying("Once upon", finish_reason="length")) as host:
        connected(context, f"http://{host}/v1")
        answer = await chat(context, prompt="Tell", allow_cut=True)
    assert (answer["text"], answer["finish_reason"]) == ("Once upon", "length")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, LlmRequestError, "the server refused with status 401: Incorrect API key provided: "),
        (404, LlmRequestError, "the server refused with status 404"),
        (429, LlmRateLimitError, "rate limit: Incorrect"),
        (503, LlmServerError, "the server failed with status 503"),
    ],
)
async def test_a_server_that_refuses_is_asked_once_and_told_of_without_the_key(
    context: Alone, status: int, error: type[LlmError], said: str, stream: bool
) -> None:
    seen = []

    def refuse(_: BaseHTTPRequestHandler, body: bytes) -> Answer:
        seen.append(body)
        told = {"error": {"message": f"Incorrect API key provided: {KEY}\nSee the docs.", "type": "x", "code": "y"}}
        return status, {"Content-Type": "application/json"}, json.dumps(told).encode()

    with serving(refuse) as host:
        connected(context, f"http://{host}/v1")
        with pytest.raises(error) as caught:
            await chat(context, prompt="q", stream=stream)
    assert said in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(seen) == 1


async def test_nobody_there_is_told(context: Alone) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    connected(context, f"{server}/v1")
    with pytest.raises(LlmConnectionError, match=f"gpt-4o-mini: {server} can't be reached"):
        await chat(context, prompt="q")


async def test_without_a_connection_the_environment_says_where(context: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(
        LlmRequestError, match="there is no key: name a connection of the family openai, or set OPENAI_"
    ):
        await result_of(NODE_TYPE, context, model="m", prompt="q")
    with serving(replying("x")) as host:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{host}/v1")
        assert (await result_of(NODE_TYPE, context, model="m", prompt="q"))["text"] == "x"


async def test_cancelling_closes_the_connection(context: Alone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        connected(context, f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        task = asyncio.ensure_future(chat(context, prompt="q"))
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            connection.settimeout(20)
            await asyncio.to_thread(connection.recv, 65_536)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            wait_until(lambda: connection.recv(65_536) == b"")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objct"}, "it is no JSON Schema: at ['type']: 'objct' is not valid under any of the given schemas"),
        (PERSON, None),
        ({"type": "${inputs.kind}"}, None),
    ],
)
def test_a_schema_that_is_none_is_told_before_anything_runs(schema: dict[str, Any], said: str | None) -> None:
    assert NODE_TYPE.check is not None
    assert NODE_TYPE.check({"schema": schema}) == ([(("schema",), said)] if said else [])


async def test_nothing_that_a_schema_refers_to_is_fetched(context: Alone) -> None:
    asked: list[str] = []

    def note(request: BaseHTTPRequestHandler, _: bytes) -> Answer:
        asked.append(request.path)
        return 200, {}, b"{}"

    with serving(note) as elsewhere, serving(replying("1")) as host:
        connected(context, f"http://{host}/v1")
        with pytest.raises(ValueError, match="is not in it"):
            await chat(context, prompt="q", schema={"$ref": f"http://{elsewhere}/schema.json"})
    assert asked == []


@pytest.mark.parametrize("config", [{}, {"prompt": "a", "messages": [{"role": "user", "content": "b"}]}])
def test_either_a_prompt_or_messages_are_given(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected either 'prompt' or 'messages'"):
        NODE_TYPE.config.model_validate({"model": "m", **config})
