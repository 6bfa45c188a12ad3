"""A carried function runs in the context it was carried from, and leaves the one it is called in as it was."""

import asyncio
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Barrier, Thread

import pytest
from opentelemetry import context as otel_context
from pocketflow import AsyncFlow, AsyncNode, Flow, Node

from instrumentation.recording import traced
from pocketflow_otel.carrying import Attachment, carry

KEY = otel_context.create_key("test")
WAIT = 30


@pytest.fixture(autouse=True)
def _leaves_no_trace(caplog):
    """The context is as before, and was never detached where it was not attached."""
    before = otel_context.get_current()
    yield
    assert otel_context.get_current() is before
    assert [record.getMessage() for record in caplog.get_records("call")] == []


@contextmanager
def current(value):
    """Makes a value the current one, to be seen by `seen`."""
    token = otel_context.attach(otel_context.set_value(KEY, value))
    yield
    otel_context.detach(token)


def seen(*_):
    return otel_context.get_value(KEY)


async def seen_later(*_):
    before = seen()
    await asyncio.sleep(0)
    return before, seen()


def in_thread(function):
    """What a function returns in a new thread."""
    results = []
    thread = Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(WAIT)
    return results.pop()


def fail():
    raise LookupError("no such thing")


async def fail_later():
    await asyncio.sleep(0)
    fail()


def test_a_function_runs_in_the_context_it_was_carried_from():
    with current("there"):
        carried = carry(seen)
    assert (seen(), carried(), seen()) == (None, "there", None)
    with current("here"):
        assert (seen(), carried(), seen()) == ("here", "there", "here")


def test_carrying_takes_the_context_of_the_moment():
    with current("first"):
        first = carry(seen)
        with current("second"):
            assert (first(), carry(seen)()) == ("first", "second")


def test_the_carried_context_is_the_very_same():
    with current("there"):
        there = otel_context.get_current()
        assert in_thread(carry(otel_context.get_current)) is there


def test_arguments_and_results_go_through():
    def work(*args, **kwargs):
        return args, kwargs

    assert carry(work)(1, 2, function=3, context=4) == ((1, 2), {"function": 3, "context": 4})


def test_errors_go_through():
    with current("there"):
        carried = carry(fail)
    with pytest.raises(LookupError, match=r"^no such thing$"):
        carried()
    assert seen() is None


def test_what_a_function_leaves_attached_does_not_stay():
    with current("there"):
        carried = carry(lambda: otel_context.attach(otel_context.set_value(KEY, "left")))
    with current("here"):
        carried()
        assert seen() == "here"


def test_threads_of_a_pool_are_as_before_after_each_call():
    with ThreadPoolExecutor(1) as pool:
        with current("there"):
            carried = carry(seen)
            failing = carry(fail)
        results = [pool.submit(carried).result(WAIT), pool.submit(seen).result(WAIT)]
        assert isinstance(pool.submit(failing).exception(WAIT), LookupError)
        assert [*results, pool.submit(seen).result(WAIT)] == ["there", None, None]


def test_one_carried_function_in_many_threads_at_once():
    meeting = Barrier(8)

    def meet(number):
        before = seen()
        meeting.wait(WAIT)
        return number, before, seen()

    with ThreadPoolExecutor(8) as pool, current("there"):
        assert list(pool.map(carry(meet), range(8))) == [(number, "there", "there") for number in range(8)]


async def test_a_loops_executor():
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool, current("there"):
        inside = [await loop.run_in_executor(pool, work) for work in (seen, carry(seen), seen)]
    assert inside == [None, "there", None]


async def test_a_coroutine_runs_in_the_context_from_its_first_step_to_its_last():
    with current("there"):
        carried = carry(seen_later)
    with current("here"):
        coroutine = carried()
        assert seen() == "here"
        assert (await coroutine, seen()) == (("there", "there"), "here")


async def test_errors_of_coroutines_go_through():
    with current("there"):
        carried = carry(fail_later)
    with pytest.raises(LookupError, match=r"^no such thing$"):
        await carried()
    assert seen() is None


def test_a_coroutine_in_the_loop_of_another_thread():
    with current("there"):
        carried = carry(seen_later)
    assert in_thread(lambda: asyncio.run(carried())) == ("there", "there")


