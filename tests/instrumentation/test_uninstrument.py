"""Instrumenting leaves no trace once it is taken back, and taking it back needs no order and no luck."""

import functools
import inspect
import sys
from typing import Any

import pocketflow
import pytest

from fixtures import pocketflow_head
from instrumentation.recording import Recording, traced
from pocketflow_otel import PocketFlowInstrumentor


class Retrying(pocketflow.Node):
    def __init__(self) -> None:
        super().__init__(max_retries=2)

    def exec(self, prep_res: Any) -> str:
        return "done"


class Overriding(pocketflow.Node):
    def _run(self, shared: Any) -> Any:
        return super()._run(shared)

    def _exec(self, prep_res: Any) -> Any:
        return super()._exec(prep_res)


class StaticExec(pocketflow.Node):
    def __init__(self) -> None:
        super().__init__(max_retries=2)

    @staticmethod
    def exec(prep_res: Any) -> str:
        return "done"


class ClassExec(pocketflow.Node):
    def __init__(self) -> None:
        super().__init__(max_retries=2)

    @classmethod
    def exec(cls, prep_res: Any) -> str:
        return "done"


class PlainMixin:
    """No node: it may be used elsewhere too."""

    def exec(self, prep_res: Any) -> str:
        return "mixed in"

    def _run(self, shared: Any) -> Any:
        return super()._run(shared) if isinstance(self, pocketflow.BaseNode) else "no node"  # type: ignore[misc]


class MixedIn(PlainMixin, pocketflow.Node):
    def __init__(self) -> None:
        super().__init__(max_retries=2)


class UsesTheMixinElsewhere(PlainMixin): ...


