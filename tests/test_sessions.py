"""A session is in the context inside it, however it is entered, and gone afterwards, however it is left."""

import asyncio
import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from enum import StrEnum
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from pocketflow import Flow, Node

from instrumentation.processes import run_script
from instrumentation.recording import traced
from pocketflow_otel.carrying import carry
from pocketflow_otel.sessions import SESSION, Session, session, session_attributes, session_of_baggage

WAIT = 30
propagator = W3CBaggagePropagator()


@pytest.fixture(autouse=True)
def _leaves_no_trace(caplog):
    """The context is as before, and was never detached where it was not attached."""
    before = otel_context.get_current()
    yield
    assert otel_context.get_current() is before
    assert [record.getMessage() for record in caplog.get_records("call")] == []


def here():
    """What a span that begins here would tell."""
    return session_attributes(otel_context.get_current())


def where():
    """The id of the session here."""
    return (here() or {}).get("session.id")


def ids(name):
    return {"session.id": name, "gen_ai.conversation.id": name}


def test_a_session_is_in_the_context():
    assert here() is None
    with session("chat-42", user_id="ada", tags=["beta", "eu"]) as entered:
        assert isinstance(entered, Session)
        assert here() == {**ids("chat-42"), "user.id": "ada", "pocketflow.tags": ("beta", "eu")}
        assert otel_context.get_value(SESSION) is here()
    assert here() is None


def test_what_is_not_given_is_absent():
    with session("chat-42"):
        assert here() == ids("chat-42")


def test_it_begins_where_it_is_entered_not_where_it_is_made():
    made = session("chat-42")
    assert here() is None
    with made:
        assert where() == "chat-42"


def test_everything_else_stays_in_the_context():
    key = otel_context.create_key("test")
    token = otel_context.attach(otel_context.set_value(key, "kept"))
    with session("chat-42"):
        assert otel_context.get_value(key) == "kept"
    otel_context.detach(token)


def test_tags_keep_their_order_and_are_told_once():
    with session("chat-42", tags=(tag for tag in ["b", "a", "b", "c", "a"])):
        assert here()["pocketflow.tags"] == ("b", "a", "c")


def test_a_session_in_a_session():
    with session("outer", user_id="ada", tags=["b", "a"]):
        outer = here()
        with session("inner", tags=["c", "b"]):
            assert here() == {**ids("inner"), "user.id": "ada", "pocketflow.tags": ("b", "a", "c")}
            with session("innermost", user_id="bob"):
                assert here() == {**ids("innermost"), "user.id": "bob", "pocketflow.tags": ("b", "a", "c")}
        assert here() is outer
        assert outer == {**ids("outer"), "user.id": "ada", "pocketflow.tags": ("b", "a")}


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, GeneratorExit])
def test_errors_go_through_and_the_session_ends(error):
    raised = error()
    with pytest.raises(error) as caught, session("chat-42"):
        raise raised
    assert caught.value is raised
    assert here() is None


async def test_async_with():
    async with session("chat-42") as entered:
        assert isinstance(entered, Session)
        await asyncio.sleep(0)
        assert where() == "chat-42"
    assert here() is None


async def test_an_error_in_async_with():
    with pytest.raises(LookupError):
        async with session("chat-42"):
            raise LookupError
    assert here() is None


@session("decorated", tags=["t"])
def work(number: int, *, factor: int = 2) -> tuple[str | None, int]:
    """Does it."""
    return where(), number * factor


@session("decorated")
async def work_later(number: int) -> tuple[str | None, int]:
    await asyncio.sleep(0)
    return where(), number


def test_a_decorated_function():
    assert (work(2), here(), work(2, factor=3), here()) == (("decorated", 4), None, ("decorated", 6), None)
    assert (work.__name__, work.__doc__) == ("work", "Does it.")
    assert str(inspect.signature(work)) == "(number: int, *, factor: int = 2) -> tuple[str | None, int]"


