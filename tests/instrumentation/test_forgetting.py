"""Tracing keeps nothing alive that the program has let go of."""

import gc
import weakref
from typing import Any

import pocketflow

from instrumentation.recording import Recording, traced


class Retrying(pocketflow.Node):
    def __init__(self) -> None:
        super().__init__(max_retries=2)

    def exec(self, prep_res: Any) -> str:
        return "done"


def define_and_run(number: int) -> list[weakref.ref[type]]:
    references = []
    for _ in range(number):

        class Local(pocketflow.Node):
            def __init__(self) -> None:
                super().__init__(max_retries=2)

            def exec(self, prep_res: Any) -> str:
                return "done"

        pocketflow.Flow(Local()).run({})
        references.append(weakref.ref(Local))
    return references


def test_classes_are_forgotten_when_the_program_forgets_them() -> None:
    with traced(tracer_provider=None, meter_provider=Recording().meter_provider):
        define_and_run(10)
        gc.collect()
        before, classes = len(gc.get_objects()), len(type.__subclasses__(pocketflow.Node))
        references = define_and_run(1000)
        gc.collect()
        assert [reference for reference in references if reference() is not None] == []
        del references
        assert len(type.__subclasses__(pocketflow.Node)) == classes
        assert len(gc.get_objects()) - before < 100


def test_traced_classes_are_forgotten_too() -> None:
    with traced():
        references = define_and_run(100)
        gc.collect()
        assert [reference for reference in references if reference() is not None] == []


def test_a_run_leaves_nothing_for_the_garbage_collector() -> None:
    class Value:
        """Something in a store."""

    with traced(capture_values=True, capture_io=True, capture_output=True):
        value = Value()
        reference = weakref.ref(value)
        gc.collect()
        gc.disable()
        try:
            pocketflow.Flow(Retrying()).run({"value": value})
            del value
            assert reference() is None
        finally:
            gc.enable()
