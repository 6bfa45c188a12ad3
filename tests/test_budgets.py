"""A budget stops flows before their next node, however it is begun, and says which limit was reached."""

import asyncio
import copy
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from decimal import Decimal
from threading import Barrier
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from pocketflow import AsyncFlow, AsyncNode, Flow, Node

from instrumentation.recording import traced
from pocketflow_otel import BudgetExceeded, budget, budgets, carry, record_llm_usage
from pocketflow_otel.budgets import Budget, Limits, Warned, begin_visit, budgets_of

WAIT = 30


@pytest.fixture(autouse=True)
def _leaves_no_trace():
    before = otel_context.get_current()
    yield
    assert otel_context.get_current() is before


@pytest.fixture
def clock(monkeypatch):
    """The time that budgets see, in seconds."""
    one = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(budgets, "time", SimpleNamespace(monotonic=lambda: one.now))
    return one


def here():
    return budgets_of(otel_context.get_current())


def limits_here():
    return [one.limits for one in here()]


def made(**limits):
    return Budget(Limits(**limits))


def count(shared):
    """Counts in the store; a program that no budget stops comes to its end here."""
    shared["asked"] = shared.get("asked", 0) + 1
    assert shared["asked"] < 100


class Ask(Node):
    """Calls a model that takes 60 tokens and a cent."""

    def exec(self, prep_res):
        record_llm_usage(model="m", input_tokens=40, output_tokens=20, cost_usd=0.01)

    def post(self, shared, prep_res, exec_res):
        count(shared)


class AskLater(AsyncNode):
    async def post_async(self, shared, prep_res, exec_res):
        await asyncio.sleep(0)
        record_llm_usage(model="m", input_tokens=40, output_tokens=20, cost_usd=0.01)
        count(shared)


def endless(node=Ask, flow=Flow):
    one = node()
    one >> one
    return flow(one)


def asked_until_stopped(**arguments):
    """How often a flow under a budget asked, and what stopped it."""
    store = {}
    with pytest.raises(BudgetExceeded) as caught, budget(**arguments):
        endless().run(store)
    return store["asked"], caught.value


# What is reached, and what is said.


@pytest.mark.parametrize(
    ("limits", "asked", "spent", "message"),
    [
        ({"usd": 0.03}, 3, 0.03, "budget of $0.03 used up before node Ask: $0.03 spent"),
        ({"usd": 0.025}, 3, 0.03, "budget of $0.025 used up before node Ask: $0.03 spent"),
        ({"tokens": 120}, 2, 120, "budget of 120 tokens used up before node Ask: 120 tokens spent"),
        ({"tokens": 1100}, 19, 1140, "budget of 1,100 tokens used up before node Ask: 1,140 tokens spent"),
        ({"visits": 4}, 4, 4, "budget of 4 node visits used up before node Ask: 4 node visits spent"),
        ({"usd": 9, "tokens": 60, "visits": 9}, 1, 60, "budget of 60 tokens used up before node Ask: 60 tokens spent"),
        ({"usd": 0}, 1, 0.01, "budget of $0 used up before node Ask: $0.01 spent"),
        ({"tokens": 0}, 1, 60, "budget of 0 tokens used up before node Ask: 60 tokens spent"),
    ],
)
def test_each_limit_stops_a_flow_before_its_next_node(limits, asked, spent, message):
    with traced():
        times, error = asked_until_stopped(**limits)
    assert (times, error.spent, str(error), error.node, error.unpriced) == (asked, spent, message, "Ask", ())
    assert error.allowed == limits[error.limit]


def test_time_stops_a_flow(clock):
    class Wait(Node):
        def exec(self, prep_res):
            clock.now += 1200.5

        def post(self, shared, prep_res, exec_res):
            count(shared)

    with traced(), pytest.raises(BudgetExceeded) as caught, budget(seconds=3600):
        endless(Wait).run({})
    assert str(caught.value) == "budget of 3,600 s used up before node Wait: 3,601.5 s spent"
    assert (caught.value.limit, caught.value.allowed, caught.value.spent) == ("seconds", 3600, 3601.5)


