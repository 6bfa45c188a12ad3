"""Coroutines that are closed, cancelled, or never run: their spans end, and the context is as it was."""

import asyncio
import contextvars
import gc
import warnings
from typing import Any

import pytest
from opentelemetry.trace import get_current_span
from pocketflow import AsyncBatchNode, AsyncFlow, AsyncNode, AsyncParallelBatchFlow

from instrumentation.recording import traced


@pytest.fixture(autouse=True)
def _leaves_no_trace(caplog):
    yield
    assert not get_current_span().get_span_context().is_valid
    assert [record.getMessage() for record in caplog.get_records("call")] == []


class Pause:
    """Gives control back once, to whoever drives the coroutine."""

    def __await__(self) -> Any:
        yield


class Stop(AsyncNode):
    """Pauses in the phase that its params name."""

    async def prep_async(self, shared):
        await self._reach("prep")

    async def exec_async(self, prepared):
        await self._reach("exec")

    async def post_async(self, shared, prepared, result):
        await self._reach("post")

    async def _reach(self, phase: str) -> None:
        if phase == self.params["phase"]:
            await Pause()


def flow_that_stops_in(phase: str) -> AsyncFlow:
    node = Stop(max_retries=2)
    flow = AsyncFlow(AsyncFlow(node))
    flow.set_params({"phase": phase})
    return flow


PHASES = {
    "prep": ("invoke_workflow AsyncFlow", [("invoke_workflow AsyncFlow", ["invoke_node Stop"])]),
    "exec": ("invoke_workflow AsyncFlow", [("invoke_workflow AsyncFlow", [("invoke_node Stop", ["attempt"])])]),
    "post": ("invoke_workflow AsyncFlow", [("invoke_workflow AsyncFlow", [("invoke_node Stop", ["attempt"])])]),
}


def expect_ended(recording: Any, phase: str, error: str) -> None:
    assert recording.names == [PHASES[phase]]
    told = {span.name: (span.attributes or {}).get("error.type") for span in recording.spans}
    succeeded = {"attempt": None} if phase == "post" else {}
    assert told == dict.fromkeys(told, error) | succeeded


@pytest.mark.parametrize("phase", PHASES)
def test_closed_half_way(phase):
    with traced() as recording:
        coroutine = flow_that_stops_in(phase).run_async({})
        coroutine.send(None)
        coroutine.close()
    expect_ended(recording, phase, "GeneratorExit")


@pytest.mark.parametrize("phase", PHASES)
def test_closed_from_another_context(phase):
    with traced() as recording:
        coroutine = flow_that_stops_in(phase).run_async({})
        mine = contextvars.copy_context()
        mine.run(coroutine.send, None)
        contextvars.Context().run(coroutine.close)
    expect_ended(recording, phase, "GeneratorExit")


@pytest.mark.parametrize("phase", PHASES)
def test_closed_by_the_garbage_collector(phase):
    with traced() as recording:
        coroutine = flow_that_stops_in(phase).run_async({})
        contextvars.copy_context().run(coroutine.send, None)
        del coroutine
        gc.collect()
    expect_ended(recording, phase, "GeneratorExit")


@pytest.mark.parametrize("phase", PHASES)
def test_closed_inside_another_flow_leaves_that_one_current(phase):
    class Outer(AsyncNode):
        async def exec_async(self, prepared):
            before = get_current_span()
            coroutine = flow_that_stops_in(phase).run_async({})
            contextvars.copy_context().run(coroutine.send, None)
            coroutine.close()
            assert get_current_span() is before
            print("still me")

    with traced(capture_output=True) as recording:
        asyncio.run(AsyncFlow(Outer()).run_async({}))
    assert recording.attributes("invoke_node Outer")["pocketflow.stdout"] == "still me\n"
    assert recording.names == [("invoke_workflow AsyncFlow", [("invoke_node Outer", [PHASES[phase]])])]


@pytest.mark.parametrize("phase", PHASES)
def test_finished_in_another_context(phase):
    with traced() as recording:
        coroutine = flow_that_stops_in(phase).run_async({})
        contextvars.copy_context().run(coroutine.send, None)
        with pytest.raises(StopIteration):
            contextvars.Context().run(coroutine.send, None)
    told = [(span.attributes or {}).get("error.type") for span in recording.spans]
    assert told == [None] * len(told)
    # Nothing tells what the new context is in, so the rest of the flow is only half seen; what is seen has its parents.
    assert {span.parent.span_id for span in recording.spans if span.parent} <= {
        span.context.span_id for span in recording.spans
    }


def test_never_awaited():
    with traced() as recording, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        coroutine = flow_that_stops_in("exec").run_async({})
        del coroutine
        gc.collect()
    assert recording.spans == []
    assert [str(warning.message) for warning in warned] == ["coroutine 'AsyncNode.run_async' was never awaited"]


def test_an_error_thrown_in():
    with traced() as recording:
        coroutine = flow_that_stops_in("prep").run_async({})
        coroutine.send(None)
        with pytest.raises(KeyboardInterrupt):
            coroutine.throw(KeyboardInterrupt())
    expect_ended(recording, "prep", "KeyboardInterrupt")


def test_a_generator_that_pauses_within_a_flow_is_closed_elsewhere():
    def steps():
        coroutine = flow_that_stops_in("exec").run_async({})
        yield coroutine.send(None)
        coroutine.send(None)

    with traced() as recording:
        generator = steps()
        contextvars.copy_context().run(next, generator)
        contextvars.copy_context().run(generator.close)
    expect_ended(recording, "exec", "GeneratorExit")


async def test_a_cancelled_task_group():
    started = asyncio.Barrier(4)

    class Wait(AsyncNode):
        async def exec_async(self, prepared):
            await started.wait()
            await asyncio.Event().wait()

    class Fail(AsyncNode):
        async def exec_async(self, prepared):
            await started.wait()
            raise ValueError("no")

    async def run_all():
        async with asyncio.TaskGroup() as group:
            for node in (Wait(), Wait(), Wait(), Fail()):
                group.create_task(AsyncFlow(node).run_async({}))

    with traced() as recording:
        with pytest.raises(ExceptionGroup) as raised:
            await run_all()
        assert [str(error) for error in raised.value.exceptions] == ["no"]
    told = sorted((span.name, (span.attributes or {})["error.type"]) for span in recording.spans)
    assert told == [
        ("invoke_node Fail", "ValueError"),
        *[("invoke_node Wait", "CancelledError")] * 3,
        *[("invoke_workflow AsyncFlow", "CancelledError")] * 3,
        ("invoke_workflow AsyncFlow", "ValueError"),
    ]


async def test_a_time_out_within_branches_and_items():
    arrived = asyncio.Barrier(7)

    class Items(AsyncBatchNode):
        async def prep_async(self, shared):
            return [1, 2]

        async def exec_async(self, item):
            await arrived.wait()
            await asyncio.Event().wait()

    class Branches(AsyncParallelBatchFlow):
        async def prep_async(self, shared):
            return [{"number": number} for number in range(6)]

    with traced() as recording:
        task = asyncio.create_task(Branches(Items()).run_async({}))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(recording.spans) == 1 + 6 * 3
    assert {(span.attributes or {}).get("error.type") for span in recording.spans} == {"CancelledError"}
