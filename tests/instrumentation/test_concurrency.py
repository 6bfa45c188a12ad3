"""Branches that run at once: each span has what its own node did, or says that it cannot tell."""

import asyncio
import contextlib
import contextvars
import io
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import get_current_span
from pocketflow import AsyncFlow, AsyncNode, AsyncParallelBatchFlow, AsyncParallelBatchNode, BatchFlow, Flow, Node

from instrumentation.recording import Recording, traced

BRANCHES = 50
THREADS = 16
WAIT = 30


@pytest.fixture(autouse=True)
def _leaves_no_trace(caplog):
    """The streams and the current span are as before, and the context was never detached where it was not attached."""
    streams = sys.stdout, sys.stderr
    yield
    assert (sys.stdout, sys.stderr) == streams
    assert not get_current_span().get_span_context().is_valid
    assert [record.getMessage() for record in caplog.get_records("call")] == []


def changed(span: ReadableSpan) -> list[str]:
    """The keys a span tells of, sorted."""
    attributes = span.attributes or {}
    return sorted(
        key for name in ("added", "modified", "removed") for key in attributes.get(f"pocketflow.store.{name}", ())
    )


def printed(span: ReadableSpan) -> str | None:
    return (span.attributes or {}).get("pocketflow.stdout")


def is_shared(span: ReadableSpan) -> bool:
    return "pocketflow.store.attribution" in (span.attributes or {})


def by_branch(recording: Recording, name: str) -> dict[int, ReadableSpan]:
    """The spans of a name by the number each of them printed first."""
    return {int((printed(span) or "").split()[0]): span for span in recording.named(name)}


class Async(AsyncNode):
    """Writes and prints in each phase, and lets all others do so in between where the params say."""

    async def _phase(self, name: str, shared: Any) -> None:
        number, barrier = self.params["number"], self.params["barrier"]
        print(number, name)
        if shared is not None:
            shared[f"{name} {number}"] = number
        if name in self.params["waits"]:
            await barrier.wait()
            print(number, name, "on")
            if shared is not None:
                shared[f"{name} {number} on"] = number

    async def prep_async(self, shared):
        await self._phase("prep", shared)

    async def exec_async(self, prepared):
        await self._phase("exec", None)

    async def post_async(self, shared, prepared, result):
        await self._phase("post", shared)

    @staticmethod
    def output(number: int, waits: tuple[str, ...]) -> str:
        phases = [[name, f"{name} on"] if name in waits else [name] for name in ("prep", "exec", "post")]
        return "".join(f"{number} {line}\n" for lines in phases for line in lines)

    @staticmethod
    def keys(number: int, waits: tuple[str, ...]) -> list[str]:
        return sorted(
            key
            for name in ("prep", "post")
            for key in ([f"{name} {number}", f"{name} {number} on"] if name in waits else [f"{name} {number}"])
        )


class Branches(AsyncParallelBatchFlow):
    """Runs its node for each of many numbers at once."""

    async def prep_async(self, shared):
        barrier = asyncio.Barrier(BRANCHES)
        return [{"number": number, "barrier": barrier, "waits": self.params["waits"]} for number in range(BRANCHES)]


async def gathered(waits: tuple[str, ...], store_of: Callable[[int], Any]) -> None:
    barrier = asyncio.Barrier(BRANCHES)
    flows = []
    for number in range(BRANCHES):
        flow = AsyncFlow(Async())
        flow.set_params({"number": number, "barrier": barrier, "waits": waits})
        flows.append(flow.run_async(store_of(number)))
    await asyncio.gather(*flows)


async def in_one_flow(waits: tuple[str, ...], store_of: Callable[[int], Any]) -> None:
    flow = Branches(Async())
    flow.set_params({"waits": waits})
    await flow.run_async(store_of(0))