async def test_a_decorated_coroutine_function():
    assert inspect.iscoroutinefunction(work_later)
    coroutine = work_later(2)
    assert here() is None
    assert (await coroutine, here()) == (("decorated", 2), None)


def test_a_decorated_function_that_raises():
    @session("decorated")
    def fail():
        raise LookupError(where())

    with pytest.raises(LookupError, match=r"^'?decorated'?$"):
        fail()
    assert here() is None


def test_a_decorated_method():
    class Chat:
        @session("decorated")
        def ask(self, question):
            return self, question, where()

    chat = Chat()
    assert chat.ask("why") == (chat, "why", "decorated")


def test_each_call_of_a_decorated_function_is_in_the_session_of_the_caller():
    @session("decorated")
    def told():
        return here()

    with session("first", user_id="ada"):
        assert told() == {**ids("decorated"), "user.id": "ada"}
    assert told() == ids("decorated")


def test_a_decorated_function_may_call_itself():
    @session("decorated", tags=["t"])
    def down(depth):
        return [here(), *(down(depth - 1) if depth else []), here()]

    assert down(2) == [{**ids("decorated"), "pocketflow.tags": ("t",)}] * 6
    assert here() is None


def test_generator_functions_are_not_decorated():
    def stream():
        yield

    async def stream_later():
        yield

    for function in (stream, stream_later):
        with pytest.raises(TypeError, match=r"^a session can't decorate a generator function, whose body runs where"):
            session("chat-42")(function)


def test_one_session_entered_again_inside_itself():
    one = session("one")
    with one:
        outer = here()
        with one:
            with session("two"), one:
                assert where() == "one"
            assert where() == "one"
        assert here() is outer
    assert here() is None


def test_one_session_in_many_threads_at_once():
    one = session("one")
    entered, leaving = Barrier(8), Barrier(8)

    def work(number):
        with session(f"thread {number}"):
            with one:
                entered.wait(WAIT)
                inside = where()
                leaving.wait(WAIT)
            return inside, where()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [("one", f"thread {number}") for number in range(8)]


async def test_one_session_in_many_tasks_at_once():
    one = session("one")
    meeting = asyncio.Barrier(8)

    async def task(number):
        # Left in another order than entered.
        async with session(f"task {number}"):
            async with one:
                await meeting.wait()
                for _ in range(number * 3 % 8):
                    await asyncio.sleep(0)
                inside = where()
            return inside, where()

    results = await asyncio.gather(*(task(number) for number in range(8)))
    assert results == [("one", f"task {number}") for number in range(8)]


async def test_tasks_are_in_the_session_they_are_made_in():
    async def told():
        await asyncio.sleep(0)
        return where()

    with session("first"):
        first = asyncio.create_task(told())
    with session("second"):
        assert [await first, await told()] == ["first", "second"]


async def test_cancellation_leaves_the_session():
    after = []

    async def task():
        try:
            async with session("chat-42"):
                after.append(where())
                await asyncio.Event().wait()
        finally:
            after.append(where())

    running = asyncio.create_task(task())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert after == ["chat-42", None]


def test_leaving_where_it_was_not_entered_changes_nothing():
    one = session("one")
    elsewhere = copy_context()
    elsewhere.run(one.__enter__)
    with session("two"):
        one.__exit__(None, None, None)
        assert where() == "two"
    assert elsewhere.run(where) == "one"
    elsewhere.run(one.__exit__, None, None, None)
    assert elsewhere.run(where) is None


async def test_leaving_in_another_task_says_nothing():
    async def stream():
        with session("stream"):
            yield where()

    async def close():
        await streaming.aclose()
        return where()

    streaming = stream()
    with session("around"):
        first = await asyncio.create_task(anext(streaming))
        assert [first, await asyncio.create_task(close()), where()] == ["stream", "around", "around"]


