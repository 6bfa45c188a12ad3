"""How long a replay waits before it writes."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.console.conftest import Program as Spans
from pocketflow_otel import semconv as s
from pocketflow_otel.options import Verbosity
from pocketflow_otel.replaying import pacing
from pocketflow_otel.replaying.pacing import LONGEST_PAUSE_SECONDS, PacedStream
from pocketflow_otel.replaying.playing import play
from replaying.recorded import watched

SECOND = 1_000_000_000


class Clock:
    """A clock that goes on only by sleep, and by what `work` says."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    one = Clock()
    monkeypatch.setattr(pacing, "time", one)
    return one


def written_at(clock: Clock, speed: float, seconds: list[float]) -> list[float]:
    """When texts of some moments are written, in seconds after the first."""
    stream = PacedStream(io.StringIO(), speed)
    times = []
    for moment in seconds:
        stream.moment_ns = round(moment * SECOND)
        stream.write("line\n")
        times.append(round(clock.now - 100, 6))
    return times


@pytest.mark.parametrize(
    ("speed", "times"),
    [
        (1, [0, 0.5, 0.5, 2]),
        (2, [0, 0.25, 0.25, 1]),
        (0.5, [0, 1, 1, 3]),  # the last pause would be 3 s
        (1e300, [0, 0, 0, 0]),
        (float("inf"), [0, 0, 0, 0]),
    ],
)
def test_pauses_are_those_of_the_run_at_a_speed(clock, speed, times):
    assert written_at(clock, speed, [7, 7.5, 7.5, 9]) == times


def test_at_speed_zero_there_are_none(clock):
    assert written_at(clock, 0, [7, 7.5, 9_000]) == [0, 0, 0]
    assert clock.slept == []


def test_long_pauses_are_cut(clock):
    assert written_at(clock, 1, [0, 1, 3_601, 3_602]) == [0, 1, 3, 4]


def test_what_the_work_in_between_takes_is_part_of_the_pause(clock):
    stream = PacedStream(io.StringIO(), 1)
    stream.write("first\n")
    for moment, work, slept in ((1, 0.25, 0.75), (2, 5, 0)):
        stream.moment_ns = moment * SECOND
        clock.work(work)
        stream.write("line\n")
        assert clock.slept[-1] == pytest.approx(slept)


@given(st.lists(st.integers(-(10**20), 10**20), max_size=5), st.floats(min_value=0, allow_nan=False))
def test_no_wait_is_longer_than_told_or_shorter_than_none(moments, speed):
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "time", clock)
        written_at(clock, speed, [moment / SECOND for moment in moments])
    assert all(0 <= seconds <= LONGEST_PAUSE_SECONDS for seconds in clock.slept)


def test_each_line_is_written_when_its_moment_was(clock):
    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            return super().write(f"{clock.now - 100:.2f} {text}")

    with watched(Verbosity.NORMAL) as one:
        p = Spans(*one.processors)
        flow = p.flow("Agent")
        p.after(250)
        ask = p.node("Ask", flow)
        p.fail(p.attempt(ask, 1, {s.MAX_RETRIES: 2}), TimeoutError("late"), 500)
        unseen = p.attempt(ask, 2, {s.MAX_RETRIES: 2})
        p.end(unseen, 700)
        p.end(ask, 800)
        p.end(flow, 60_000)
        screen = Screen()
        play(one.traces(), screen, verbosity=Verbosity.NORMAL, speed=1)
    assert [line.split()[0] for line in screen.getvalue().splitlines()[:5]] == ["0.00", "0.25", "0.75", "2.25", "4.25"]


def test_it_is_the_stream_for_whoever_asks_and_writes_to():
    class Terminal(io.StringIO):
        encoding = "latin-1"

        def isatty(self) -> bool:
            return True

    real = Terminal()
    stream = PacedStream(real, 0)
    stream.write("text")
    assert (real.getvalue(), stream.isatty(), stream.encoding) == ("text", True, "latin-1")


def test_a_stream_that_takes_nothing_any_more_is_noticed():
    with Path("/dev/full").open("w") as full:
        stream = PacedStream(full, 0)
        assert stream.failure is None
        with pytest.raises(OSError, match="No space left"):
            stream.write("text")
        assert "No space left" in str(stream.failure)
