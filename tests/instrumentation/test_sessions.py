"""Every span that begins in a session tells of it, ours and others', and none that begins outside."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pocketflow
import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from fixtures.llm_vendors import VendorServer, call, client
from instrumentation.recording import Recording, traced
from pocketflow_otel import carry, record_llm_usage, session
from pocketflow_otel.sessions import Session

WAIT = 30
NAMES = ("session.id", "gen_ai.conversation.id", "user.id", "pocketflow.tags")
ADA = {
    "session.id": "chat-42",
    "gen_ai.conversation.id": "chat-42",
    "user.id": "ada",
    "pocketflow.tags": ("beta", "eu"),
}


def adas() -> Session:
    return session("chat-42", user_id="ada", tags=["beta", "eu"])


def ids(name: str) -> dict[str, Any]:
    return {"session.id": name, "gen_ai.conversation.id": name}


def of_session(span: Any) -> dict[str, Any]:
    return {name: value for name, value in (span.attributes or {}).items() if name in NAMES}


def told(recording: Recording) -> list[tuple[str, dict[str, Any]]]:
    """What each span tells of a session, in the order they began."""
    return [(span.name, of_session(span)) for span in recording.spans]


def their_span(tracer: Any, name: str) -> None:
    with tracer.start_as_current_span(name):
        pass


class Ask(pocketflow.Node):
    """Makes a span of somebody else's, and calls a model that only we know of."""

    def exec(self, prep_res: Any) -> None:
        their_span(self.params["tracer"], "theirs")
        record_llm_usage(model="m", input_tokens=1)


class Try(pocketflow.BatchNode):
    def prep(self, shared: Any) -> list[int]:
        return [1]

    def exec(self, item: int) -> None: ...


class Rounds(pocketflow.BatchFlow):
    def prep(self, shared: Any) -> Any:
        return [{}]


class AskLater(pocketflow.AsyncNode):
    async def exec_async(self, prep_res: Any) -> None:
        await asyncio.sleep(0)
        their_span(self.params["tracer"], self.params["name"])


def flow_of_everything(tracer: Any) -> Any:
    ask = Ask()
    ask >> Rounds(Try(max_retries=2))
    flow = pocketflow.Flow(ask)
    flow.set_params({"tracer": tracer})
    return flow


EVERYTHING = [
    "invoke_workflow Flow",
    "invoke_node Ask",
    "theirs",
    "chat m",
    "invoke_workflow Rounds",
    "iteration",
    "invoke_node Try",
    "item",
    "attempt",
]


def test_all_spans_in_a_session_tell_it() -> None:
    with traced() as recording:
        flow = flow_of_everything(recording.tracer_provider.get_tracer("theirs"))
        with adas():
            flow.run({})
    assert told(recording) == [(name, ADA) for name in EVERYTHING]


def test_no_span_outside_does() -> None:
    with traced() as recording:
        tracer = recording.tracer_provider.get_tracer("theirs")
        flow = flow_of_everything(tracer)
        flow.run({})
        with adas():
            pass
        flow.run({})
        their_span(tracer, "after")
    assert told(recording) == [(name, {}) for name in [*EVERYTHING, *EVERYTHING, "after"]]


def test_spans_before_and_after_flows_and_on_other_providers_tell_it() -> None:
    other = Recording()
    with traced() as recording, adas():
        tracer = other.tracer_provider.get_tracer("theirs")
        their_span(tracer, "before")
        pocketflow.Flow(pocketflow.Node()).run({})
        their_span(tracer, "after")
        their_span(recording.tracer_provider.get_tracer("theirs"), "last")
    assert told(other) == [("before", ADA), ("after", ADA)]
    assert told(recording) == [("invoke_workflow Flow", ADA), ("invoke_node Node", ADA), ("last", ADA)]


def test_a_span_tells_the_session_of_the_context_it_is_given() -> None:
    with traced() as recording:
        tracer = recording.tracer_provider.get_tracer("theirs")
        with adas():
            inside = otel_context.get_current()
            tracer.start_span("given none", context=otel_context.Context()).end()
        tracer.start_span("given one", context=inside).end()
    assert told(recording) == [("given none", {}), ("given one", ADA)]