def test_leaving_without_having_entered():
    with session("around"):
        session("other").__exit__(None, None, None)
        assert where() == "around"


def test_what_is_left_open_inside_does_not_stay():
    with session("outer"):
        session("left open").__enter__()
        assert where() == "left open"
    assert here() is None


def test_nothing_of_an_entry_is_kept():
    one = session("one")
    with one:
        pass
    assert one._attachments == []


def test_carried_functions_are_in_the_session():
    with ThreadPoolExecutor(1) as pool, session("chat-42"):
        assert [pool.submit(work).result(WAIT) for work in (where, carry(where), where)] == [None, "chat-42", None]


def test_nodes_are_in_the_session_of_their_flow():
    class Ask(Node):
        def exec(self, prep_res):
            return where()

        def post(self, shared, prep_res, exec_res):
            shared["sessions"].append(exec_res)

    shared = {"sessions": []}
    with traced():
        with session("chat-42"):
            Flow(Ask()).run(shared)
        Flow(Ask()).run(shared)
    assert shared["sessions"] == ["chat-42", None]


class Tag(StrEnum):
    BETA = "beta"

    def __str__(self):
        raise AssertionError("run for nothing")


def test_members_of_an_enumeration_become_plain_texts():
    with session(Tag.BETA, user_id=Tag.BETA, tags=[Tag.BETA, "beta"]):
        told = here()
        assert told == {**ids("beta"), "user.id": "beta", "pocketflow.tags": ("beta",)}
        assert {type(text) for text in (*told["pocketflow.tags"], told["session.id"], told["user.id"])} == {str}


def test_what_utf_8_cannot_hold_is_escaped():
    with session("a\ud800", user_id="\udfff", tags=["\ud800"], baggage=True):
        assert here() == {**ids("a\\ud800"), "user.id": "\\udfff", "pocketflow.tags": ("\\ud800",)}
        sent = {}
        propagator.inject(sent)
    assert sent == {"baggage": "session.id=a%5Cud800,user.id=%5Cudfff"}


@pytest.mark.parametrize("length", [1, 1024])
def test_lengths_that_are_taken(length):
    with session("s" * length, user_id="u" * length, tags=["t" * length]):
        expected = {**ids("s" * length), "user.id": "u" * length, "pocketflow.tags": ("t" * length,)}
        assert here() == expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"session_id": 42}, TypeError, "session_id must be a str, not int"),
        ({"session_id": None}, TypeError, "session_id must be a str, not NoneType"),
        ({"session_id": b"chat"}, TypeError, "session_id must be a str, not bytes"),
        ({"session_id": ""}, ValueError, "session_id must have 1 to 1024 characters, not 0"),
        ({"session_id": "s" * 1025}, ValueError, "session_id must have 1 to 1024 characters, not 1025"),
        ({"user_id": 42}, TypeError, "user_id must be a str, not int"),
        ({"user_id": ""}, ValueError, "user_id must have 1 to 1024 characters, not 0"),
        ({"user_id": "u" * 1025}, ValueError, "user_id must have 1 to 1024 characters, not 1025"),
        ({"tags": "beta"}, TypeError, "tags must be a list of str, not str"),
        ({"tags": None}, TypeError, "tags must be a list of str, not NoneType"),
        ({"tags": 42}, TypeError, "tags must be a list of str, not int"),
        ({"tags": ["beta", 42]}, TypeError, "each of tags must be a str, not int"),
        ({"tags": [["beta"]]}, TypeError, "each of tags must be a str, not list"),
        ({"tags": ["beta", ""]}, ValueError, "each of tags must have 1 to 1024 characters, not 0"),
        (
            {"session_id": "s" * 201, "baggage": True},
            ValueError,
            "session_id must be printable and have at most 200 characters to travel as baggage; this one has 201",
        ),
        (
            {"user_id": "a\nb", "baggage": True},
            ValueError,
            "user_id must be printable and have at most 200 characters to travel as baggage; this one has 3",
        ),
    ],
)
def test_bad_arguments_are_told(arguments, error, message):
    with pytest.raises(error) as caught:
        session(**{"session_id": "chat-42", **arguments})
    assert str(caught.value) == message


