"""Tries, times and errors, as spans tell them."""

import asyncio
import contextlib
from time import perf_counter
from typing import Any

import pocketflow
import pytest
from opentelemetry import context as otel_context

from instrumentation.recording import Recording, traced


class Ask(pocketflow.Node): ...


class Chat(pocketflow.Flow): ...


# Tries.


class Failing(pocketflow.Node):
    def __init__(self, failures: int, max_retries: int) -> None:
        super().__init__(max_retries)
        self.failures = iter([True] * failures + [False] * 9)

    def exec(self, prep_res: Any) -> str:
        if next(self.failures):
            raise ValueError("no luck")
        return "done"


class FallingBack(Failing):
    def exec_fallback(self, prep_res: Any, exc: Exception) -> str:
        return "plan B"


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        (Failing(0, 1), {}),
        (Failing(0, 3), {"max_retries": 3}),
        (Failing(1, 3), {"max_retries": 3, "attempts": 2}),
        (FallingBack(2, 2), {"max_retries": 2, "attempts": 2, "fallback": True}),
        (FallingBack(1, 1), {"fallback": True}),
        (FallingBack(0, 2), {"max_retries": 2}),
    ],
)
def test_a_node_tells_its_tries(tried: Any, expected: dict[str, Any]) -> None:
    with traced() as recording:
        tried.run({})
    attributes = recording.attributes(f"invoke_node {type(tried).__name__}")
    keys = ("attempts", "max_retries", "fallback")
    assert {key: attributes[f"pocketflow.{key}"] for key in keys if f"pocketflow.{key}" in attributes} == expected
    assert "error.type" not in attributes


def test_attempts_tell_their_number_and_the_wait_before_them() -> None:
    waiting = Failing(2, 3)
    waiting.wait = 1e-9
    with traced() as recording:
        waiting.run({})
    first, second, third = [dict(span.attributes or {}) for span in recording.named("attempt")]
    error = {"error.type": "ValueError"}
    allowed = {"gen_ai.node.name": "Failing", "openinference.span.kind": "CHAIN", "pocketflow.max_retries": 3}
    assert first == {"pocketflow.attempt.number": 1, **allowed, **error}
    wait = second.pop("pocketflow.attempt.wait_seconds")
    assert 1e-9 <= wait
    assert second == {"pocketflow.attempt.number": 2, **allowed, **error}
    assert third.pop("pocketflow.attempt.wait_seconds") >= 1e-9
    assert third == {"pocketflow.attempt.number": 3, **allowed}


# Times.


