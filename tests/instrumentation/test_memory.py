"""Tracing keeps none of a program's values alive, not even while the program replaces them."""

import gc
import tracemalloc
import weakref

import pytest
from pocketflow import Flow, Node

from instrumentation.recording import traced

MEGABYTE = 1 << 20
SIZE = 50 * MEGABYTE


class Held:
    """An object that can be referred to weakly, with much in it."""

    def __init__(self) -> None:
        self.content = bytearray(SIZE)


LARGE = {
    "str": lambda: "x" * SIZE,
    "bytes": lambda: bytes(SIZE),
    "bytearray": lambda: bytearray(SIZE),
    "list of texts": lambda: [chr(65 + number) * MEGABYTE for number in range(50)],
    "short list of texts": lambda: ["a" * (SIZE // 2), "b" * (SIZE // 2)],
    "dict of texts": lambda: {number: chr(65 + number) * MEGABYTE for number in range(50)},
    "short dict of bytes": lambda: {"content": bytes(SIZE)},
    "object": Held,
    "list of objects": lambda: [Held()],
}


class Replace(Node):
    def post(self, shared, prepared, result):
        # A program that has room for one such value only.
        shared["large"] = None
        shared["large"] = LARGE[self.params["kind"]]()


def _peak(kind: str) -> int:
    store = {"large": LARGE[kind](), "other": 1}
    flow = Flow(Replace())
    flow.set_params({"kind": kind})
    gc.collect()
    tracemalloc.reset_peak()
    flow.run(store)
    return tracemalloc.get_traced_memory()[1]


@pytest.fixture
def _measured():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("_measured")
@pytest.mark.parametrize(
    "options", [{}, {"store_depth": 4, "capture_values": True, "capture_io": True}], ids=["", "deep"]
)
@pytest.mark.parametrize("kind", LARGE)
def test_replacing_a_large_value_takes_no_more_memory(kind, options):
    untraced = _peak(kind)
    assert untraced < 1.1 * SIZE
    with traced(**options):
        _peak("short list of texts")  # what is loaded and remembered once
        assert _peak(kind) < 1.1 * SIZE


@pytest.mark.parametrize(
    "options", [{}, {"store_depth": 4, "capture_values": True, "capture_io": True}], ids=["", "deep"]
)
def test_no_value_outlives_its_program(options):
    class Value: ...

    class Keep(Node):
        def prep(self, shared):
            return shared["value"]

        def exec(self, value):
            return [value]

        def post(self, shared, value, values):
            shared["values"] = values
            shared[value] = value
            raise ValueError(value)

    value = Value()
    reference = weakref.ref(value)
    flow = Flow(Keep())
    flow.set_params({"value": value})
    with traced(**options) as recording:
        with pytest.raises(ValueError):
            flow.run({"value": value})
        del flow, value
        gc.collect()
        assert reference() is None
        assert len(recording.spans) == 2