async def test_a_cancelled_coroutine_leaves_the_context():
    after = []

    async def wait():
        await asyncio.Event().wait()

    async def task():
        try:
            await carried()
        finally:
            after.append(seen())

    with current("there"):
        carried = carry(wait)
    running = asyncio.create_task(task())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert after == [None]


def test_a_coroutine_may_be_closed_from_anywhere():
    with current("there"):
        coroutine = carry(seen_later)()
    elsewhere = copy_context()
    elsewhere.run(coroutine.send, None)
    with current("here"):
        coroutine.close()
        assert seen() == "here"
    assert elsewhere.run(seen) == "there"


def test_the_body_of_a_generator_runs_where_it_is_iterated():
    def numbers():
        yield seen()

    with current("there"):
        carried = carry(numbers)
    assert list(carried()) == [None]


def test_metadata():
    def work(number: int = 1) -> int:
        """Does it."""
        return number

    work.mark = "kept"
    carried = carry(work)
    assert (carried.__name__, carried.__qualname__, carried.__doc__) == (work.__name__, work.__qualname__, "Does it.")
    assert (carried.mark, carried.__module__, carried.__wrapped__) == ("kept", __name__, work)
    assert inspect.signature(carried) == inspect.signature(work)


class Callable:
    """A thing with methods, and without a name."""

    def __call__(self):
        return seen()

    def method(self):
        return seen()

    async def later(self):
        return await seen_later()


class CallableLater:
    async def __call__(self):
        return await seen_later()


@pytest.mark.parametrize(
    "function",
    [Callable(), Callable().method, functools.partial(seen, 1)],
    ids=["object", "method", "partial"],
)
def test_whatever_can_be_called(function):
    with current("there"):
        carried = carry(function)
    assert not inspect.iscoroutinefunction(carried)
    assert in_thread(carried) == "there"


@pytest.mark.parametrize(
    "function",
    [seen_later, CallableLater(), Callable().later, functools.partial(seen_later, 1)],
    ids=["function", "object", "method", "partial"],
)
async def test_whatever_can_be_awaited(function):
    with current("there"):
        carried = carry(function)
    assert inspect.iscoroutinefunction(carried)
    assert await carried() == ("there", "there")


def test_a_class_can_be_carried():
    class Made:
        def __init__(self):
            self.where = seen()

    with current("there"):
        carried = carry(Made)
    assert in_thread(carried).where == "there"


def test_a_carried_function_may_be_carried_on():
    with current("first"):
        carried = carry(seen)
        with current("second"):
            assert carry(carried)() == "first"


def test_an_attachment_ends_once_and_where_it_began():
    context = otel_context.set_value(KEY, "there")
    attachment = Attachment(context)
    assert otel_context.get_current() is context
    assert copy_context().run(attachment.end) is False
    assert in_thread(attachment.end) is False
    assert [attachment.end(), seen(), attachment.end()] == [True, None, False]


class Ask(Node):
    """Works in a thread of a pool, once as it is and once carried."""

    def exec(self, prep_res):
        def work(name):
            with self.params["tracer"].start_as_current_span(name):
                pass

        with ThreadPoolExecutor(1) as pool:
            pool.submit(work, "lost").result(WAIT)
            pool.submit(carry(work), "submitted").result(WAIT)
            list(pool.map(carry(work), ["mapped 1", "mapped 2"]))
        thread = Thread(target=carry(work), args=("thread",))
        thread.start()
        thread.join(WAIT)


def test_spans_in_threads_are_the_nodes_children():
    with traced() as recording:
        flow = Flow(Ask())
        flow.set_params({"tracer": recording.tracer_provider.get_tracer("test")})
        flow.run({})
    children = ["submitted", "mapped 1", "mapped 2", "thread"]
    assert recording.names == [("invoke_workflow Flow", [("invoke_node Ask", children)]), "lost"]


class AskLater(AsyncNode):
    async def exec_async(self, prep_res):
        await asyncio.get_running_loop().run_in_executor(None, carry(Flow(Inner()).run), {})


class Inner(Node):
    def exec(self, prep_res):
        print("inside")


async def test_a_flow_in_a_thread_is_the_nodes_child():
    with traced(capture_output=True) as recording:
        await AsyncFlow(AskLater()).run_async({})
    inner = ("invoke_workflow Flow", ["invoke_node Inner"])
    assert recording.names == [("invoke_workflow AsyncFlow", [("invoke_node AskLater", [inner])])]
    assert recording.attributes("invoke_node Inner")["pocketflow.stdout"] == "inside\n"