class Registered(pocketflow.Node):
    registry: dict[str, type] = {}

    def __init_subclass__(cls, *, key: str = "none", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Registered.registry[key] = cls


class RegisteredWithoutSuper(pocketflow.Node):
    seen: list[str] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        cls.seen.append(cls.__name__)


class Meta(type):
    def __setattr__(cls, name: str, value: Any) -> None:
        raise AttributeError("this class is sealed")


class Sealed(pocketflow.Node, metaclass=Meta):
    def exec(self, prep_res: Any) -> str:
        return "sealed"

    def _exec(self, prep_res: Any) -> Any:
        return super()._exec(prep_res)


CLASSES = (Retrying, Overriding, StaticExec, ClassExec, MixedIn, Sealed)


def all_classes(base: type) -> list[type]:
    found = [base]
    for cls in found:
        found.extend(sub for sub in type.__subclasses__(cls) if sub not in found)
    return found


def touched() -> dict[type, list[tuple[str, Any]]]:
    """What every class that may be hooked holds, in order."""
    roots = (pocketflow.BaseNode, pocketflow_head.BaseNode, PlainMixin)
    # `copy` keeps a note of its own in a class whose instance it copies for the first time.
    return {
        cls: [item for item in vars(cls).items() if item[0] != "__slotnames__"]
        for root in roots
        for cls in all_classes(root)
    }


def assert_same(before: dict[type, list[tuple[str, Any]]], after: dict[type, list[tuple[str, Any]]]) -> None:
    for cls, items in before.items():
        assert [name for name, _ in after[cls]] == [name for name, _ in items], cls
        assert all(now is then for (_, now), (_, then) in zip(after[cls], items, strict=True)), cls


def run_everything() -> None:
    for cls in CLASSES:
        pocketflow.Flow(cls()).run({})


def test_every_class_holds_what_it_held_in_the_order_it_had() -> None:
    run_everything()  # copy.copy, which PocketFlow calls, leaves a note in each class
    before = touched()
    with traced():
        assert touched()[pocketflow.BaseNode] != before[pocketflow.BaseNode]
        run_everything()
    assert_same(before, touched())


def test_so_it_does_when_nothing_ran() -> None:
    before = touched()
    with traced():
        pass
    assert_same(before, touched())


def test_classes_defined_meanwhile_hold_what_they_defined() -> None:
    with traced() as recording:

        class Late(Retrying):
            def _exec(self, prep_res: Any) -> Any:
                return super()._exec(prep_res)

            def exec(self, prep_res: Any) -> str:
                return "late"

        hooked = dict(vars(Late))
        pocketflow.Flow(Late()).run({})
    assert recording.names == [("invoke_workflow Flow", [("invoke_node Late", ["attempt"])])]
    assert hooked["_exec"].__qualname__ == vars(Late)["_exec"].__qualname__
    for name in ("_exec", "exec"):
        assert vars(Late)[name].__code__.co_filename == __file__
        assert not hasattr(vars(Late)[name], "__wrapped__")


def test_a_method_looks_like_itself_while_it_is_hooked() -> None:
    plain = {name: inspect.signature(vars(pocketflow.AsyncFlow)[name]) for name in ("_run_async", "_orch_async")}
    with traced():
        for name, signature in plain.items():
            method = vars(pocketflow.AsyncFlow)[name]
            assert (method.__name__, method.__qualname__) == (name, f"AsyncFlow.{name}")
            assert method.__module__ == "pocketflow"
            assert inspect.signature(method) == signature
            assert inspect.iscoroutinefunction(method)


def test_a_mixin_goes_on_working_where_it_is_no_node() -> None:
    with traced() as recording:
        pocketflow.Flow(MixedIn()).run({})
        assert UsesTheMixinElsewhere()._run({}) == "no node"
        assert UsesTheMixinElsewhere().exec(None) == "mixed in"
    assert recording.names == [("invoke_workflow Flow", [("invoke_node MixedIn", ["attempt"])])]


def test_a_sealed_class_is_traced() -> None:
    with traced() as recording:
        Sealed().run({})
    assert recording.names == ["invoke_node Sealed"]


@pytest.mark.parametrize("cls", [StaticExec, ClassExec])
def test_a_static_or_class_method_stays_one(cls: Any) -> None:
    plain = vars(cls)["exec"]
    with traced() as recording:
        pocketflow.Flow(cls()).run({})
        assert cls.exec("called on the class") == "done"
        assert cls().exec("called on an instance") == "done"
    assert recording.names == [("invoke_workflow Flow", [(f"invoke_node {cls.__name__}", ["attempt"])])]
    assert vars(cls)["exec"] is plain


def test_what_the_program_put_around_a_hooked_method_stays() -> None:
    calls: list[str] = []

    def noting(method: Any) -> Any:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any) -> Any:
            calls.append("noted")
            return method(self, *args)

        return wrapper

    with traced() as recording:

        class Decorated(pocketflow.Node):
            _run = noting(pocketflow.Node._run)

        Decorated().run({})
    Decorated().run({})
    assert recording.names == ["invoke_node Decorated"]
    assert calls == ["noted", "noted"]


def test_a_method_that_the_program_took_from_another_class_stays() -> None:
    with traced() as recording:

        class Borrowing(pocketflow.Node):
            _exec = pocketflow.BaseNode._exec

        pocketflow.Flow(Borrowing()).run({})
    assert recording.names == [("invoke_workflow Flow", ["invoke_node Borrowing"])]
    assert vars(Borrowing)["_exec"] is vars(pocketflow.BaseNode)["_exec"]


def test_a_method_that_the_program_exchanged_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Chat(pocketflow.Flow):
        def _orch(self, shared: Any, params: Any = None) -> str:
            return "plain"

    with traced() as recording:
        hooked = Chat._orch

        def exchanged(self: Any, shared: Any, params: Any = None) -> str:
            return f"exchanged, was {hooked(self, shared, params)}"

        monkeypatch.setattr(Chat, "_orch", exchanged)
        assert Chat().run({}) == "exchanged, was plain"
    assert recording.names == ["invoke_workflow Chat"]
    assert vars(Chat)["_orch"] is exchanged
    assert Chat().run({}) == "exchanged, was plain"