@pytest.mark.parametrize(("limit", "unit"), [("visits", "0 node visits"), ("seconds", "0 s")])
def test_what_every_node_takes_some_of_may_be_nothing(clock, limit, unit):
    with traced(), pytest.raises(BudgetExceeded) as caught, budget(**{limit: 0}):
        endless().run({})
    assert str(caught.value) == f"budget of {unit} used up before node Ask: {unit} spent"


def test_nodes_that_take_nothing_run_under_a_budget_of_nothing(caplog):
    with traced(), budget(usd=0, tokens=0):
        assert Flow(Node()).run({}) is None
    assert caplog.messages == []


@given(st.integers(1, 2000), st.sampled_from([0.1, 0.01, 0.001, 0.0007, 0.000003]))
def test_money_adds_up_exactly(calls, price):
    allowed = round(price * calls, 9)
    one = made(usd=allowed)
    for _ in range(calls - 1):
        one.spend(tokens=0, usd=price)
    one.check("Ask")
    one.spend(tokens=0, usd=price)
    with pytest.raises(BudgetExceeded) as caught:
        one.check("Ask")
    assert caught.value.spent == allowed


def test_what_was_not_used_after_all_is_given_back():
    one = made(usd=0.01, tokens=10)
    one.spend(tokens=10, usd=0.01)
    one.spend(tokens=-1, usd=-0.001)
    assert begin_visit((one,), "Ask") == [Warned("usd", 0.01, 0.009), Warned("tokens", 10, 9)]


def test_models_without_a_price_are_named_with_money_only():
    one = made(usd=0.01, tokens=1000)
    assert [one.unpriced(model) for model in ("own-7b", "own-13b", "own-7b")] == [
        "the budget of $0.01 does not see what own-7b costs: its price is not known",
        "the budget of $0.01 does not see what own-13b costs: its price is not known",
        None,
    ]
    assert made(tokens=10).unpriced("own-7b") is None
    one.spend(tokens=0, usd=0.02)
    with pytest.raises(BudgetExceeded) as caught:
        one.check("Ask")
    assert caught.value.unpriced == ("own-7b", "own-13b")
    assert str(caught.value) == (
        "budget of $0.01 used up before node Ask: $0.02 spent, and of own-7b, own-13b no price is known"
    )
    one.spend(tokens=1000, usd=-0.02)
    with pytest.raises(BudgetExceeded) as caught:
        one.check("Ask")
    assert (caught.value.limit, caught.value.unpriced) == ("tokens", ())


@pytest.mark.parametrize(
    "error", [BudgetExceeded("usd", 0.01, 0.02, "Ask", ("m",)), BudgetExceeded("visits", 3, 3, "")]
)
def test_the_error_can_be_pickled_and_copied(error):
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(again), again.args, vars(again), str(again)) == (
            BudgetExceeded,
            error.args,
            vars(error),
            str(error),
        )


def test_each_limit_warns_once_when_four_fifths_are_used(caplog):
    one = made(usd=1, tokens=10, visits=5)
    one.spend(tokens=7, usd=0.8)
    assert begin_visit((one,), "A") == [Warned("usd", 1, 0.8)]
    one.spend(tokens=1, usd=0.1)
    assert begin_visit((one,), "B") == [Warned("tokens", 10, 8)]
    assert [begin_visit((one,), name) for name in "CDE"] == [[], [], [Warned("visits", 5, 4)]]
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("pocketflow_otel", "WARNING", "$0.8 of a budget of $1 used before node A"),
        ("pocketflow_otel", "WARNING", "8 tokens of a budget of 10 tokens used before node B"),
        ("pocketflow_otel", "WARNING", "4 node visits of a budget of 5 node visits used before node E"),
    ]


