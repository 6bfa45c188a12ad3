"""The demo: its LLM server under the real OpenAI client and under raw HTTP, and its agent as a program of its own."""

import asyncio
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import openai
import pocketflow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.demo import agent, model
from pocketflow_otel.demo.chat_api import MODELS, UNPRICED_MODEL, ChatRequest, Completion
from pocketflow_otel.demo.llm_server import DEMO_FAULTS, URL_VARIABLE, Fault, LLMServer, ServedRequest, demo_server
from pocketflow_otel.demo.prompt_cache import PromptCache
from pocketflow_otel.traces.reader import Span, read_trace

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello, world!"}]
REPLY = "You said: Hello, world!"

DEMO_OUTPUT = """\
Question: Which is taller, the Eiffel Tower or the Statue of Liberty?
Decision: search: Eiffel Tower
  pages about Eiffel Tower: 2
Decision: search: Statue of Liberty
  pages about Statue of Liberty: 3
Decision: answer
Draft: The Eiffel Tower is taller.
  relevance: accept
  evidence: revise: give the figures
  brevity: accept
Draft: The Eiffel Tower is taller: 330 metres, against 93 metres for the Statue of Liberty.
  relevance: accept
  evidence: accept
  brevity: accept
Answer: The Eiffel Tower is taller: 330 metres, against 93 metres for the Statue of Liberty.
"""

# Runs the agent as `python -m` does, and then tells on stderr what it left behind.
RUN_AGENT = """
import runpy, sys, threading
runpy.run_module("pocketflow_otel.demo.agent", run_name="__main__")
loaded = [name for name in ("openai", "opentelemetry") if sys.modules.get(name)]
print([thread.name for thread in threading.enumerate()], loaded, file=sys.stderr)
"""
HIDE_OPENAI = "import sys; sys.modules['openai'] = None\n"

# Traces the agent, as `demo` does, with the instrumentations of its client that a prelude switches on.
TRACE_AGENT = """
import runpy, sys
import pocketflow_otel
pocketflow_otel.configure(exporters=["file"], trace_dir=sys.argv.pop())
runpy.run_module("pocketflow_otel.demo.agent", run_name="__main__")
"""
OFFICIAL = (
    "from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor as Official\nOfficial().instrument()\n"
)
OPENINFERENCE = "from openinference.instrumentation.openai import OpenAIInstrumentor as Other\nOther().instrument()\n"
USD_PER_MILLION = {"gpt-4o-mini": (0.15, 0.075, 0.60), "gpt-4o": (2.50, 1.25, 10.00)}
"""What OpenAI asks for tokens read, read from its cache, and written."""

NOTHING = (None,) * 4
VISITS = [
    ("Decide", 1, 34, None, 4),
    ("Search", *NOTHING),
    ("Read", 2, 118, 16, 31),
    ("Decide", 1, 45, 32, 5),
    ("Search", *NOTHING),
    ("Read", 3, 147, 64, 40),
    ("Decide", 1, 57, 32, 1),
    ("Answer", 1, 88, None, 6),
    ("Review", 3, 45, None, 7),
    ("Answer", 2, 186, 160, 34),
    ("Review", 3, 81, None, 3),
    ("Finish", *NOTHING),
]
"""The visits of nodes, and what each used: calls, tokens read, those of them from a cache, tokens written."""

BY_HAND = ["pocketflow_otel"]
SEEN_BY = {
    "neither client nor instrumentation": (HIDE_OPENAI, BY_HAND),
    "client": ("", BY_HAND),
    "client, official instrumentation": (OFFICIAL, ["opentelemetry.instrumentation.genai.openai"]),
    "client, OpenInference": (OPENINFERENCE, ["openinference.instrumentation.openai"]),
    "client, both": (
        OFFICIAL + OPENINFERENCE,
        ["openinference.instrumentation.openai", "opentelemetry.instrumentation.genai.openai"],
    ),
}
"""How the demo's calls may be seen: what switches that on, and the instrumentation scopes of the calls' spans."""


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with LLMServer() as server:
        yield server