def test_baggage_is_left_alone():
    with session("chat-42", user_id="ada"):
        assert dict(otel_baggage.get_all()) == {}


def test_ids_travel_as_baggage():
    token = otel_context.attach(otel_baggage.set_baggage("other", "kept"))
    with session("chat-42", user_id="ada", tags=["beta"], baggage=True):
        assert dict(otel_baggage.get_all()) == {"other": "kept", "session.id": "chat-42", "user.id": "ada"}
        assert where() == "chat-42"
    assert dict(otel_baggage.get_all()) == {"other": "kept"}
    otel_context.detach(token)


def test_only_ids_given_to_travel_do():
    with session("outer", user_id="ada"):
        with session("inner", baggage=True):
            assert here() == {**ids("inner"), "user.id": "ada"}
            assert dict(otel_baggage.get_all()) == {"session.id": "inner"}
            with session("innermost", user_id="bob"):
                assert dict(otel_baggage.get_all()) == {"session.id": "inner"}
        assert dict(otel_baggage.get_all()) == {}


def received(**values):
    context = Context()
    for name, value in values.items():
        context = otel_baggage.set_baggage(name.replace("_", "."), value, context)
    return session_of_baggage(context)


def test_a_session_of_baggage():
    assert received(session_id="chat-42", user_id="ada") == {**ids("chat-42"), "user.id": "ada"}
    assert received(session_id="chat-42") == ids("chat-42")
    assert received(user_id="ada") == {"user.id": "ada"}
    assert received(other="x") is None
    assert session_of_baggage(Context()) is None


def test_a_session_of_our_own_counts_more_than_baggage():
    with session("chat-42", baggage=True):
        assert session_of_baggage(otel_context.get_current()) is None


class Str(str):
    __slots__ = ()

    def isprintable(self):
        raise AssertionError("run for nothing")


@pytest.mark.parametrize("value", ["", "s" * 201, "a\nb", "a\x1b[31m", "\x00", "\ud800", 42, None, b"s", Str("s")])
def test_what_is_no_id_is_not_taken(value):
    assert received(session_id=value, user_id="ada") == {"user.id": "ada"}
    assert received(session_id="chat-42", user_id=value) == ids("chat-42")
    assert received(session_id=value) is None


def test_the_longest_id_that_is_taken():
    assert received(session_id="s" * 200) == ids("s" * 200)


# Baggage is read without spaces around it.
travelling = st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable() and text == text.strip())


@given(travelling, travelling)
def test_ids_arrive_as_they_were_sent(session_id, user_id):
    sent = {}
    with session(session_id, user_id=user_id, baggage=True):
        told = here()
        propagator.inject(sent)
    assert session_of_baggage(propagator.extract(sent, Context())) == told


def test_a_generators_tags_are_read_once():
    def tags() -> Iterator[str]:
        yield from "ab"

    one = session("one", tags=tags())
    for _ in range(2):
        with one:
            assert here()["pocketflow.tags"] == ("a", "b")


def test_sessions_and_carrying_load_no_sdk(tmp_path):
    script = """
        import json
        import sys
        import pocketflow_otel.carrying
        import pocketflow_otel.sessions
        rooms = {".".join(name.split(".")[:2]) for name in sys.modules}
        strangers = {
            "opentelemetry.exporter", "opentelemetry.instrumentation", "opentelemetry.sdk", "opentelemetry.trace",
            "pocketflow", "pocketflow_otel.instrumentation", "pydantic", "typer", "wrapt",
        }
        print(json.dumps(sorted(strangers & rooms)))
    """
    assert run_script(tmp_path, script) == []