class Working(pocketflow.Node):
    """Works for a millisecond in one of its phases."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.phase = phase

    def work(self, phase: str) -> None:
        end = perf_counter() + 0.001 * (phase == self.phase)
        while perf_counter() < end:
            pass

    def prep(self, shared: Any) -> None:
        self.work("prep")

    def exec(self, prep_res: Any) -> None:
        self.work("exec")

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        self.work("post")


@pytest.mark.parametrize("phase", ["prep", "exec", "post"])
def test_each_phase_has_its_time(phase: str) -> None:
    with traced() as recording:
        Working(phase).run({})
    span = recording.one("invoke_node Working")
    seconds = (span.attributes or {})[f"pocketflow.{phase}.seconds"]
    assert 0.001 <= seconds <= (span.end_time - span.start_time) / 1e9 + 0.001


# Errors.


class Broken(Exception):
    """An error of the program."""


class Raising(pocketflow.Node):
    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        raise Broken("it broke")


def test_an_error_is_told_once_and_marks_every_span_it_passes() -> None:
    inner = pocketflow.Flow(Raising())
    inner.name = "inner"
    with traced() as recording, pytest.raises(Broken):
        Chat(inner).run({})
    assert recording.names == [("invoke_workflow Chat", [("invoke_workflow inner", ["invoke_node Raising"])])]
    for span in recording.spans:
        assert (span.attributes or {})["error.type"] == f"{Broken.__module__}.Broken"
        assert (span.status.status_code.name, span.status.description) == ("ERROR", "it broke")
        assert "pocketflow.action" not in (span.attributes or {})
    assert [len(span.events) for span in recording.spans] == [0, 0, 1]
    (event,) = recording.one("invoke_node Raising").events
    attributes = dict(event.attributes or {})
    trace = attributes.pop("exception.stacktrace")
    assert event.name == "exception"
    assert attributes == {"exception.type": f"{Broken.__module__}.Broken", "exception.message": "it broke"}
    assert trace.startswith("Traceback (most recent call last):\n")
    assert "raise Broken" in trace
    assert "pocketflow_otel" not in trace
    assert trace.rstrip().endswith("Broken: it broke")


def test_a_try_that_is_retried_is_an_error_of_the_try_alone() -> None:
    with traced() as recording:
        Chat(Failing(1, 2)).run({})
    assert [span.status.status_code.name for span in recording.spans] == ["UNSET", "UNSET", "ERROR", "UNSET"]
    (event,) = recording.named("attempt")[0].events
    assert (event.attributes or {})["exception.message"] == "no luck"


def test_a_flow_that_cannot_follow_an_action_tells_the_error_itself() -> None:
    class Odd(pocketflow.Node):
        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> Any:
            return ["unhashable"]

    start = Odd()
    start >> Ask()
    with traced() as recording, pytest.raises(TypeError):
        Chat(start).run({})
    assert [span.status.status_code.name for span in recording.spans] == ["ERROR", "UNSET"]
    (event,) = recording.one("invoke_workflow Chat").events
    assert (event.attributes or {})["exception.type"] == "TypeError"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_ends_the_spans_too(error: type[BaseException]) -> None:
    class Stopping(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            raise error

    with traced() as recording, pytest.raises(error):
        Chat(Stopping()).run({})
    assert [(span.attributes or {})["error.type"] for span in recording.spans] == [error.__name__] * 2


def test_a_failed_item_is_counted() -> None:
    class Picky(pocketflow.BatchNode):
        def prep(self, shared: Any) -> list[int]:
            return [0, 1, 2]

        def exec(self, item: int) -> int:
            if item == 1:
                raise ValueError("not this one")
            return item

    with traced() as recording, pytest.raises(ValueError):
        Picky().run({})
    attributes = recording.attributes("invoke_node Picky")
    assert attributes["pocketflow.batch.size"] == 3
    assert attributes["pocketflow.batch.failed"] == 1
    assert [span.status.status_code.name for span in recording.named("item")] == ["UNSET", "ERROR"]


def told_of(recording: Recording) -> list[tuple[str, list[str]]]:
    """Each span with the messages of its exceptions."""
    return [
        (span.name, [str((event.attributes or {})["exception.message"]) for event in span.events])
        for span in recording.spans
    ]


def test_errors_of_parallel_items_are_told_where_they_were_raised() -> None:
    class Parallel(pocketflow.AsyncParallelBatchNode):
        async def prep_async(self, shared: Any) -> list[str]:
            return ["first", "second"]

        async def exec_async(self, item: str) -> None:
            raise ValueError(item)

    with traced() as recording, pytest.raises(ValueError, match="first"):
        asyncio.run(Parallel().run_async({}))
    assert told_of(recording) == [("invoke_node Parallel", []), ("item", ["first"]), ("item", ["second"])]
    assert recording.attributes("invoke_node Parallel")["pocketflow.batch.failed"] == 2


def test_an_error_that_was_caught_does_not_hide_the_next() -> None:
    class Fails(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            raise ValueError("inner")

    class Catches(pocketflow.Node):
        def prep(self, shared: Any) -> None:
            for _ in range(50):
                with contextlib.suppress(ValueError):
                    Fails().run({})
            raise ValueError("outer")

    with traced() as recording, pytest.raises(ValueError, match="outer"):
        Catches().run({})
    assert told_of(recording) == [("invoke_node Catches", ["outer"]), *[("invoke_node Fails", ["inner"])] * 50]


def test_the_error_of_a_fallback_with_a_wrong_signature_is_the_nodes() -> None:
    class Wrong(Failing):
        def exec_fallback(self) -> None:  # type: ignore[override]
            """Takes nothing."""

    with traced() as recording, pytest.raises(TypeError) as raised:
        Wrong(2, 2).run({})
    assert isinstance(raised.value.__context__, ValueError)
    assert recording.attributes("invoke_node Wrong")["error.type"] == "TypeError"
    assert [name for name, _ in told_of(recording)] == ["invoke_node Wrong", "attempt", "attempt"]
    assert [len(messages) for _, messages in told_of(recording)] == [1, 1, 1]


async def test_cancellation_ends_the_spans() -> None:
    class Waiting(pocketflow.AsyncNode):
        async def exec_async(self, prep_res: Any) -> None:
            await asyncio.Event().wait()

    with traced() as recording:
        task = asyncio.create_task(pocketflow.AsyncFlow(Waiting()).run_async({}))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [(span.attributes or {})["error.type"] for span in recording.spans] == ["CancelledError"] * 2


def test_a_coroutine_that_is_closed_ends_its_spans() -> None:
    class Waiting(pocketflow.AsyncNode):
        async def exec_async(self, prep_res: Any) -> None:
            await asyncio.sleep(0)

    with traced() as recording:
        around = otel_context.get_current()
        coroutine = pocketflow.AsyncFlow(Waiting()).run_async({})
        coroutine.send(None)
        coroutine.close()
        assert otel_context.get_current() == around
    assert [(span.attributes or {})["error.type"] for span in recording.spans] == ["GeneratorExit"] * 2


def test_a_plain_function_under_an_async_name_may_fail_before_there_is_anything_to_await() -> None:
    class AtOnce(pocketflow.AsyncNode):
        def exec_async(self, prep_res: Any) -> Any:
            raise ValueError("at once")

    with traced() as recording, pytest.raises(ValueError, match="at once"):
        asyncio.run(AtOnce(max_retries=2).run_async({}))
    assert told_of(recording) == [("invoke_node AtOnce", []), ("attempt", ["at once"]), ("attempt", ["at once"])]
    assert recording.attributes("invoke_node AtOnce")["pocketflow.attempts"] == 2
