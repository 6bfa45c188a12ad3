"""Flows are held to their budgets whatever is traced of them, and their spans tell why no further node ran."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from types import ModuleType
from typing import Any

import pocketflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from fixtures import pocketflow_head
from fixtures.llm_vendors import VendorServer, async_call, async_client, call, client, directive
from instrumentation.programs import Program, programs
from instrumentation.recording import Recording, traced
from instrumentation.running import Run, run_plain
from pocketflow_otel import BudgetExceeded, budget, budgets, record_llm_usage
from pocketflow_otel.guard import guard
from pocketflow_otel.llm.usage import Usage
from pocketflow_otel.options import DECLARATIVE_MARK, environment_variable

UNTRACED: dict[str, Any] = {"tracer_provider": None, "meter_provider": None, "logger_provider": None}
ERROR_TYPE = "pocketflow_otel.budgets.BudgetExceeded"


def note(shared: Any, what: Any) -> None:
    """Notes something in the store; a program that no budget stops comes to its end here."""
    assert len(shared) < 100
    shared.append(what)


class Ask(pocketflow.Node):
    """Calls a model that takes 60 tokens, and notes each of its methods in the store."""

    def prep(self, shared: Any) -> Any:
        note(shared, f"{type(self).__name__} prep")
        return shared

    def exec(self, shared: Any) -> None:
        shared.append(f"{type(self).__name__} exec")
        record_llm_usage(model="m", input_tokens=40, output_tokens=20, cost_usd=0.01)

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        shared.append(f"{type(self).__name__} post")


class Answer(Ask): ...


class AskLater(pocketflow.AsyncNode):
    async def prep_async(self, shared: Any) -> Any:
        return Ask.prep(self, shared)

    async def exec_async(self, shared: Any) -> None:
        await asyncio.sleep(0)
        Ask.exec(self, shared)

    async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        Ask.post(self, shared, prep_res, exec_res)


def visited(*names: str) -> list[str]:
    """What the store holds after visits of nodes."""
    return [f"{name} {method}" for name in names for method in ("prep", "exec", "post")]


def chain(*nodes: Any, flow: type = pocketflow.Flow) -> Any:
    for one, following in pairwise(nodes):
        one >> following
    return flow(nodes[0])


def endless(node: Any, flow: type = pocketflow.Flow) -> Any:
    return chain(node, node, flow=flow)


def refused(flow: Any) -> tuple[list[str], BudgetExceeded]:
    """What a flow that is stopped did to its store, and its error."""
    store: list[str] = []
    is_async = isinstance(flow, pocketflow.AsyncFlow)
    with pytest.raises(BudgetExceeded) as caught:
        asyncio.run(flow.run_async(store)) if is_async else flow.run(store)
    return store, caught.value


def told(recording: Recording, name: str) -> dict[str, Any]:
    """What the only span of a name tells of budgets and errors."""
    attributes = recording.attributes(name)
    return {key: value for key, value in attributes.items() if key.startswith(("pocketflow.budget.", "error."))}


def exceeded(limit: str, allowed: float, spent: float) -> dict[str, Any]:
    return {
        "pocketflow.budget.exceeded": limit,
        "pocketflow.budget.limit": allowed,
        "pocketflow.budget.spent": spent,
    }


def events(recording: Recording, name: str) -> list[tuple[str, Any]]:
    return [(event.name, dict(event.attributes or {})) for event in recording.one(name).events]


# The node that does not run, and what is told of it.


@pytest.mark.parametrize(
    ("node", "flow"), [(Ask, pocketflow.Flow), (AskLater, pocketflow.AsyncFlow)], ids=["sync", "async"]
)
def test_a_refused_node_is_not_called_at_all(node: type, flow: type) -> None:
    with traced() as recording, budget(tokens=100):
        store, error = refused(chain(node(), node(), Answer(), flow=flow))
    assert store == visited(node.__name__, node.__name__)
    message = "budget of 100 tokens used up before node Answer: 120 tokens spent"
    assert (error.node, str(error)) == ("Answer", message)
    visit = (f"invoke_node {node.__name__}", ["chat m"])
    again = (f"invoke_node {node.__name__}#2", ["chat m"])
    top = f"invoke_workflow {flow.__name__}"
    assert recording.names == [(top, [visit, again])]
    assert told(recording, top) == {**exceeded("tokens", 100, 120), "error.type": ERROR_TYPE}
    status = recording.one(top).status
    assert (status.status_code, status.description) == (StatusCode.ERROR, message)
    ((name, event),) = events(recording, top)
    assert (name, event["exception.type"], event["exception.message"]) == ("exception", ERROR_TYPE, message)


@pytest.mark.parametrize("kind", [pocketflow.BatchNode, pocketflow.BaseNode])
def test_so_it_is_with_nodes_of_other_kinds(kind: type) -> None:
    class Odd(kind):  # type: ignore[misc]
        def prep(self, shared: Any) -> Any:
            raise AssertionError

    with traced(), budget(visits=1):
        assert refused(chain(Ask(), Odd()))[0] == visited("Ask")


def test_the_items_of_a_batch_are_one_visit() -> None:
    class Each(pocketflow.BatchNode):
        def prep(self, shared: Any) -> Any:
            return [shared] * 3

        def exec(self, shared: Any) -> None:
            Ask.exec(self, shared)

    with traced(), budget(visits=1):
        store, error = refused(endless(Each()))
    assert (store, error.spent) == (["Each exec"] * 3, 1)


@pytest.mark.parametrize("options", [{}, {"exclude": ["Loud"]}, {"exclude": ["Flow"]}, UNTRACED])
def test_a_node_that_calls_super_is_visited_once(options: dict[str, Any]) -> None:
    class Loud(Ask):
        def _run(self, shared: Any) -> Any:
            return super()._run(shared)

    with traced(**options), budget(visits=3):
        assert refused(endless(Loud()))[0] == visited("Loud") * 3


def test_a_nested_flow_is_a_node_and_tells_why_it_stopped() -> None:
    inner = chain(Ask(), Answer())
    inner.name = "inner"
    with traced() as recording, budget(visits=2):
        store, error = refused(pocketflow.Flow(inner))
    assert (store, error.node) == (visited("Ask"), "Answer")
    assert told(recording, "invoke_workflow inner") == {**exceeded("visits", 2, 2), "error.type": ERROR_TYPE}
    assert told(recording, "invoke_workflow Flow") == {"error.type": ERROR_TYPE}
    assert [name for name, _ in events(recording, "invoke_workflow inner")] == ["exception"]
    assert events(recording, "invoke_workflow Flow") == []


def test_a_nested_flow_that_does_not_begin_is_told_by_the_flow_around() -> None:
    with traced() as recording, budget(visits=1):
        store, error = refused(chain(Ask(), pocketflow.BatchFlow(Answer())))
    assert (store, error.node) == (visited("Ask"), "BatchFlow")
    assert recording.names == [("invoke_workflow Flow", [("invoke_node Ask", ["chat m"])])]
    assert told(recording, "invoke_workflow Flow") == {**exceeded("visits", 1, 1), "error.type": ERROR_TYPE}


def test_a_batch_flow_stops_in_the_middle_of_a_round() -> None:
    class Rounds(pocketflow.BatchFlow):
        def prep(self, shared: Any) -> Any:
            return [{}, {}, {}]

    with traced() as recording, budget(visits=3):
        store, _ = refused(chain(Ask(), Answer(), flow=Rounds))
    assert store == visited("Ask", "Answer", "Ask")
    assert told(recording, "invoke_workflow Rounds") == {**exceeded("visits", 3, 3), "error.type": ERROR_TYPE}
    first, second = recording.named("iteration")
    assert [[event.name for event in span.events] for span in (first, second)] == [[], ["exception"]]
    assert events(recording, "invoke_workflow Rounds") == []


# Branches.


class Rounds(pocketflow.AsyncParallelBatchFlow):
    async def prep_async(self, shared: Any) -> Any:
        return [{"branch": number} for number in range(3)]


class Step(pocketflow.AsyncNode):
    """Takes longer the later its branch."""

    async def exec_async(self, prep_res: Any) -> None:
        for _ in range(4 * self.params["branch"] + 1):
            await asyncio.sleep(0)

    async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        note(shared, self.params["branch"])


def test_branches_that_run_on_stop_before_their_next_node(caplog: pytest.LogCaptureFixture) -> None:
    async def run(store: list[int]) -> str:
        with pytest.raises(BudgetExceeded) as caught:
            await endless(Step(), Rounds).run_async(store)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert [type(error) for error in await asyncio.gather(*others, return_exceptions=True)] == [BudgetExceeded] * 2
        return str(caught.value)

    store: list[int] = []
    with traced() as recording, budget(visits=5):
        message = asyncio.run(run(store))
    # The first branch takes the last two visits, and its error ends the flow while the others are at their first node.
    assert store == [0, 0, 0, 1, 2]
    assert message == "budget of 5 node visits used up before node Step: 5 node visits spent"
    assert recording.names == [("invoke_workflow Rounds", [("iteration", ["invoke_node Step"] * 3), *[BRANCH] * 2])]
    assert told(recording, "invoke_workflow Rounds") == {**exceeded("visits", 5, 5), "error.type": ERROR_TYPE}
    assert [[event.name for event in span.events] for span in recording.named("iteration")] == [["exception"]] * 3
    # Nothing was told to a span that had ended.
    assert caplog.messages == ["4 node visits of a budget of 5 node visits used before node Step"]


BRANCH = ("iteration", ["invoke_node Step"])


def test_nothing_is_told_to_a_flow_that_has_failed_before(caplog: pytest.LogCaptureFixture) -> None:
    class Fail(Step):
        async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            if self.params["branch"] == 0:
                raise LookupError
            note(shared, self.params["branch"])

    async def run(store: list[int]) -> list[Any]:
        with pytest.raises(LookupError):
            await endless(Fail(), Rounds).run_async(store)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return [type(error) for error in await asyncio.gather(*others, return_exceptions=True)]

    store: list[int] = []
    with traced() as recording, budget(visits=4):
        assert asyncio.run(run(store)) == [BudgetExceeded] * 2
    assert store == [1, 2, 1]
    assert told(recording, "invoke_workflow Rounds") == {"error.type": "LookupError"}
    assert caplog.messages == []


def test_the_flow_tells_of_the_branch_whose_error_it_raises() -> None:
    class Spend(pocketflow.AsyncNode):
        async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            await meeting.wait()
            note(shared, "spent")
            record_llm_usage(model="m", input_tokens=60)

    meeting = asyncio.Barrier(3)
    with traced() as recording, budget(tokens=60):
        _, error = refused(endless(Spend(), Rounds))
    assert told(recording, "invoke_workflow Rounds") == {
        **exceeded("tokens", 60, error.spent),
        "error.type": ERROR_TYPE,
    }


# Warnings.


def test_a_warning_is_logged_and_told_by_the_flow(caplog: pytest.LogCaptureFixture) -> None:
    with traced() as recording, budget(tokens=300, visits=9):
        refused(endless(Ask()))
    warning = {
        "pocketflow.budget.exceeded": "tokens",
        "pocketflow.budget.limit": 300,
        "pocketflow.budget.spent": 240,
    }
    first, second = events(recording, "invoke_workflow Flow")
    assert (first, second[0]) == (("pocketflow.budget.warning", warning), "exception")
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("pocketflow_otel", "WARNING", "240 tokens of a budget of 300 tokens used before node Ask"),
    ]


def test_a_flow_that_stays_within_its_budget_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store: list[str] = []
    with traced() as recording, budget(usd=0.1, tokens=100, visits=2, seconds=1000):
        chain(Ask(), Answer()).run(store)
    assert store == visited("Ask", "Answer")
    assert (told(recording, "invoke_workflow Flow"), caplog.messages) == ({}, [])


def test_a_model_without_a_price_is_warned_of_once_and_named(caplog: pytest.LogCaptureFixture) -> None:
    class Own(pocketflow.Node):
        def prep(self, shared: Any) -> Any:
            note(shared, "asked")

        def exec(self, prep_res: Any) -> None:
            record_llm_usage(model="own-7b", input_tokens=1000)
            record_llm_usage(model="gpt-4o", provider="openai", input_tokens=1000)  # 2.5 USD for a million

    with traced(), budget(usd=0.005):
        _, error = refused(endless(Own()))
    assert error.unpriced == ("own-7b",)
    assert str(error) == ("budget of $0.005 used up before node Own: $0.005 spent, and of own-7b no price is known")
    assert caplog.messages == ["the budget of $0.005 does not see what own-7b costs: its price is not known"]


# Options.


def test_each_outermost_run_has_the_budget_that_options_give() -> None:
    with traced(budget_visits=3):
        for _ in range(2):
            store, error = refused(endless(Ask()))
            assert (store, error.spent) == (visited("Ask") * 3, 3)


@pytest.mark.parametrize(
    ("option", "value", "visits"),
    [("budget_usd", "0.02", 2), ("budget_tokens", "130", 3), ("budget_visits", "1", 1), ("budget_seconds", "0", 0)],
)
def test_options_come_from_the_environment(
    option: str, value: str, visits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment_variable(option), value)
    with traced():
        store, error = refused(endless(Ask()))
    assert (store, error.limit) == (visited("Ask") * visits, option.removeprefix("budget_"))


def test_options_come_from_a_declarative_file() -> None:
    with traced(**{"budget_tokens": 60, DECLARATIVE_MARK: True}):
        assert refused(endless(Ask()))[0] == visited("Ask")


@pytest.mark.parametrize(("of_option", "of_block"), [(2, 5), (5, 2)])
def test_a_budget_of_options_holds_besides_one_of_the_program(of_option: int, of_block: int) -> None:
    with traced(budget_visits=of_option), budget(visits=of_block):
        store, error = refused(endless(Ask()))
    assert (store, error.allowed) == (visited("Ask") * 2, 2)


def test_a_flow_inside_a_node_is_under_the_budget_of_the_outermost_one() -> None:
    class Outer(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            assert refused(endless(Ask()))[0] == visited("Ask", "Ask")

    with traced(budget_tokens=120):
        _, error = refused(endless(Outer()))
    assert error.node == "Outer"


# What is not traced.

WAYS: dict[str, tuple[dict[str, Any], Any]] = {
    "no provider": (UNTRACED, nullcontext),
    "not sampled": ({"sampler": ALWAYS_OFF}, nullcontext),
    "suppressed": ({}, suppress_instrumentation),
    "suppressed without a provider": (UNTRACED, suppress_instrumentation),
    "nodes left out": ({"exclude": ["A*"]}, nullcontext),
    "an inner flow left out": ({"exclude": ["inner"]}, nullcontext),
    "all left out": ({"exclude": ["*"]}, nullcontext),
    "nodes not asked for": ({"include": ["x"]}, nullcontext),
}

ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def within_flows(*, is_async: bool) -> Any:
    """A flow with an endless one inside that is named."""
    inner = chain(AskLater(), Ask(), flow=pocketflow.AsyncFlow) if is_async else chain(Ask(), Answer())
    inner.name = "inner"
    inner >> inner
    return (pocketflow.AsyncFlow if is_async else pocketflow.Flow)(inner)


@ways
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("by", ["option", "block"])
def test_what_is_not_traced_is_held_to_its_budget_as_well(way: Any, is_async: bool, by: str) -> None:
    options, surroundings = way
    ask, answer = ("AskLater", "Ask") if is_async else ("Ask", "Answer")
    for limits, visits, node in (
        ({"tokens": 150}, [ask, answer, ask], answer),
        ({"visits": 4}, [ask, answer], ask),  # the flow inside is a node, too
        ({"visits": 0}, [], "inner"),
    ):
        given = {f"budget_{limit}": allowed for limit, allowed in limits.items()} if by == "option" else {}
        block = nullcontext() if by == "option" else budget(**limits)
        with traced(**options, **given), surroundings(), block:
            store, error = refused(within_flows(is_async=is_async))
        assert (store, {error.limit: error.allowed}) == (visited(*visits), limits)
        # Where nothing is traced no names are made for it.
        assert error.node in {node, "Flow", "AsyncFlow"}


@pytest.mark.parametrize("options", [{"exclude": ["inner"]}, {"include": ["x"]}], ids=["excluded", "not included"])
def test_a_flow_around_tells_why_one_that_is_left_out_stopped(options: dict[str, Any]) -> None:
    with traced(**options) as recording, budget(visits=2):
        refused(within_flows(is_async=False))
    assert told(recording, "invoke_workflow Flow") == {**exceeded("visits", 2, 2), "error.type": ERROR_TYPE}
    assert [name for name, _ in events(recording, "invoke_workflow Flow")] == ["exception"]


# Tries.


class Delegate(pocketflow.Node):
    """Calls a model, and runs a flow."""

    def prep(self, shared: Any) -> Any:
        return shared

    def exec(self, shared: Any) -> Any:
        Ask.exec(self, shared)
        pocketflow.Flow(Answer()).run(shared)


def test_a_try_that_is_stopped_inside_is_tried_again_as_the_program_says() -> None:
    with traced() as recording, budget(tokens=60):
        store, error = refused(pocketflow.Flow(Delegate(max_retries=3)))
    assert store == ["Delegate exec"] * 3
    assert (error.limit, error.spent) == ("tokens", 180)
    assert told(recording, "invoke_node Delegate") == {"error.type": ERROR_TYPE}
    assert [dict(span.attributes)["error.type"] for span in recording.named("attempt")] == [ERROR_TYPE] * 3


def test_a_program_may_go_on_with_a_fallback_but_not_to_the_next_node() -> None:
    class Careful(Delegate):
        def exec_fallback(self, shared: Any, error: Exception) -> str:
            shared.append(type(error).__name__)
            return "less"

        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared.append(exec_res)

    with traced() as recording, budget(tokens=60):
        store, error = refused(chain(Careful(max_retries=2), Ask()))
    assert store == ["Careful exec", "Careful exec", "BudgetExceeded", "less"]
    assert (error.node, error.spent) == ("Ask", 120)
    assert told(recording, "invoke_node Careful") == {}


# A client of a model.


@pytest.fixture
def server() -> Any:
    with VendorServer() as one:
        yield one


@pytest.fixture(params=[(400, 0, 10), (800, 100, 4)], ids=["0.001 USD", "0.003 USD"])
def question(request: Any) -> tuple[str, int]:
    """What to ask gpt-4o, for 2.5 and 10 USD a million tokens read and written, and how often until a cent is spent."""
    read, written, calls = request.param
    return directive(usage=Usage(input_tokens=read, output_tokens=written)), calls


class Agent(pocketflow.Node):
    """Asks for ever."""

    def prep(self, shared: Any) -> Any:
        note(shared, "asked")
        return self.params

    def exec(self, params: Any) -> Any:
        return call("openai", params["client"], params["question"], model="gpt-4o").choices[0].message.content


class AsyncAgent(pocketflow.AsyncNode):
    async def prep_async(self, shared: Any) -> Any:
        note(shared, "asked")
        return self.params

    async def exec_async(self, params: Any) -> Any:
        answer = await async_call("openai", params["client"], params["question"], model="gpt-4o")
        await params["meeting"].wait()
        return answer.choices[0].message.content


@contextmanager
def openai_traced(recording: Recording) -> Iterator[None]:
    OpenAIInstrumentor().instrument(tracer_provider=recording.tracer_provider)
    try:
        yield
    finally:
        OpenAIInstrumentor().uninstrument()


def calls_until_stopped(run: Any, server: VendorServer) -> tuple[int, float]:
    """How many calls a cent allowed, and what the flow's span says that they cost."""
    with traced() as recording, openai_traced(recording), pytest.raises(BudgetExceeded) as caught, budget(usd=0.01):
        run()
    (top,) = [tree.span for tree in recording.trees]
    assert top.attributes["pocketflow.budget.spent"] == caught.value.spent
    assert top.attributes["pocketflow.usage.calls"] == len(server.calls)
    assert caught.value.limit == "usd"
    return len(server.calls), top.attributes["pocketflow.usage.cost_usd"]