# __init_subclass__.


def test_init_subclass_gets_its_arguments_once() -> None:
    with traced():
        one = type("One", (Registered,), {}, key="one")

        class Two(Registered, key="two"): ...

    class Three(Registered, key="three"): ...

    assert {key: Registered.registry[key] for key in ("one", "two", "three")} == {
        "one": one,
        "two": Two,
        "three": Three,
    }


def test_init_subclass_that_does_not_call_super_is_traced_all_the_same() -> None:
    RegisteredWithoutSuper.seen.clear()
    with traced() as recording:

        class Later(RegisteredWithoutSuper):
            def _run(self, shared: Any) -> Any:
                return "by itself"

        Later().run({})
    assert RegisteredWithoutSuper.seen == ["Later"]
    assert recording.names == ["invoke_node Later"]


def test_init_subclass_refuses_what_it_refused() -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="takes no keyword arguments"):
            type("Wrong", (pocketflow.Node,), {}, unheard_of=1)
        with traced(), pytest.raises(TypeError, match="takes no keyword arguments"):
            type("Wrong", (pocketflow.Node,), {}, unheard_of=1)


def test_init_subclass_of_a_mixin_runs() -> None:
    class Noting:
        noted: list[tuple[str, Any]] = []

        def __init_subclass__(cls, *, note: Any = None, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            cls.noted.append((cls.__name__, note))

    with traced() as recording:

        class First(pocketflow.Node, Noting, note=1): ...

        class Second(Noting, pocketflow.Node, note=2): ...

        class Third(First, note=3):
            def _exec(self, prep_res: Any) -> Any:
                return super()._exec(prep_res)

        Third().run({})
    assert Noting.noted == [("First", 1), ("Second", 2), ("Third", 3)]
    assert recording.names == ["invoke_node Third"]


# Twice, and again.


def test_instrumenting_twice_changes_nothing(instrumentor: Any) -> None:
    recording = Recording()
    instrumentor.instrument(**recording.providers)
    before, streams, finders = touched(), (sys.stdout, sys.stderr), list(sys.meta_path)
    instrumentor.instrument(**recording.providers)
    PocketFlowInstrumentor().instrument(**recording.providers)
    assert_same(before, touched())
    assert (sys.stdout, sys.stderr) == streams
    assert sys.meta_path == finders
    Retrying().run({})
    assert recording.names == [("invoke_node Retrying", ["attempt"])]


def test_uninstrumenting_twice_changes_nothing(instrumentor: Any) -> None:
    before = touched()
    instrumentor.instrument()
    instrumentor.uninstrument()
    instrumentor.uninstrument()
    assert_same(before, touched())


def test_it_works_again_and_again() -> None:
    before = touched()
    for _ in range(3):
        with traced() as recording:
            pocketflow.Flow(Retrying()).run({})
        assert recording.names == [("invoke_workflow Flow", [("invoke_node Retrying", ["attempt"])])]
        assert_same(before, touched())


def test_nothing_is_traced_any_more() -> None:
    with traced() as recording:
        kept = Retrying()._run
    Retrying().run({})
    kept({})
    assert recording.spans == []


def test_uninstrumenting_while_a_flow_runs_lets_it_end(instrumentor: Any) -> None:
    class Ending(pocketflow.Node):
        def exec(self, prep_res: Any) -> str:
            instrumentor.uninstrument()
            return "done"

    recording = Recording()
    instrumentor.instrument(**recording.providers)
    ending = Ending()
    ending >> Retrying()
    assert pocketflow.Flow(ending).run(store := {}) is None
    assert store == {}
    assert [span.name for span in recording.spans][:2] == ["invoke_workflow Flow", "invoke_node Ending"]
    assert len(recording.spans) * 2 == len(recording.events)