@pytest.mark.parametrize("run", [gathered, in_one_flow])
async def test_what_does_not_wait_in_prep_and_post_is_told_exactly(run):
    store = {}
    with traced(capture_output=True) as recording:
        await run(("exec",), lambda _: store)
    spans = by_branch(recording, "invoke_node Async")
    assert {number: printed(span) for number, span in spans.items()} == {
        number: Async.output(number, ("exec",)) for number in range(BRANCHES)
    }
    assert {number: changed(span) for number, span in spans.items()} == {
        number: Async.keys(number, ()) for number in range(BRANCHES)
    }
    assert [span for span in recording.spans if is_shared(span)] == []


@pytest.mark.parametrize("waits", [("prep",), ("post",), ("prep", "exec", "post")])
@pytest.mark.parametrize("run", [gathered, in_one_flow])
async def test_what_waits_in_prep_or_post_says_that_others_wrote_too(run, waits):
    store = {}
    with traced(capture_output=True, max_store_keys=1000) as recording:
        await run(waits, lambda _: store)
    spans = by_branch(recording, "invoke_node Async")
    assert {number: printed(span) for number, span in spans.items()} == {
        number: Async.output(number, waits) for number in range(BRANCHES)
    }
    assert [number for number, span in spans.items() if not is_shared(span)] == []
    for number, span in spans.items():
        assert set(Async.keys(number, waits)) <= set(changed(span))


async def test_stores_of_their_own_are_never_shared():
    stores: dict[int, Any] = {number: {} for number in range(BRANCHES)}
    waits = ("prep", "exec", "post")
    with traced(capture_output=True) as recording:
        await gathered(waits, stores.__getitem__)
    assert [span for span in recording.spans if is_shared(span)] == []
    spans = by_branch(recording, "invoke_node Async")
    for number in range(BRANCHES):
        assert (changed(spans[number]), printed(spans[number])) == (
            Async.keys(number, waits),
            Async.output(number, waits),
        )


async def test_parallel_items_print_into_their_own_node():
    class Items(AsyncParallelBatchNode):
        async def prep_async(self, shared):
            return range(10)

        async def exec_async(self, item):
            print(self.params["number"], item)
            await self.params["barrier"].wait()
            print(self.params["number"], item)

    barrier = asyncio.Barrier(20)
    flows = [AsyncFlow(Items()) for _ in range(2)]
    with traced(capture_output=True) as recording:
        for number, flow in enumerate(flows):
            flow.set_params({"number": number, "barrier": barrier})
        await asyncio.gather(*(flow.run_async({}) for flow in flows))
    spans = by_branch(recording, "invoke_node Items")
    assert {number: sorted((printed(span) or "").splitlines()) for number, span in spans.items()} == {
        number: sorted(f"{number} {item}" for item in range(10) for _ in range(2)) for number in range(2)
    }
    for span in spans.values():
        below = [item for item in recording.named("item") if item.parent.span_id == span.context.span_id]
        assert [item.attributes["pocketflow.batch.index"] for item in below] == list(range(10))


class Step(Node):
    """Writes and prints in each phase, which all threads go through at once."""

    def _phase(self, name: str, shared: Any) -> None:
        number, barrier = self.params["number"], self.params["barrier"]
        barrier.wait(WAIT)
        print(f"{number} {name}\n", end="")
        if shared is not None:
            shared[f"{name} {number}"] = number
        barrier.wait(WAIT)

    def prep(self, shared):
        self._phase("prep", shared)

    def exec(self, prepared):
        self._phase("exec", None)

    def post(self, shared, prepared, result):
        self._phase("post", shared)


def in_threads(store_of: Callable[[int], Any], submit: Callable[..., Any]) -> None:
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> None:
        flow = Flow(Step())
        flow.set_params({"number": number, "barrier": barrier})
        flow.run(store_of(number))

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [submit(pool, run, number) for number in range(THREADS)]:
            future.result(WAIT)


def plainly(pool: ThreadPoolExecutor, function: Any, *arguments: Any) -> Any:
    return pool.submit(function, *arguments)


