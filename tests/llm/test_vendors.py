"""The vendors' real clients understand the server, and its account is of what they saw."""

from dataclasses import replace

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from fixtures.llm_vendors import (
    APIS,
    Api,
    Call,
    VendorServer,
    api,
    async_call,
    async_client,
    call,
    client,
    directive,
    reported,
)
from pocketflow_otel.llm.usage import Usage

USAGE = Usage(input_tokens=120, output_tokens=30, cached_input_tokens=20, cache_write_tokens=5, reasoning_tokens=7)
TEXT = "Because it  is so.\n"
PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "google": "gcp.gemini"}
STREAMED = [one for one in APIS if one.delta]
WAYS = [(one, stream) for one in APIS for stream in (False, True) if one.delta or not stream]

every_way = pytest.mark.parametrize(
    ("one", "stream"), WAYS, ids=[f"{one}-stream" if stream else str(one) for one, stream in WAYS]
)


@pytest.fixture
def server():
    with VendorServer() as server:
        yield server


def billed(one: Api, usage: Usage = USAGE) -> Usage:
    """The part of a usage that an API has numbers for."""
    if one.operation == "embeddings":
        return Usage(input_tokens=usage.input_tokens)
    return replace(usage, cache_write_tokens=0) if one.vendor == "google" else usage


def the_call(one: Api, stream: bool, response_id: str | None, label: str | None = None) -> Call:
    usage = replace(billed(one), provider=PROVIDERS[one.vendor], model="some-model", response_id=response_id)
    return Call(
        vendor=one.vendor,
        operation=one.operation,
        model="some-model",
        usage=usage,
        streamed=stream,
        status=200,
        usage_reported=str(one) != "google-embeddings",
        response_id=response_id,
        label=label,
    )


def send(one, client, prompt, stream, include_usage=True):
    answer = one.send(client, prompt, "some-model", stream, include_usage)
    return list(answer) if stream else [answer]


async def async_send(one, client, prompt, stream):
    answer = await one.send(client, prompt, "some-model", stream, True)
    return [event async for event in answer] if stream else [answer]


@every_way
def test_a_client_sees_the_usage_that_was_asked_for(server, one, stream):
    with client(one.vendor, server) as opened:
        answers = send(one, opened, directive(usage=USAGE, label="node-3"), stream)

    [logged] = server.calls
    assert logged == the_call(one, stream, logged.response_id, "node-3")
    assert reported(one, answers) == (billed(one) if logged.usage_reported else None)


@every_way
async def test_so_does_an_asynchronous_client(server, one, stream):
    async with async_client(one.vendor, server) as opened:
        answers = await async_send(one, opened, directive(usage=USAGE), stream)

    [logged] = server.calls
    assert logged == the_call(one, stream, logged.response_id)
    assert reported(one, answers) == (billed(one) if logged.usage_reported else None)


@every_way
@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=9, output_tokens=4, reasoning_tokens=4)], ids=["0", "9"])
def test_a_usage_without_a_part_is_told_without_it(server, one, stream, usage):
    with client(one.vendor, server) as opened:
        answers = send(one, opened, directive(usage=usage), stream)

    assert reported(one, answers) == (billed(one, usage) if server.calls[0].usage_reported else None)


@every_way
def test_no_usage_leaves_it_out_but_bills_it(server, one, stream):
    with client(one.vendor, server) as opened:
        answers = send(one, opened, directive(usage=USAGE, reports_usage=False), stream)

    [logged] = server.calls
    assert reported(one, answers) is None
    assert logged == replace(the_call(one, stream, logged.response_id), usage_reported=False)


def test_a_chat_stream_tells_its_usage_only_when_asked_to(server):
    chat = api("openai")
    with client("openai", server) as opened:
        answers = send(chat, opened, directive(usage=USAGE), stream=True, include_usage=False)

    [logged] = server.calls
    assert reported(chat, answers) is None
    assert [chunk.choices[0].finish_reason for chunk in answers] == [None] * (len(answers) - 1) + ["stop"]
    assert logged == replace(the_call(chat, True, logged.response_id), usage_reported=False)