# Where it holds.


def test_a_budget_is_in_the_context():
    assert here() == ()
    with budget(usd=1) as outer:
        assert here() == (outer,)
        with budget(tokens=5, visits=2, seconds=0.5) as inner:
            assert here() == (outer, inner)
            assert limits_here() == [Limits(usd=1), Limits(tokens=5, visits=2, seconds=0.5)]
        assert here() == (outer,)
    assert here() == ()


async def test_every_way_to_begin_one():
    limited = budget(visits=1)

    @limited
    def work(number):
        """Works."""
        return number, limits_here()

    @limited
    async def work_later(number):
        await asyncio.sleep(0)
        return number, limits_here()

    held = [Limits(visits=1)]
    with limited:
        assert limits_here() == held
    async with limited as one:
        assert here() == (one,)
    assert (work(1), await work_later(2)) == ((1, held), (2, held))
    assert (work.__name__, work.__doc__, inspect.iscoroutinefunction(work_later)) == ("work", "Works.", True)


def test_each_time_it_is_a_new_one():
    limited = budget(visits=2)
    flow = limited(endless().run)
    stores = [{}, {}]
    with traced():
        for store in stores:
            with pytest.raises(BudgetExceeded):
                flow(store)
        with limited as first:
            pass
        with limited as second, limited as third:
            assert here() == (second, third)
    assert stores == [{"asked": 2}, {"asked": 2}]
    assert len({first, second, third}) == 3


async def test_an_async_budget_and_a_decorated_coroutine():
    @budget(visits=2)
    async def run(store):
        await endless(AskLater, AsyncFlow).run_async(store)

    stores = [{}, {}, {}]
    with traced():
        for store in stores[:2]:
            with pytest.raises(BudgetExceeded):
                await run(store)
        with pytest.raises(BudgetExceeded):
            async with budget(usd=0.04):
                await endless(AskLater, AsyncFlow).run_async(stores[2])
    assert stores == [{"asked": 2}, {"asked": 2}, {"asked": 4}]


def test_one_budget_over_several_runs():
    store = {}
    once = Flow(Ask())
    with traced(), budget(tokens=180):
        for _ in range(3):
            once.run(store)
        for _ in range(2):
            with pytest.raises(
                BudgetExceeded, match=r"^budget of 180 tokens used up before node Ask: 180 tokens spent$"
            ):
                once.run(store)
    assert store == {"asked": 3}


def test_the_program_goes_on_afterwards():
    flow, store = endless(), {}
    with traced():
        with pytest.raises(BudgetExceeded), budget(visits=2):
            flow.run(store)
        Flow(Ask()).run(store)
    assert store == {"asked": 3}


@pytest.mark.parametrize(("outer", "inner", "allowed"), [(5, 3, 3), (3, 5, 3)], ids=["inner first", "outer first"])
def test_the_smaller_of_two_budgets_stops_first(outer, inner, allowed):
    store = {}
    with traced(), pytest.raises(BudgetExceeded) as caught, budget(visits=outer), budget(visits=inner):
        endless().run(store)
    assert (store, caught.value.allowed) == ({"asked": allowed}, allowed)


def test_what_an_inner_budget_sees_counts_for_the_outer():
    flow, stores = endless(), [{}, {}]
    with traced(), budget(visits=5):
        with pytest.raises(BudgetExceeded), budget(visits=3):
            flow.run(stores[0])
        # The node that the inner one refused was not visited: two of five are left.
        with pytest.raises(BudgetExceeded) as caught, budget(visits=3):
            flow.run(stores[1])
    assert stores == [{"asked": 3}, {"asked": 2}]
    assert (caught.value.allowed, caught.value.spent) == (5, 5)


def test_what_was_used_before_an_inner_budget_does_not_count_for_it():
    flow, store = Flow(Ask()), {}
    with traced(), budget(tokens=1000):
        flow.run(store)
        with budget(tokens=60):
            flow.run(store)
    assert store == {"asked": 2}