def with_context(pool: ThreadPoolExecutor, function: Any, *arguments: Any) -> Any:
    return pool.submit(contextvars.copy_context().run, function, *arguments)


class Spawn(Node):
    """Runs flows in threads, on the store it was given or on others."""

    def prep(self, shared):
        return shared

    def exec(self, shared):
        in_threads(lambda _: shared if self.params["shares"] else {}, self.params["submit"])


@pytest.fixture
def _threading_instrumented():
    instrumentor = ThreadingInstrumentor()
    instrumentor.instrument()
    yield
    instrumentor.uninstrument()


def check_threads(recording: Recording, shares: bool) -> None:
    spans = by_branch(recording, "invoke_node Step")
    assert sorted(spans) == list(range(THREADS))
    for number, span in spans.items():
        assert printed(span) == f"{number} prep\n{number} exec\n{number} post\n"
        own = [f"post {number}", f"prep {number}"]
        assert is_shared(span) is shares
        assert set(own) <= set(changed(span)) if shares else own == changed(span)


@pytest.mark.parametrize("shares", [False, True], ids=["own stores", "one store"])
@pytest.mark.parametrize("submit", [plainly, with_context])
def test_threads(submit, shares):
    store = {}
    with traced(capture_output=True, max_store_keys=1000) as recording:
        in_threads(lambda _: store if shares else {}, submit)
    check_threads(recording, shares)
    assert len({span.context.trace_id for span in recording.spans}) == THREADS


@pytest.mark.parametrize("shares", [False, True], ids=["own stores", "the node's store"])
@pytest.mark.parametrize("how", ["copied context", "threading instrumentation"])
def test_threads_of_a_node(how, shares, request):
    if how == "threading instrumentation":
        request.getfixturevalue("_threading_instrumented")
    flow = Flow(Spawn())
    flow.set_params({"submit": with_context if how == "copied context" else plainly, "shares": shares})
    with traced(capture_output=True, max_store_keys=1000) as recording:
        flow.run({})
    check_threads(recording, shares)
    around = recording.one("invoke_node Spawn")
    inner = recording.named("invoke_workflow Flow")[1:]
    assert {span.parent.span_id for span in inner} == {around.context.span_id}
    assert printed(around) is None


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
@pytest.mark.parametrize("shares", [False, True], ids=["own stores", "one store"])
def test_threads_over_and_over(shares, number):
    test_threads(plainly, shares)


def test_threads_without_barriers_never_claim_what_is_not_theirs():
    class Write(Node):
        def post(self, shared, prepared, result):
            for key in range(20):
                shared[f"{self.params['number']} {key}"] = key

    def run(number: int) -> None:
        flow = Flow(Write())
        flow.set_params({"number": number})
        for _ in range(20):
            flow.run(store)

    store = {}
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with traced(max_store_keys=10_000) as recording:
            threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT)
    finally:
        sys.setswitchinterval(interval)
    exact = [span for span in recording.named("invoke_node Write") if not is_shared(span)]
    for span in exact:
        assert len({key.split()[0] for key in changed(span)}) <= 1


async def test_output_of_other_threads_of_a_node():
    class Work(AsyncNode):
        async def exec_async(self, prepared):
            await asyncio.to_thread(print, self.params["number"], "followed")
            await asyncio.get_running_loop().run_in_executor(None, print, self.params["number"], "lost")

    async def run(number: int) -> None:
        flow = AsyncFlow(Work())
        flow.set_params({"number": number})
        await flow.run_async({})

    with traced(capture_output=True) as recording:
        await asyncio.gather(*map(run, range(10)))
    assert sorted(printed(span) or "" for span in recording.named("invoke_node Work")) == [
        f"{number} followed\n" for number in range(10)
    ]