def test_an_agent_stops_at_a_cent(question: tuple[str, int], server: VendorServer) -> None:
    text, calls = question

    def run() -> None:
        flow = endless(Agent())
        with client("openai", server) as openai:
            flow.set_params({"client": openai, "question": text})
            flow.run([])

    assert calls_until_stopped(run, server) == (calls, 0.01 if calls == 10 else 0.012)


@pytest.mark.parametrize("branches", [1, 3])
def test_an_async_agent_stops_at_a_cent(branches: int, question: tuple[str, int], server: VendorServer) -> None:
    class Agents(pocketflow.AsyncParallelBatchFlow):
        async def prep_async(self, shared: Any) -> Any:
            return [{"number": number} for number in range(branches)]

    async def run() -> None:
        flow = endless(AsyncAgent(), Agents if branches > 1 else pocketflow.AsyncFlow)
        async with async_client("openai", server) as openai:
            flow.set_params({"client": openai, "question": text, "meeting": asyncio.Barrier(branches)})
            await flow.run_async([])

    text, calls = question
    # The branches ask at the same time, so the last of them go beyond: no node is cut short.
    rounds = -(-calls // branches)
    cost = rounds * branches * (0.001 if calls == 10 else 0.003)
    assert calls_until_stopped(lambda: asyncio.run(run()), server) == (
        rounds * branches,
        pytest.approx(cost, abs=1e-12),
    )


# Whoever has no budget, or a large one, notices nothing.

LARGE: dict[str, Any] = {"usd": 1e9, "tokens": 10**15, "visits": 10**15, "seconds": 1e9}
SETTINGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "without a provider": UNTRACED,
    "some left out": {"exclude": ("Ask", "Chat#2")},
    "only some": {"include": ("Search",)},
}


