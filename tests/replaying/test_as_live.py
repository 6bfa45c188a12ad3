"""A replay shows what the live console showed: line by line, on a terminal and elsewhere, however much it tells."""

from dataclasses import dataclass

import pocketflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.console.conftest import Program as Spans
from instrumentation.programs import Program, programs
from instrumentation.recording import traced
from instrumentation.running import Run
from pocketflow_otel import semconv as s
from pocketflow_otel.options import Verbosity
from replaying.recorded import watched

CONTENT = {"capture_values": True, "capture_output": True, "capture_io": True}

KILLED = "the program ended before its spans did: it was killed, or crashed"

verbosities = st.sampled_from(Verbosity)
often = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(deadline=None, max_examples=1500, suppress_health_check=[HealthCheck.too_slow])


def check_program(program: Program, verbosity: Verbosity, on_terminal: bool) -> None:
    run = Run(program, pocketflow)
    with watched(verbosity, on_terminal=on_terminal) as one:
        with run.surroundings(), traced(**CONTENT) as recording:
            for processor in one.processors:
                recording.tracer_provider.add_span_processor(processor)
            run.run()
        assert one.replayed() == one.live()


@given(program=programs(), verbosity=verbosities, on_terminal=st.booleans())
@often
def test_any_program(program: Program, verbosity: Verbosity, on_terminal: bool) -> None:
    check_program(program, verbosity, on_terminal)


@pytest.mark.slow
@given(program=programs(), verbosity=verbosities, on_terminal=st.booleans())
@thorough
def test_very_many_programs(program: Program, verbosity: Verbosity, on_terminal: bool) -> None:
    check_program(program, verbosity, on_terminal)


@dataclass(frozen=True)
class Step:
    """Something that a program does with its spans.

    Attributes:
        what: A kind of span to start; or how one ends.
        which: The number of the open span that is around the new one, or that ends; beyond the open ones: none.
        nanoseconds: How long it takes.
    """

    what: str
    which: int
    nanoseconds: int


STARTS = ("flow", "node", "iteration", "item", "attempt", "chat", "other")
ENDS = ("end", "end", "fail", "fail above", "cancel", "wait")
steps = st.builds(
    Step,
    what=st.sampled_from(STARTS + ENDS),
    which=st.integers(0, 5),
    # None begins or ends in the same nanosecond as another: then nobody could tell which was first.
    nanoseconds=st.sampled_from((1, 1_000, 20_000_000, 90_000_000_000)),
)
TOLD = {
    s.ACTION: "next",
    s.STORE_ADDED: ["a", "b"],
    s.STORE_SHAPE_PREFIX + "a": "int",
    s.STORE_VALUE_PREFIX + "a": "1",
    s.STDOUT: "one\ntwo\n",
    s.STDOUT + s.BYTES_SUFFIX: 8,
    s.STDOUT + s.LINES_SUFFIX: 2,
    s.USAGE_CALLS: 2,
    s.USAGE_TOTAL_TOKENS: 30,
    s.USAGE_COST: 0.25,
    s.USAGE_MODELS: ["gpt-4o", "other"],
    s.USAGE_UNPRICED_CALLS: 1,
    s.USAGE_UNPRICED_MODELS: ["other"],
}


class Playground:
    """Makes spans by steps, some of which end in no order, or never.

    Attributes:
        last: When the last of them began or ended.
    """

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._open: list = []
        self._number = 0
        self.last = 0

    @property
    def has_open(self) -> bool:
        """Whether some have not ended."""
        return bool(self._open)

    def do(self, step: Step) -> None:
        self._spans.now += step.nanoseconds
        which = self._open[step.which] if step.which < len(self._open) else None
        if step.what in STARTS:
            self._open.append(self._started(step.what, which))
        elif which is None:
            return
        else:
            self._open.remove(which)
            self._end(step.what, which)
        self.last = self._spans.now

    def _started(self, what: str, parent):
        self._number += 1
        match what:
            case "iteration" | "item" | "attempt" if parent is None:
                return self._spans.flow("Agent")
            case "iteration" | "item" | "attempt":
                return getattr(self._spans, what)(parent, self._number)
            case "chat":
                return self._spans.chat(parent, "gpt-4o")
            case "other":
                return self._spans.other("GET /", parent)
            case "flow":
                return self._spans.flow(f"Flow{self._number % 2}", parent)
            case _:
                return self._spans.node(f"Node{self._number % 2}", parent, 1 + self._number % 3)

    def _end(self, how: str, span) -> None:
        match how:
            case "fail":
                self._spans.fail(span, ValueError("no such page"))
            case "fail above":
                self._spans.fail(span, ValueError("no such page"), raised_here=False)
            case "cancel":
                self._spans.fail(span, KeyboardInterrupt())
            case "wait":
                self._spans.end(span, 0, {s.WAITING: "a person"})
            case _:
                self._spans.end(span, 0, TOLD)


@given(did=st.lists(steps, max_size=40), verbosity=verbosities, on_terminal=st.booleans())
@often
def test_any_spans_with_those_of_others_among_them_and_some_never_ended(did, verbosity, on_terminal):
    with watched(
        verbosity,
        on_terminal=on_terminal,
        clock=lambda: playground.last,
        notes=lambda: [KILLED] if playground.has_open else [],
    ) as one:
        playground = Playground(Spans(*one.processors))
        for step in did:
            playground.do(step)
        live = one.live()
        one.kill()
        assert one.replayed() == live


def test_what_is_still_open_in_a_running_program_has_lasted_until_now(monkeypatch):
    with watched(Verbosity.NORMAL) as one:
        p = Spans(*one.processors)
        flow = p.flow("Agent")
        p.after(1_000)
        p.node("Ask", flow)
        p.after(5_000)
        monkeypatch.setattr("time.time_ns", lambda: p.now)
        assert one.replayed().splitlines()[3:5] == [
            "  total ■ 1 flow, 0 node visits in 6.00s  no errors  1 unfinished",
            "   open   Ask for 5.00s",
        ]
        one.kill()
        assert one.replayed().splitlines()[3:5] == [
            "  total ■ 1 flow, 0 node visits in 1.00s  no errors  1 unfinished",
            "   open   Ask for 0.00ms",
        ]