@pytest.mark.parametrize("one", STREAMED, ids=str)
@pytest.mark.parametrize("text", [TEXT, "", " ", "one"])
async def test_a_stream_brings_the_whole_text(server, one, text):
    prompt = directive(text=text)
    with client(one.vendor, server) as opened:
        assert call(one.vendor, opened, prompt, model="m", operation=one.operation, stream=True) == text
    async with async_client(one.vendor, server) as opened:
        assert await async_call(one.vendor, opened, prompt, model="m", operation=one.operation, stream=True) == text


@pytest.mark.parametrize("one", STREAMED, ids=str)
def test_a_stream_without_text_tells_its_usage(server, one):
    with client(one.vendor, server) as opened:
        answers = send(one, opened, directive(usage=USAGE, text=""), stream=True)

    assert reported(one, answers) == billed(one)


def test_the_start_of_a_message_tells_only_the_first_of_its_output(server):
    with client("anthropic", server) as opened:
        starts = [send(api("anthropic"), opened, directive(usage=usage), stream=True)[0] for usage in (USAGE, Usage())]

    assert [start.message.usage.output_tokens for start in starts] == [1, 0]
    assert [start.message.usage.input_tokens for start in starts] == [95, 0]


def test_the_chunks_of_google_count_up(server):
    with client("google", server) as opened:
        chunks = send(api("google"), opened, directive(usage=USAGE, text="One two three"), stream=True)

    assert [chunk.usage_metadata.candidates_token_count for chunk in chunks] == [7, 15, 23]
    assert [chunk.usage_metadata.total_token_count for chunk in chunks] == [134, 142, 150]


def text_in(response):
    match response.__class__.__name__:
        case "ChatCompletion":
            return response.choices[0].message.content
        case "Response":
            return response.output_text
        case "Message":
            return response.content[0].text
    return response.text


@pytest.mark.parametrize("one", STREAMED, ids=str)
async def test_so_does_a_response(server, one):
    with client(one.vendor, server) as opened:
        response = call(one.vendor, opened, directive(text=TEXT), model="m", operation=one.operation)
    async with async_client(one.vendor, server) as opened:
        again = await async_call(one.vendor, opened, directive(text=TEXT), model="m", operation=one.operation)

    assert text_in(response) == text_in(again) == TEXT


def test_an_answer_has_the_id_that_is_logged(server):
    with client("openai", server) as opened:
        ids = [call("openai", opened, "Why?", model="m", operation=way).id for way in ("chat", "responses")]
    with client("anthropic", server) as opened:
        ids.append(call("anthropic", opened, "Why?", model="m").id)
    with client("google", server) as opened:
        ids.append(call("google", opened, "Why?", model="m").response_id)

    assert ids == [logged.response_id for logged in server.calls]
    assert len(set(ids)) == len(ids)


def test_an_embedding_comes_as_numbers(server):
    with client("openai", server) as opened:
        vectors = opened.embeddings.create(model="m", input=["a", directive(usage=USAGE)])
        as_floats = opened.embeddings.create(model="m", input="a", encoding_format="float")
    with client("google", server) as opened:
        others = opened.models.embed_content(model="m", contents=["a", directive(usage=USAGE)])

    assert [one.embedding for one in vectors.data] == [[0.25, -0.5, 1.0]] * 2
    assert as_floats.data[0].embedding == [0.25, -0.5, 1.0]
    assert [one.values for one in others.embeddings] == [[0.25, -0.5, 1.0]] * 2
    assert [logged.usage.input_tokens for logged in server.calls] == [120, 1, 120]


ERRORS = [
    ("openai", 429, openai.RateLimitError),
    ("openai", 500, openai.InternalServerError),
    ("openai", 401, openai.AuthenticationError),
    ("anthropic", 429, anthropic.RateLimitError),
    ("anthropic", 500, anthropic.InternalServerError),
    ("anthropic", 529, anthropic.InternalServerError),
    ("google", 429, google_errors.ClientError),
    ("google", 500, google_errors.ServerError),
]
KINDS = {
    ("openai", 429): ("requests", "rate_limit_exceeded"),
    ("openai", 500): ("server_error", None),
    ("openai", 401): ("invalid_request_error", "invalid_api_key"),
    ("anthropic", 429): "rate_limit_error",
    ("anthropic", 500): "api_error",
    ("anthropic", 529): "overloaded_error",
    ("google", 429): "RESOURCE_EXHAUSTED",
    ("google", 500): "INTERNAL",
}