@pytest.fixture
def client(server: LLMServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def connection(server: LLMServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=10)
    yield connection
    connection.close()


def port_of(server: LLMServer) -> int:
    return int(server.url.removeprefix("http://127.0.0.1:").removesuffix("/v1"))


def post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, dict]:
    connection.request("POST", "/v1/chat/completions", body)
    response = connection.getresponse()
    return response.status, json.load(response)


def chat(**fields: object) -> bytes:
    return json.dumps({"model": MODELS[0], "messages": HELLO, **fields}).encode()


def exchange(server: LLMServer, request: bytes) -> bytes:
    """Sends raw bytes and returns all the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as raw:
        raw.sendall(request)
        return b"".join(iter(lambda: raw.recv(65536), b""))


def server_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("llm-server"))


def sums(span: Span) -> tuple[int | None, ...]:
    """What a span says was used below it: calls, tokens read, those of them from a cache, tokens written."""
    names = ("calls", "input_tokens", "cached_input_tokens", "output_tokens")
    return tuple(span.attributes.get(f"pocketflow.usage.{name}") for name in names)


def cost(request: ServedRequest) -> float:
    """US dollars that a request cost; 0 for a model of no known price."""
    read, cached, written = USD_PER_MILLION.get(request.model, (0, 0, 0))
    uncached = request.input_tokens - request.cached_tokens
    return (uncached * read + request.cached_tokens * cached + request.output_tokens * written) / 1e6


def run_agent(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != URL_VARIABLE}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestCompletions:
    def test_sync_client_gets_a_whole_completion(self, client, server):
        completion = client.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert completion.id == "chatcmpl-00000001"
        assert completion.object == "chat.completion"
        assert completion.model == "gpt-4o"
        assert [choice.finish_reason for choice in completion.choices] == ["stop"]
        assert completion.choices[0].message.role == "assistant"
        assert completion.choices[0].message.content == REPLY
        usage = completion.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 7, 14)
        assert usage.prompt_tokens_details.cached_tokens == 0
        assert server.requests == (ServedRequest("gpt-4o", 7, 7, 200),)

    def test_beginning_of_a_prompt_is_cached_once_a_model_has_read_it(self, client, server):
        def cached(prompt: str, name: str = "gpt-4o") -> int:
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
            usage = client.chat.completions.create(model=name, messages=messages).usage
            return usage.prompt_tokens_details.cached_tokens

        prompt = "word " * 40  # with the system's three, 43 tokens
        assert [cached(prompt), cached(prompt), cached("word " * 28), cached(prompt + "more")] == [0, 32, 16, 32]
        assert cached("other " + prompt) == 0
        assert cached(prompt, "gpt-4o-mini") == 0
        assert [each.cached_tokens for each in server.requests] == [0, 32, 16, 32, 0, 0]

    async def test_async_client_gets_answers_to_parallel_requests(self, server):
        async with openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
            completions = await asyncio.gather(
                *(
                    client.chat.completions.create(model=MODELS[0], messages=[{"role": "user", "content": f"no {i}"}])
                    for i in range(8)
                )
            )
        assert [each.choices[0].message.content for each in completions] == [f"You said: no {i}" for i in range(8)]
        assert {each.id for each in completions} == {f"chatcmpl-{n:08d}" for n in range(1, 9)}
        assert server.requests == (ServedRequest(MODELS[0], 2, 5, 200),) * 8

    def test_stream_ends_with_a_usage_chunk_if_asked_for(self, client, server):
        stream = client.chat.completions.create(
            model=MODELS[0], messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        *chunks, last = list(stream)
        deltas = [chunk.choices[0].delta for chunk in chunks]
        assert [delta.content for delta in deltas] == ["", "You", " said:", " Hello,", " world!", None]
        assert [delta.role for delta in deltas] == ["assistant", None, None, None, None, None]
        assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 5 + ["stop"]
        assert [chunk.usage for chunk in chunks] == [None] * 6
        assert {chunk.object for chunk in [*chunks, last]} == {"chat.completion.chunk"}
        assert last.choices == []
        assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (7, 7, 14)
        assert server.requests == (ServedRequest(MODELS[0], 7, 7, 200),)

    async def test_async_stream_tells_no_usage_unless_asked_for(self, server):
        async with openai.AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
            stream = await client.chat.completions.create(model=MODELS[0], messages=HELLO, stream=True)
            chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == REPLY
        assert [chunk.usage for chunk in chunks] == [None] * 6

    @pytest.mark.parametrize("limit", [{"max_tokens": 4}, {"max_completion_tokens": 4, "max_tokens": 1}])
    def test_limit_on_tokens_cuts_the_reply(self, client, server, limit):
        completion = client.chat.completions.create(model=MODELS[0], messages=HELLO, **limit)
        assert completion.choices[0].message.content == "You said: Hello"
        assert completion.choices[0].finish_reason == "length"
        assert completion.usage.completion_tokens == 4
        assert server.requests == (ServedRequest(MODELS[0], 7, 4, 200),)

    def test_limit_that_is_not_reached_cuts_nothing(self, client):
        completion = client.chat.completions.create(model=MODELS[0], messages=HELLO, max_tokens=7)
        assert completion.choices[0].message.content == REPLY
        assert completion.choices[0].finish_reason == "stop"

    def test_parts_of_text_and_empty_assistant_messages_are_read(self, client):
        parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]
        completion = client.chat.completions.create(model=MODELS[0], messages=messages)
        assert completion.choices[0].message.content == "You said: one\ntwo"
        assert completion.usage.prompt_tokens == 2

    def test_reply_is_to_the_last_user_message(self, client):
        messages = [*HELLO, {"role": "user", "content": "Bye."}, {"role": "assistant", "content": "Wait"}]
        completion = client.chat.completions.create(model=MODELS[0], messages=messages)
        assert completion.choices[0].message.content == "You said: Bye."

    def test_models_are_listed(self, client, server):
        assert tuple(each.id for each in client.models.list()) == MODELS
        assert server.requests == ()


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "param", "code"),
        [
            (b"", None, None),
            (b"{", None, None),
            (b"\xff", None, None),
            (b"[" * 200_000, None, None),
            (b"[]", None, None),
            (chat(model=None), "model", None),
            (chat(model=""), "model", None),
            (chat(model=7), "model", None),
            (chat(n=2), "n", "unsupported_value"),
            (chat(messages=None), "messages", None),
            (chat(messages=[]), "messages", None),
            (chat(messages={}), "messages", None),
            (chat(messages=["hi"]), "messages.[0]", None),
            (chat(messages=[*HELLO, {"role": "boss", "content": "hi"}]), "messages.[2].role", None),
            (chat(messages=[{"role": ["user"], "content": "hi"}]), "messages.[0].role", None),
            (chat(messages=[{"role": "user"}]), "messages.[0].content", None),
            (chat(messages=[{"role": "user", "content": 7}]), "messages.[0].content", None),
            (chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), "messages.[0].content", None),
            (chat(messages=[{"role": "user", "content": ["hi"]}]), "messages.[0].content", None),
            (chat(max_tokens=0), "max_tokens", None),
            (chat(max_tokens=True), "max_tokens", None),
            (chat(max_completion_tokens="4"), "max_completion_tokens", None),
            (chat(stream="yes"), "stream", None),
            (chat(stream_options={"include_usage": True}), "stream_options", None),
            (chat(stream=True, stream_options=[]), "stream_options", None),
            (chat(stream=True, stream_options={"include_usage": 1}), "stream_options.include_usage", None),
        ],
    )
    def test_bad_requests_are_told_apart_by_param(self, connection, server, body, param, code):
        status, content = post(connection, body)
        error = content["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert (status, error["type"], error["param"], error["code"]) == (400, "invalid_request_error", param, code)
        assert server.requests == (ServedRequest("", 0, 0, 400),)

    def test_bad_request_raises_in_the_client(self, client):
        with pytest.raises(openai.BadRequestError, match="whole number of at least 1") as caught:
            client.chat.completions.create(model=MODELS[0], messages=HELLO, max_tokens=-1)
        assert caught.value.param == "max_tokens"

    def test_unknown_model_is_not_found(self, client, server):
        with pytest.raises(openai.NotFoundError, match="The model 'gpt-0' does not exist") as caught:
            client.chat.completions.create(model="gpt-0", messages=HELLO)
        assert caught.value.code == "model_not_found"
        assert server.requests == (ServedRequest("gpt-0", 7, 0, 404),)

    def test_unknown_path_is_not_found(self, client, server):
        with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/embeddings\)"):
            client.embeddings.create(model=MODELS[0], input="hi")
        assert server.requests == ()

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/v1/chat/completions", 405),
            ("POST", "/v1/models?limit=1", 405),
            ("GET", "/", 404),
            ("DELETE", "/v1/models", 501),
        ],
    )
    def test_wrong_methods_are_errors_in_json(self, connection, method, path, status):
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == status
        assert json.load(response)["error"]["type"] == "invalid_request_error"

    def test_fault_fails_as_often_as_told(self):
        faults = [Fault("Hello", 500, times=2), Fault("world", 429)]
        with (
            LLMServer(faults=faults) as server,
            openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client,
        ):
            for expected in (openai.InternalServerError, openai.InternalServerError, openai.RateLimitError):
                with pytest.raises(expected):
                    client.chat.completions.create(model=MODELS[0], messages=HELLO, stream=True)
            other = client.chat.completions.create(model=MODELS[0], messages=[{"role": "user", "content": "Hi"}])
            same = client.chat.completions.create(model=MODELS[0], messages=HELLO)
        assert (other.choices[0].message.content, same.choices[0].message.content) == ("You said: Hi", REPLY)
        assert [each.status for each in server.requests] == [500, 500, 429, 200, 200]
        assert [each.output_tokens for each in server.requests] == [0, 0, 0, 4, 7]

    @pytest.mark.parametrize(
        ("status", "error_class", "kind", "code"),
        [
            (429, openai.RateLimitError, "requests", "rate_limit_exceeded"),
            (500, openai.InternalServerError, "server_error", None),
            (503, openai.InternalServerError, "server_error", None),
        ],
    )
    def test_fault_looks_as_it_would_at_openai(self, status, error_class, kind, code):
        with (
            LLMServer(faults=[Fault("Hello", status)]) as server,
            openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client,
            pytest.raises(error_class) as caught,
        ):
            client.chat.completions.create(model=MODELS[0], messages=HELLO)
        assert (caught.value.status_code, caught.value.type, caught.value.code) == (status, kind, code)


class TestHttp:
    def test_connection_is_kept_through_every_kind_of_response(self, connection):
        connection.connect()
        first = connection.sock
        assert post(connection, chat())[0] == 200
        assert post(connection, b"{")[0] == 400
        assert post(connection, b" " * (1 << 20) + b"{}")[0] == 413
        connection.request("GET", "/nowhere", b"a body that nobody reads")
        assert connection.getresponse().read().startswith(b'{"error"')
        connection.request("POST", "/v1/chat/completions", chat(stream=True))
        assert connection.getresponse().read().endswith(b"data: [DONE]\n\n")
        assert post(connection, chat())[1]["choices"][0]["message"]["content"] == REPLY
        assert connection.sock is first

    def test_body_of_exactly_the_limit_is_read(self, connection):
        assert post(connection, chat().ljust(1 << 20))[0] == 200

    def test_http_1_0_stream_ends_with_the_connection(self, server):
        body = chat(stream=True)
        request = b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        head, _, content = exchange(server, request).partition(b"\r\n\r\n")
        assert b"Transfer-Encoding" not in head
        assert b"\r\nConnection: close" in head
        events = content.decode().removesuffix("\n\n").split("\n\n")
        assert events[-1] == "data: [DONE]"
        pieces = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events[:-1]]
        assert "".join(piece.get("content", "") for piece in pieces) == REPLY

    @pytest.mark.parametrize(
        ("request_head", "status"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET /v1/models HTTP/9.9\r\n\r\n", 505),
            (b"GET /".ljust(65537, b"x"), 414),
            (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
            (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        ],
    )
    def test_broken_requests_end_the_connection_with_an_error_object(self, server, capfd, request_head, status):
        response = exchange(server, request_head)
        content = response.partition(b"\r\n\r\n")[2] if response.startswith(b"HTTP") else response
        assert json.loads(content)["error"]["type"] == "invalid_request_error"
        if response.startswith(b"HTTP"):  # A request without a version is answered without a head, as in HTTP/0.9.
            assert response.startswith(b"HTTP/1.1 %d " % status)
        assert capfd.readouterr() == ("", "")

    def test_head_request_gets_no_body(self, server):
        response = exchange(server, b"HEAD /v1/models HTTP/1.1\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 501 ")
        assert response.endswith(b"\r\n\r\n")

    def test_client_that_goes_away_leaves_no_trace_on_stderr(self, capfd):
        body = chat(stream=True, messages=[{"role": "user", "content": "word " * 50}])
        request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        with LLMServer() as server:
            raw = socket.create_connection(("127.0.0.1", port_of(server)), timeout=10)
            raw.sendall(request)
            raw.recv(1)
            # Closed without waiting, as by a killed process: the server's next write fails.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
        assert [each.status for each in server.requests] == [200]
        assert capfd.readouterr() == ("", "")


class TestLifetime:
    def test_stop_ends_threads_of_idle_connections_and_frees_the_port(self):
        server = LLMServer().start()
        port = port_of(server)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        assert post(connection, chat())[0] == 200
        assert server_threads() == ["llm-server", "llm-server-connection"]
        server.stop()
        assert server_threads() == []
        assert connection.sock.recv(1) == b""
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)

    def test_start_and_stop_may_be_repeated(self):
        server = LLMServer()
        server.stop()
        with pytest.raises(RuntimeError, match="not running"):
            _ = server.url
        assert server.start().url == server.start().url
        server.stop()
        server.stop()
        with server, openai.OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
            assert client.chat.completions.create(model=MODELS[0], messages=HELLO).choices[0].message.content == REPLY
        assert len(server.requests) == 1

    def test_demo_server_is_named_in_the_environment_while_it_runs(self, monkeypatch):
        monkeypatch.delenv(URL_VARIABLE, raising=False)
        with demo_server():
            url = os.environ[URL_VARIABLE]
            with openai.OpenAI(base_url=url, api_key="any") as client:
                assert len(client.models.list().data) == len(MODELS)
        assert URL_VARIABLE not in os.environ

    def test_demo_server_leaves_one_that_is_named_alone(self, monkeypatch, server):
        monkeypatch.setenv(URL_VARIABLE, server.url)
        with demo_server():
            assert os.environ[URL_VARIABLE] == server.url
            assert server_threads() == ["llm-server"]
        assert os.environ[URL_VARIABLE] == server.url


class TestModel:
    @given(st.text())
    def test_chunks_add_up_to_the_reply(self, prompt):
        request = ChatRequest.parse(chat(messages=[{"role": "user", "content": prompt}]))
        completion = Completion.of(request, number=1, created=0, cached_tokens=0)
        chunks = list(completion.as_chunks(include_usage=False))
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == completion.text

    @given(st.lists(st.lists(st.sampled_from(["a" * 8, "b" * 8]), max_size=6).map("".join), max_size=5))
    def test_cached_is_the_longest_beginning_in_common_with_an_earlier_prompt(self, prompts):
        cache = PromptCache()
        for number, prompt in enumerate(prompts):
            whole = [prompt[: end * 16] for end in range(1, len(prompt) // 16 + 1)]
            known = [
                beginning for beginning in whole if any(beginning == p[: len(beginning)] for p in prompts[:number])
            ]
            assert cache.read("model", prompt) == max(map(len, known), default=0)

    @given(st.text(), st.integers(1, 20))
    def test_limited_text_is_a_beginning_with_so_many_tokens(self, text, limit):
        limited = model.limit_tokens(text, limit)
        assert text.startswith(limited)
        assert model.count_tokens(limited) == min(limit, model.count_tokens(text))

    @given(st.text())
    def test_decisions_come_to_an_answer(self, question):
        conversation = [f"user: {question}"]
        for _ in range(4):
            prompt = "\n".join(["Decide what to do next: `search: <topic>`, or `answer`.", *conversation])
            conversation.append(f"assistant: {model.reply(prompt)}")
        assert conversation[-1] == "assistant: answer"

    def test_long_answer_is_sent_back(self):
        review = f"Review the answer.\nCriterion: brevity\nAnswer: {'word ' * 41}"
        assert model.reply(review) == "revise: say it in one sentence"
        assert model.reply(review.replace("brevity", "relevance")) == "accept"


class TestAgent:
    async def test_visits_and_store(self, monkeypatch, capsys):
        """PocketFlow asks for the next node after every visit, so that is where visits can be seen."""
        visits, tries_of_answers = [], []
        get_next_node = pocketflow.Flow.get_next_node

        def record(flow, node, action):
            visits.append((type(flow).__name__, type(node).__name__, action))
            if isinstance(node, agent.Answer):
                tries_of_answers.append(node.cur_retry + 1)
            return get_next_node(flow, node, action)

        monkeypatch.setattr(pocketflow.Flow, "get_next_node", record)
        monkeypatch.delenv(URL_VARIABLE, raising=False)
        messages, notes = [{"role": "user", "content": agent.QUESTION}], []
        shared = {"question": agent.QUESTION, "messages": messages, "notes": notes, "remarks": []}
        with demo_server():
            await agent.agent().run_async(shared)

        search = [
            ("Agent", "Decide", "search"),
            ("Research", "Search", None),
            ("Research", "Read", None),
            ("Agent", "Research", None),
        ]
        assert visits == [
            *search,
            *search,
            ("Agent", "Decide", "answer"),
            ("Agent", "Answer", None),
            ("Agent", "Review", "revise"),
            ("Agent", "Answer", None),
            ("Agent", "Review", "accept"),
            ("Agent", "Finish", None),
        ]
        assert tries_of_answers == [2, 2]
        assert shared["messages"] is messages
        assert [message["content"] for message in messages] == [
            agent.QUESTION,
            "search: Eiffel Tower",
            "2 new notes",
            "search: Statue of Liberty",
            "2 new notes",
            "answer",
            "The Eiffel Tower is taller.",
            "The Eiffel Tower is taller: 330 metres, against 93 metres for the Statue of Liberty.",
        ]
        assert shared["notes"] is notes
        assert len(notes) == 4
        assert shared["answer"] == messages[-1]["content"]
        assert capsys.readouterr().out == DEMO_OUTPUT.partition("\n")[2]

    @pytest.mark.parametrize(
        ("prelude", "loaded"), [("", ["openai", "opentelemetry"]), (HIDE_OPENAI, ["opentelemetry"])]
    )
    def test_program_with_a_server_of_its_own(self, prelude, loaded):
        # A proxy that is not there: the demo must not need the way out.
        finished = run_agent(prelude + RUN_AGENT, HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9")
        assert finished.stderr == f"['MainThread'] {loaded}\n"
        assert finished.stdout == DEMO_OUTPUT
        assert finished.returncode == 0

    @pytest.mark.parametrize("prelude", ["", HIDE_OPENAI])
    def test_program_with_the_server_in_the_environment(self, prelude):
        with LLMServer(faults=DEMO_FAULTS) as server:
            finished = run_agent(prelude + RUN_AGENT, **{URL_VARIABLE: server.url})
        assert (finished.stdout, finished.returncode) == (DEMO_OUTPUT, 0)
        assert Counter(each.status for each in server.requests) == {200: 17, 500: 1}
        assert Counter(each.model for each in server.requests) == {"gpt-4o-mini": 8, "gpt-4o": 4, UNPRICED_MODEL: 6}

    @pytest.mark.parametrize(("prelude", "scopes"), SEEN_BY.values(), ids=SEEN_BY)
    def test_every_call_is_counted_once_however_it_is_seen(self, tmp_path, prelude, scopes):
        with LLMServer(faults=DEMO_FAULTS) as server:
            finished = run_agent(
                prelude + TRACE_AGENT,
                str(tmp_path),
                # Otherwise all instrumentations that are installed here would be switched on.
                OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="openai,anthropic,google-genai,google_genai",
                **{URL_VARIABLE: server.url},
            )
        assert (finished.stdout, finished.stderr, finished.returncode) == (DEMO_OUTPUT, "", 0)
        (file,) = tmp_path.glob("*.jsonl")
        trace = read_trace(file)
        calls = [span for span in trace.spans if span.name.lower().startswith("chat")]
        assert sorted({span.scope for span in calls}) == scopes

        (flow,) = trace.roots()
        served = [each for each in server.requests if each.status == 200]
        (cut_off,) = [each for each in served if each.output_tokens == agent.SHORT_TOKENS]
        assert sums(flow) == (
            len(served),
            sum(each.input_tokens for each in served),
            sum(each.cached_tokens for each in served),
            sum(each.output_tokens for each in served),
        )
        used = {name.removeprefix("pocketflow.usage."): value for name, value in flow.attributes.items()}
        assert used["cost_usd"] == pytest.approx(sum(map(cost, served)), rel=1e-9)
        assert used["models"] == ["gpt-4o-mini", "gpt-4o", UNPRICED_MODEL]
        assert (used["unpriced_calls"], used["unpriced_models"]) == (6, [UNPRICED_MODEL])
        assert used["retry.total_tokens"] == cut_off.input_tokens + cut_off.output_tokens
        assert used["retry.cost_usd"] == pytest.approx(cost(cut_off), rel=1e-9)
        visits = [span for span in trace.spans if span.name.startswith("invoke_node ")]
        assert [(span.name.removeprefix("invoke_node "), *sums(span)) for span in visits] == VISITS

    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            (
                "Which is older, Big Ben or the Statue of Liberty?",
                "Big Ben is older: 1859, against 1886 for the Statue of Liberty.",
            ),
            (
                "Is Big Ben shorter than the Eiffel Tower?",
                "Big Ben is shorter: 96 metres, against 330 metres for the Eiffel Tower.",
            ),
            (
                "How long is the Great Wall of China?",
                "The Great Wall of China is 21196 kilometres long with all its branches.",
            ),
            ("Write a short answer.", "I do not know."),
            ("?", "I do not know."),
        ],
    )
    def test_other_questions_have_answers_too(self, monkeypatch, capsys, question, answer):
        monkeypatch.delenv(URL_VARIABLE, raising=False)
        agent.main(question)
        assert capsys.readouterr().out.splitlines()[-1] == f"Answer: {answer}"

    def test_question_is_taken_from_the_command_line(self):
        finished = subprocess.run(
            [sys.executable, "-m", "pocketflow_otel.demo.agent", "What", "is", "Big Ben?"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert finished.stdout.startswith("Question: What is Big Ben?\nDecision: search: Big Ben\n")
        assert finished.stdout.endswith("Answer: Big Ben is a clock tower in London that was opened in 1859.\n")
