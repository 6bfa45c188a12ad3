"""Values that break naive tracing, everywhere a program may have them: tracing neither fails nor changes what happens."""

import gc
import json
import sys

import pytest
from corpora.zoo import ONE_SHOT, ZOO, consumed

from instrumentation._positions import POSITIONS, Program
from instrumentation._tracing_of import CONTENT, tracing
from pocketflow_otel import semconv

OPTIONS = {
    "no content, depth 1": {},
    "no content, depth 4": {"store_depth": 4},
    "content, depth 1": CONTENT,
    "content, depth 4": {**CONTENT, "store_depth": 4},
}
JSON_ATTRIBUTES = (semconv.PARAMS, semconv.INPUT_VALUE, semconv.OUTPUT_VALUE, semconv.FLOW_GRAPH)

# PocketFlow itself hashes what is an action or a key; the interpreter does so recursively, and crashes.
UNBEARABLE = {
    (position, "deep tuples") for position in ("action", "last action", "flow action", "routed action", "store key")
}


def run(position, value, is_async):
    program = Program(value, is_async)
    try:
        runnable = POSITIONS[position](program)
    except BaseException as error:  # the value can't stand there
        return type(error).__name__
    return program.run(runnable)


def check_exported(recording):
    """All that began was exported, and each encoder takes it."""
    assert len(recording.spans) == recording.started
    for encoded in recording.exported().values():
        assert encoded
    for span in recording.spans:
        for name, value in span.attributes.items():
            if name in JSON_ATTRIBUTES or name.startswith(semconv.STORE_VALUE_PREFIX):
                json.loads(value)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", ZOO)
def test_traced_as_untraced(name, is_async):
    positions = [position for position in POSITIONS if (position, name) not in UNBEARABLE]
    untraced = {position: run(position, ZOO[name](), is_async) for position in positions}
    for described, options in OPTIONS.items():
        with tracing(**options) as recording:
            for position in positions:
                value = ZOO[name]()
                assert (described, position, run(position, value, is_async)) == (
                    described,
                    position,
                    untraced[position],
                )
                assert not consumed(value) or position == "batch items", (described, position)
            check_exported(recording)
