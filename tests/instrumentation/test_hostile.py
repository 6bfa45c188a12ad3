"""Values that break naive tracing, everywhere a program may have them: tracing changes nothing, nor does it fail."""

import contextvars
import itertools
import json

import pytest

from corpora.zoo import ONE_SHOT, ZOO, consumed
from instrumentation.exporting import check_exported
from instrumentation.positions import POSITIONS, Outcome, Program
from instrumentation.recording import Recording, traced
from pocketflow_otel import semconv

CONTENT = {"capture_values": True, "capture_output": True, "capture_io": True}
OPTIONS = {
    "no content, depth 1": {},
    "no content, depth 4": {"store_depth": 4},
    "content, depth 1": CONTENT,
    "content, depth 4": {**CONTENT, "store_depth": 4},
}
ASYNC = (False, True)
USUAL = [("no content, depth 1", True), ("content, depth 4", False)]
JSON_ATTRIBUTES = (semconv.PARAMS, semconv.INPUT_VALUE, semconv.OUTPUT_VALUE, semconv.FLOW_GRAPH)

UNBEARABLE = {
    # PocketFlow itself hashes what is an action or a key, and the interpreter crashes on hashing these.
    *itertools.product(("action", "last action", "flow action", "routed action", "store key"), ("deep tuples",)),
    # A mapping that is no dict must be asked for what it holds; these end the program when they are.
    *itertools.product(("whole store", "store of a node"), ("hostile mapping", "mapping proxy over hostile")),
}


def run(position: str, value: object, is_async: bool) -> Outcome | str:
    program = Program(value, is_async)
    try:
        runnable = POSITIONS[position](program)
    except BaseException as error:  # the value can't stand there
        return type(error).__name__
    # Not even what a failure would leave behind in the context reaches the next run.
    return contextvars.copy_context().run(program.run, runnable)


def check_json(recording: Recording) -> None:
    for span in recording.spans:
        for name, value in (span.attributes or {}).items():
            if name in JSON_ATTRIBUTES or name.startswith(semconv.STORE_VALUE_PREFIX):
                json.loads(value)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize(("options", "is_async"), USUAL)
def test_traced_as_untraced(name, options, is_async):
    check(name, OPTIONS[options], is_async)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize(
    ("options", "is_async"), [case for case in itertools.product(OPTIONS, ASYNC) if case not in USUAL]
)
def test_traced_as_untraced_in_other_settings(name, options, is_async):
    check(name, OPTIONS[options], is_async)


def check(name: str, options: dict[str, object], is_async: bool) -> None:
    positions = [position for position in POSITIONS if (position, name) not in UNBEARABLE]
    # Making some of the zoo takes a while; what can be used up is made anew each time.
    value = ZOO[name]()
    make = ZOO[name] if name in ONE_SHOT else lambda: value
    untraced = {position: run(position, make(), is_async) for position in positions}
    with traced(**options) as recording:
        for position in positions:
            value = make()
            assert (position, run(position, value, is_async)) == (position, untraced[position])
            assert not consumed(value), position
    check_exported(recording)
    check_json(recording)