@pytest.mark.parametrize("library", [pocketflow, pocketflow_head], ids=["released", "head"])
@given(program=programs(), way=st.sampled_from(sorted(SETTINGS)))
@settings(deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_program_under_a_large_budget_does_what_it_does_without(
    library: ModuleType, program: Program, way: str
) -> None:
    run = Run(program, library)
    options = {f"budget_{limit}": allowed for limit, allowed in LARGE.items()}
    with run.surroundings(), traced(**SETTINGS[way], **options), budget(**LARGE):
        run.run()
    assert run.outcome() == run_plain(program, library)


def test_trouble_of_ours_stops_no_program(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    monkeypatch.setattr(guard, "failures", 0)
    monkeypatch.setattr(budgets, "begin_visit", lambda *_: 1 / 0)
    store: list[str] = []
    with traced(), budget(visits=1):
        chain(Ask(), Answer()).run(store)
    assert store == visited("Ask", "Answer")
    assert caplog.messages == ["pocketflow-otel failed while beginning a span; your program goes on"]


def test_a_node_that_is_not_among_those_asked_for_counts_once_though_it_calls_super():
    class Careful(pocketflow.Node):
        def _run(self, shared):
            return super()._run(shared)

        def post(self, shared, prep_res, exec_res):
            shared["visits"] = shared.get("visits", 0) + 1
            return "again"

    node = Careful()
    node - "again" >> node
    shared = {}
    with traced(include=["Other"]), budget(visits=4), pytest.raises(BudgetExceeded):
        pocketflow.Flow(node).run(shared)

    assert shared == {"visits": 4}