@pytest.mark.usefixtures("_threading_instrumented")
async def test_output_of_an_executor_follows_with_the_threading_instrumentation():
    class Work(AsyncNode):
        async def exec_async(self, prepared):
            await asyncio.get_running_loop().run_in_executor(None, print, self.params["number"])

    async def run(number: int) -> None:
        flow = AsyncFlow(Work())
        flow.set_params({"number": number})
        await flow.run_async({})

    with traced(capture_output=True) as recording:
        await asyncio.gather(*map(run, range(10)))
    assert sorted(printed(span) or "" for span in recording.named("invoke_node Work")) == [
        f"{number}\n" for number in range(10)
    ]


def test_a_program_that_exchanges_what_writes():
    class Tee(Node):
        """Sees what is printed as programs do that have always done so."""

        def exec(self, prepared):
            write, seen = sys.stdout.write, []

            def tee(text):
                seen.append(text)
                return write(text)

            sys.stdout.write = tee
            try:
                print("twice")
            finally:
                sys.stdout.write = write
            print("once")
            return seen

    with contextlib.redirect_stdout(io.StringIO()) as stream, traced(capture_output=True, capture_io=True) as recording:
        Flow(Tee()).run({})
    assert stream.getvalue() == "twice\nonce\n"
    attributes = recording.attributes("invoke_node Tee")
    assert attributes["pocketflow.stdout"] == "twice\nonce\n"
    assert attributes["output.value"] == '["twice","\\n"]'


class Put(Node):
    def post(self, shared, prepared, result):
        shared[self.params.get("key", "inner")] = 1
        print("inner")


class Outer(Node):
    """Runs another flow inside its exec."""

    def prep(self, shared):
        shared["prepared"] = 1
        return shared if self.params["shares"] else {}

    def exec(self, store):
        print("before")
        Flow(Put()).run(store)
        print("after")

    def post(self, shared, prepared, result):
        shared["posted"] = 1


@pytest.mark.parametrize("shares", [False, True], ids=["another store", "the same store"])
def test_a_flow_inside_a_node(shares):
    flow = Flow(Outer())
    flow.set_params({"shares": shares})
    with traced(capture_output=True) as recording:
        flow.run({})
    inner, outer = recording.one("invoke_node Put"), recording.one("invoke_node Outer")
    assert (changed(inner), printed(inner)) == (["inner"], "inner\n")
    assert set(changed(outer)) - {"inner"} == {"posted", "prepared"}
    assert ("inner" in changed(outer)) <= shares
    assert printed(outer) == "before\nafter\n"
    assert [span for span in recording.spans if is_shared(span)] == []
    assert recording.names == [
        ("invoke_workflow Flow", [("invoke_node Outer", [("invoke_workflow Flow", ["invoke_node Put"])])])
    ]


class Rounds(BatchFlow):
    def prep(self, shared):
        return [{"key": f"round {number}"} for number in range(3)]


async def test_what_runs_by_itself_is_never_shared():
    class AsyncPut(AsyncNode):
        async def prep_async(self, shared):
            shared["prepared"] = await asyncio.sleep(0, result=1)

        async def post_async(self, shared, prepared, result):
            await asyncio.sleep(0)
            shared["posted"] = 1
            Flow(Put()).run(shared)
            await AsyncFlow(AsyncOther()).run_async(shared)

    class AsyncOther(AsyncNode):
        async def exec_async(self, prepared):
            await asyncio.sleep(0)

    store = {}
    nested = Flow(Rounds(Put()))
    first = AsyncPut()
    first >> Put() >> nested >> AsyncFlow(AsyncPut())
    with traced() as recording:
        await AsyncFlow(first).run_async(store)
        Flow(Rounds(Flow(Put()))).run(store)
        Put().run(store)
        await AsyncPut().run_async(store)
        await asyncio.gather(AsyncFlow(AsyncOther()).run_async(store))
    assert [span.name for span in recording.spans if is_shared(span)] == []
    assert len(recording.named("invoke_node AsyncPut")) == 3