def test_calls_outside_of_flows_count():
    store = {}
    with traced(), budget(tokens=100):
        record_llm_usage(model="m", input_tokens=100)
        with pytest.raises(BudgetExceeded, match=r"^budget of 100 tokens used up before node Ask: 100 tokens spent$"):
            Flow(Ask()).run(store)
    assert store == {}


def test_a_node_by_itself_is_held_to_it():
    store = {}
    with traced(), budget(visits=1):
        Ask().run(store)
        with pytest.raises(BudgetExceeded, match=r"^budget of 1 node visit used up before node Ask: "):
            Ask().run(store)
    assert store == {"asked": 1}


def test_threads_share_a_budget_that_is_carried():
    meeting = Barrier(4)

    class Meet(Node):
        def exec(self, prep_res):
            meeting.wait(WAIT)

        def post(self, shared, prep_res, exec_res):
            count(shared)

    def run(_):
        try:
            endless(Meet).run({})
        except BudgetExceeded as error:
            return error.spent

    with traced(), ThreadPoolExecutor(4) as pool, budget(visits=12):
        assert list(pool.map(carry(run), range(4))) == [12] * 4


def test_without_carrying_a_thread_is_free():
    with traced(), ThreadPoolExecutor(1) as pool, budget(visits=0):
        assert pool.submit(Flow(Node()).run, {}).result(WAIT) is None


def test_threads_never_take_more_visits_than_there_are():
    one, threads = made(visits=1000), 8
    meeting = Barrier(threads)

    def visit(_):
        meeting.wait(WAIT)
        visits = 0
        while True:
            try:
                begin_visit((one,), "Ask")
            except BudgetExceeded:
                return visits
            visits += 1

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(visit, range(threads))) == 1000


def test_one_budget_entered_in_threads_and_tasks_at_once():
    limited, meeting = budget(visits=1), Barrier(2)

    def inside(_):
        with limited as one:
            meeting.wait(WAIT)
            assert here() == (one,)
        return here()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(inside, range(2))) == [(), ()]


def test_it_is_not_ended_from_elsewhere(caplog):
    limited = budget(visits=1)
    with limited as one:
        copy_context().run(limited.__exit__, None, None, None)
        assert here() == (one,)
    assert caplog.messages == []


def test_without_instrumentation_it_does_nothing():
    store = {}
    with budget(visits=0, seconds=0):
        Flow(Ask()).run(store)
    assert store == {"asked": 1}


# What makes no sense.


@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        ({}, ValueError, "budget() needs a limit: usd, tokens, visits or seconds"),
        ({"usd": None}, ValueError, "budget() needs a limit: usd, tokens, visits or seconds"),
        ({"usd": -0.01}, ValueError, "budget(usd=…): expected 0 or more, got -0.01"),
        ({"usd": float("nan")}, ValueError, "budget(usd=…): expected 0 or more, got nan"),
        ({"usd": Decimal(1)}, TypeError, "budget(usd=…): expected a number, got Decimal('1')"),
        ({"tokens": "1000"}, TypeError, "budget(tokens=…): expected a whole number, got '1000'"),
        ({"visits": True}, TypeError, "budget(visits=…): expected a whole number, got True"),
        ({"seconds": -1}, ValueError, "budget(seconds=…): expected 0 or more, got -1"),
    ],
)
def test_bad_arguments_are_told(limits, error, message):
    with pytest.raises(error) as caught:
        budget(**limits)
    assert str(caught.value) == message


def test_generator_functions_cannot_be_decorated():
    def numbers():
        yield 1

    async def numbers_later():
        yield 1

    for function in (numbers, numbers_later):
        with pytest.raises(TypeError, match=r"^a budget can't decorate a generator function"):
            budget(visits=1)(function)