def test_a_span_that_began_before_the_session_does_not_tell_it() -> None:
    class Enter(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            with session("inner"):
                their_span(self.params["tracer"], "theirs")

    with traced() as recording:
        flow = pocketflow.Flow(Enter())
        flow.set_params({"tracer": recording.tracer_provider.get_tracer("theirs")})
        flow.run({})
    assert told(recording) == [("invoke_workflow Flow", {}), ("invoke_node Enter", {}), ("theirs", ids("inner"))]


def test_a_session_in_a_session() -> None:
    with traced() as recording:
        flow = pocketflow.Flow(pocketflow.Node())
        with adas(), session("inner", tags=["draft"]):
            flow.run({})
    inner = {**ids("inner"), "user.id": "ada", "pocketflow.tags": ("beta", "eu", "draft")}
    assert told(recording) == [("invoke_workflow Flow", inner), ("invoke_node Node", inner)]


async def test_sessions_of_tasks_do_not_mix() -> None:
    async def talk(tracer: Any, name: str) -> None:
        flow = pocketflow.AsyncFlow(AskLater())
        flow.set_params({"tracer": tracer, "name": name})
        async with session(name):
            await flow.run_async({})

    with traced() as recording:
        tracer = recording.tracer_provider.get_tracer("theirs")
        await asyncio.gather(*(talk(tracer, name) for name in ("one", "two")))
    for tree in recording.trees:
        (theirs,) = [below.name for below in tree.below() if below.name in ("one", "two")]
        assert [of_session(below.span) for below in tree.below()] == [ids(theirs)] * 3
    assert len(recording.trees) == 2


def test_a_thread_is_in_the_session_that_was_carried_there() -> None:
    flow = pocketflow.Flow(pocketflow.Node())
    with traced() as recording, ThreadPoolExecutor(1) as pool, adas():
        pool.submit(carry(flow.run), {}).result(WAIT)
        pool.submit(flow.run, {}).result(WAIT)
    assert [of_session(span) for span in recording.spans] == [ADA, ADA, {}, {}]


def test_samplers_see_the_session() -> None:
    class Sessions(Sampler):
        def should_sample(
            self, parent_context: Any, trace_id: int, name: str, kind: Any = None, attributes: Any = None, *_: Any
        ) -> SamplingResult:
            decision = Decision.RECORD_AND_SAMPLE if "session.id" in attributes else Decision.DROP
            return SamplingResult(decision, attributes)

        def get_description(self) -> str:
            return "sessions"

    flow = pocketflow.Flow(pocketflow.Node())
    with traced(sampler=Sessions()) as recording:
        flow.run({})
        with adas():
            flow.run({})
    assert told(recording) == [("invoke_workflow Flow", ADA), ("invoke_node Node", ADA)]


def test_processors_see_the_session_where_a_span_begins() -> None:
    seen: list[dict[str, Any]] = []

    class See(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            seen.append(of_session(span))

    with traced() as recording, adas():
        recording.tracer_provider.add_span_processor(See())
        their_span(recording.tracer_provider.get_tracer("theirs"), "theirs")
    assert seen == [ADA]


def test_spans_of_a_client_of_a_model_tell_it() -> None:
    class Chat(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            call("openai", self.params["client"], "Why?", model="gpt-4o")

    with VendorServer() as server, client("openai", server) as openai, traced() as recording:
        flow = pocketflow.Flow(Chat())
        flow.set_params({"client": openai})
        OpenAIInstrumentor().instrument(tracer_provider=recording.tracer_provider)
        try:
            with adas():
                flow.run({})
        finally:
            OpenAIInstrumentor().uninstrument()
    assert told(recording) == [(name, ADA) for name in ("invoke_workflow Flow", "invoke_node Chat", "chat gpt-4o")]


def test_spans_inside_what_is_left_out_tell_it() -> None:
    with traced(exclude=["Ask"]) as recording:
        flow = flow_of_everything(recording.tracer_provider.get_tracer("theirs"))
        with adas():
            flow.run({})
            with suppress_instrumentation():
                their_span(recording.tracer_provider.get_tracer("theirs"), "suppressed")
    assert {name: attributes for name, attributes in told(recording) if name in ("theirs", "suppressed")} == {
        "theirs": ADA,
        "suppressed": ADA,
    }


def test_spans_that_are_not_recorded_stay_as_they_are() -> None:
    with traced(), adas():
        their_span(trace.NoOpTracer(), "nothing")


# Requests.


@contextmanager
def request(header: str) -> Iterator[None]:
    """The context of a request with a ``baggage`` header."""
    token = otel_context.attach(W3CBaggagePropagator().extract({"baggage": header}))
    yield
    otel_context.detach(token)


def test_a_requests_session_reaches_the_spans_of_a_flow() -> None:
    with traced() as recording, request("session.id=chat-42,user.id=ada,other=1"):
        tracer = recording.tracer_provider.get_tracer("theirs")
        their_span(tracer, "before")
        flow_of_everything(tracer).run({})
        assert baggage.get_baggage("other") == "1"
    received = {**ids("chat-42"), "user.id": "ada"}
    assert told(recording) == [("before", {}), *((name, received) for name in EVERYTHING)]


@pytest.mark.parametrize("header", ["other=1", "session.id=", "session.id=" + "s" * 201, "session.id=a%0Ab"])
def test_a_request_without_a_usable_session_tells_none(header: str) -> None:
    with traced() as recording, request(header):
        pocketflow.Flow(pocketflow.Node()).run({})
    assert told(recording) == [("invoke_workflow Flow", {}), ("invoke_node Node", {})]


def test_a_session_of_the_program_counts_more_than_the_requests() -> None:
    with traced() as recording, request("session.id=chat-1,user.id=bob"), session("chat-2"):
        pocketflow.Flow(pocketflow.Node()).run({})
    assert told(recording) == [("invoke_workflow Flow", ids("chat-2")), ("invoke_node Node", ids("chat-2"))]


def test_only_an_outermost_flow_looks_at_a_request() -> None:
    class Receive(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            with request("session.id=chat-42"):
                pocketflow.Flow(pocketflow.Node()).run({})

    with traced() as recording:
        Receive().run({})
    assert told(recording) == [
        ("invoke_node Receive", {}),
        ("invoke_workflow Flow", {}),
        ("invoke_node Node", {}),
    ]


# Without instrumentation.


def test_after_uninstrumenting_nothing_is_added() -> None:
    with traced() as recording, adas():
        tracer = recording.tracer_provider.get_tracer("theirs")
        their_span(tracer, "while")
        left_open = tracer.start_span("left open")
    with adas():
        their_span(tracer, "afterwards")
        left_open.end()
    assert told(recording) == [("while", ADA), ("left open", ADA), ("afterwards", {})]
