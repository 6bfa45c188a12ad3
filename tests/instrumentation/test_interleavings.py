"""Branches on one store in any order of their steps: what a span tells is its own node's, or it says it is shared."""

import contextlib
import contextvars
import io
import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pocketflow import AsyncFlow, AsyncNode

from instrumentation.recording import Recording, traced

OPERATIONS = ("write", "change", "print", "pause")
PHASES = ("prep", "exec", "post")


class Pause:
    def __await__(self) -> Any:
        yield


@dataclass(eq=False)
class Seen:
    """What a node really did.

    Attributes:
        keys: The keys it wrote.
        text: What it printed.
        overlapped: Whether another branch was in its prep or post, or began or ended, while this one was.
    """

    keys: set[str] = field(default_factory=set)
    text: str = ""
    overlapped: bool = False


class World:
    """The store of all branches, and the time as they know it: it ticks when it is another's turn."""

    def __init__(self) -> None:
        self.store: dict[str, Any] = {}
        self.ticks = 0
        self.turn: int | None = None
        self.seen: dict[str, Seen] = {}
        self.writing: list[Seen] = []

    def takes_turn(self, number: int) -> None:
        self.ticks += self.turn != number
        self.turn = number

    def breaks_off(self, number: int) -> None:
        """Nothing tells from outside that a node will write no more: it is taken to do so until it has ended."""
        for name, seen in self.seen.items():
            if name.startswith(f"branch {number} ") and self.writing:
                seen.overlapped = True


class Act(AsyncNode):
    """Does in each phase what it was told to."""

    world: World
    name: str
    script: dict[str, list[str]]

    async def prep_async(self, shared):
        await self._play("prep", shared)

    async def exec_async(self, prepared):
        await self._play("exec", None)

    async def post_async(self, shared, prepared, result):
        await self._play("post", shared)

    async def _play(self, phase: str, shared: Any) -> None:
        seen = self.world.seen.setdefault(self.name, Seen())
        if phase == "exec":
            await self._act(phase, seen, None)
            return
        began = self.world.ticks
        for other in self.world.writing:
            seen.overlapped = other.overlapped = True
        self.world.writing.append(seen)
        try:
            await self._act(phase, seen, shared)
        finally:
            self.world.writing.remove(seen)
            seen.overlapped |= self.world.ticks != began

    async def _act(self, phase: str, seen: Seen, shared: Any) -> None:
        for number, operation in enumerate(self.script[phase]):
            if operation == "pause":
                await Pause()
            elif operation == "print":
                print(self.name, phase, number)
                seen.text += f"{self.name} {phase} {number}\n"
            elif shared is not None:
                key = f"{self.name} {number if operation == 'write' else 'once'}"
                shared[key] = object()
                seen.keys.add(key)


scripts = st.fixed_dictionaries({phase: st.lists(st.sampled_from(OPERATIONS), max_size=4) for phase in PHASES})
branches = st.lists(st.lists(scripts, min_size=1, max_size=3), min_size=1, max_size=5)
schedules = st.lists(st.integers(min_value=0, max_value=4), max_size=60)


def play(described: list[list[dict[str, list[str]]]], schedule: list[int], closed: set[int]) -> tuple[World, Recording]:
    """Runs branches step by step, in the order of the schedule, then the rest one after the other.

    Args:
        described: For each branch what its nodes do.
        schedule: Whose turn it is.
        closed: Branches that are closed, instead of run to their end, after the schedule.
    """
    world = World()
    with contextlib.redirect_stdout(io.StringIO()), traced(capture_output=True, max_store_keys=1000) as recording:
        # Each branch has a context of its own, as an asyncio task has.
        running = {
            number: (_flow(world, number, nodes), contextvars.copy_context()) for number, nodes in enumerate(described)
        }
        for number in [turn % len(described) for turn in schedule]:
            _step(world, running, number)
        for number in list(running):
            while number in running:
                if number in closed:
                    coroutine, context = running.pop(number)
                    world.breaks_off(number)
                    world.takes_turn(number)
                    context.run(coroutine.close)
                else:
                    _step(world, running, number)
    return world, recording


def _flow(world: World, number: int, scripts: list[dict[str, list[str]]]) -> Any:
    nodes = []
    for place, script in enumerate(scripts):
        node = Act()
        node.world, node.name, node.script = world, f"branch {number} node {place}", script
        nodes.append(node)
    for node, following in itertools.pairwise(nodes):
        node >> following
    return AsyncFlow(nodes[0]).run_async(world.store)


def _step(world: World, running: dict[int, Any], number: int) -> None:
    if number not in running:
        return
    coroutine, context = running[number]
    world.takes_turn(number)
    try:
        context.run(coroutine.send, None)
    except StopIteration:
        del running[number]


def check(world: World, recording: Recording) -> None:
    assert len(recording.spans) == sum(event == "begin" for event, _ in recording.events)
    for span in recording.spans:
        attributes = dict(span.attributes or {})
        if not span.name.startswith("invoke_node"):
            continue
        seen = world.seen.get(attributes["gen_ai.node.name"], Seen())
        assert attributes.get("pocketflow.stdout", "") == seen.text
        told = {*attributes.get("pocketflow.store.added", ()), *attributes.get("pocketflow.store.modified", ())}
        if attributes.get("pocketflow.store.attribution") != "shared":
            assert told == seen.keys
        else:
            assert seen.overlapped
            assert told >= seen.keys


@settings(deadline=None, max_examples=100)
@given(branches, schedules)
def test_each_span_tells_of_its_own_node(described, schedule):
    check(*play(described, schedule, set()))


@settings(deadline=None, max_examples=50)
@given(branches, schedules, st.sets(st.integers(min_value=0, max_value=4)))
def test_so_it_does_where_branches_are_closed(described, schedule, closed):
    check(*play(described, schedule, closed))


@pytest.mark.slow
@settings(deadline=None, max_examples=3000, suppress_health_check=[HealthCheck.too_slow])
@given(branches, schedules, st.sets(st.integers(min_value=0, max_value=4)))
def test_so_it_does_in_many_more_orders(described, schedule, closed):
    check(*play(described, schedule, closed))