def kind_of(error):
    if isinstance(error, openai.APIStatusError):
        return error.status_code, (error.type, error.code)
    if isinstance(error, anthropic.APIStatusError):
        return error.status_code, error.body["error"]["type"]
    return error.code, error.status


@pytest.mark.parametrize(("vendor", "status", "kind"), ERRORS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_is_the_clients_own(server, vendor, status, kind, stream):
    prompt = directive(usage=USAGE, error=status)
    with client(vendor, server) as opened, pytest.raises(kind) as caught:
        call(vendor, opened, prompt, model="m", stream=stream)
    async with async_client(vendor, server) as opened:
        with pytest.raises(kind) as caught_too:
            await async_call(vendor, opened, prompt, model="m", stream=stream)

    assert kind_of(caught.value) == kind_of(caught_too.value) == (status, KINDS[vendor, status])
    assert caught.value.response.headers["retry-after-ms"] == "1"
    nothing = Usage(provider=PROVIDERS[vendor], model="m")
    failed = Call(
        vendor=vendor,
        operation="chat",
        model="m",
        usage=nothing,
        streamed=stream,
        status=status,
        usage_reported=False,
        response_id=None,
        label=None,
    )
    assert server.calls == [failed, failed]
    assert server.total() == Usage()


@every_way
async def test_a_clients_own_retries_succeed_and_each_is_logged(server, one, stream):
    def prompt(label):
        return directive(usage=USAGE, error=429, times=2, label=label)

    with client(one.vendor, server, max_retries=2) as opened:
        send(one, opened, prompt("a"), stream)
    async with async_client(one.vendor, server, max_retries=2) as opened:
        await async_send(one, opened, prompt("b"), stream)

    tried = [(logged.label, logged.status) for logged in server.calls]
    assert tried == [("a", 429), ("a", 429), ("a", 200), ("b", 429), ("b", 429), ("b", 200)]
    once = billed(one)
    assert server.total() == replace(
        once,
        input_tokens=2 * once.input_tokens,
        output_tokens=2 * once.output_tokens,
        cached_input_tokens=2 * once.cached_input_tokens,
        cache_write_tokens=2 * once.cache_write_tokens,
        reasoning_tokens=2 * once.reasoning_tokens,
    )


@pytest.mark.parametrize("vendor", PROVIDERS)
def test_with_fewer_retries_than_failures_the_error_stays(server, vendor):
    prompt = directive(error=503, times=2)
    with client(vendor, server, max_retries=1) as opened:
        with pytest.raises((openai.APIError, anthropic.APIError, google_errors.APIError)):
            call(vendor, opened, prompt, model="m")
        call(vendor, opened, prompt, model="m")

    assert [logged.status for logged in server.calls] == [503, 503, 200]


def test_the_last_message_of_the_user_decides(server):
    messages = [
        {"role": "system", "content": directive(error=500)},
        {"role": "user", "content": directive(error=500)},
        {"role": "user", "content": [{"type": "text", "text": directive(label="here")}]},
        {"role": "assistant", "content": directive(error=500)},
    ]
    with client("openai", server) as opened:
        opened.chat.completions.create(model="m", messages=messages)
        opened.responses.create(model="m", input=messages)
    with client("anthropic", server) as opened:
        opened.messages.create(model="m", max_tokens=1, messages=messages[1:])

    assert [logged.label for logged in server.calls] == ["here"] * 3


def test_a_usage_that_cannot_be_is_a_bad_request(server):
    with client("anthropic", server) as opened, pytest.raises(anthropic.BadRequestError, match="reasoning is a part"):
        call("anthropic", opened, "[usage output=1 reasoning=2]", model="m")

    assert [logged.status for logged in server.calls] == [400]


def test_an_unknown_path_is_not_found(server):
    with client("openai", server) as opened, pytest.raises(openai.NotFoundError):
        opened.completions.create(model="m", prompt="Why?")

    assert server.calls == []


@pytest.mark.parametrize("one", STREAMED, ids=str)
def test_a_stream_left_early_is_billed_whole(server, one):
    with client(one.vendor, server) as opened:
        stream = one.send(opened, directive(usage=USAGE), "some-model", True, True)
        next(iter(stream))
        stream.close()

    [logged] = server.calls
    assert logged == the_call(one, True, logged.response_id)
