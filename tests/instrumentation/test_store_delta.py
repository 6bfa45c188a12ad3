"""What a node did to the shared store, as its span tells it."""

from collections import UserDict, deque
from collections.abc import Callable, Iterator, MutableMapping
from types import MappingProxyType
from typing import Any

import pocketflow
import pytest

from instrumentation.recording import Recording, traced

Write = Callable[[Any], Any]


class Writer(pocketflow.Node):
    def __init__(self, write: Write, name: str = "Writer") -> None:
        super().__init__()
        self.write = write
        self.name = name

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        self.write(shared)


def written(store: Any, write: Write, **options: Any) -> dict[str, Any]:
    """What the span of a node tells of the store, if the node writes so."""
    with traced(**options) as recording:
        Writer(write).run(store)
    return recording.store("invoke_node Writer")


def test_a_new_key_is_added_and_has_a_shape() -> None:
    assert written({"old": 1}, lambda shared: shared.update(new="text")) == {"added": ("new",), "shape.new": "str[4]"}


def test_another_value_modifies_a_key() -> None:
    assert written({"key": 1}, lambda shared: shared.update(key=[1, 2])) == {
        "modified": ("key",),
        "shape.key": "list[2]",
    }


def test_a_key_that_is_gone_is_removed_and_has_no_shape() -> None:
    assert written({"key": 1, "kept": 2}, lambda shared: shared.pop("key")) == {"removed": ("key",)}


def test_keys_are_sorted() -> None:
    told = written({"z": 0, "y": 0}, lambda shared: (shared.clear(), shared.update(c=1, a=2, b=3)))
    assert told["added"] == ("a", "b", "c")
    assert told["removed"] == ("y", "z")


@pytest.mark.parametrize("value", ["text", 10**9, 1.5, True, None, b"bytes"])
def test_the_same_value_once_more_is_no_change(value: Any) -> None:
    copy = eval(repr(value))
    assert written({"key": value}, lambda shared: shared.update(key=copy)) == {}


def test_nothing_written_tells_only_how_many_keys_there_are() -> None:
    with traced() as recording:
        Writer(lambda _: None).run({"one": 1, "two": 2})
    told = recording.attributes("invoke_node Writer")
    assert {key: value for key, value in told.items() if "store" in key} == {"pocketflow.store.keys": 2}


def test_an_empty_store_tells_nothing() -> None:
    with traced() as recording:
        Writer(lambda _: None).run({})
    assert [key for key in recording.attributes("invoke_node Writer") if "store" in key] == []


def test_a_key_that_comes_and_goes_is_no_change() -> None:
    assert written({}, lambda shared: (shared.update(key=1), shared.pop("key"))) == {}


def test_what_prep_and_post_do_is_one_change() -> None:
    class Both(pocketflow.Node):
        def prep(self, shared: Any) -> None:
            shared["made in prep"] = 1
            shared["kept"] = 1

        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            del shared["made in prep"]
            shared["kept"] = "now a text"

    with traced() as recording:
        Both().run({})
    assert recording.store("invoke_node Both") == {"added": ("kept",), "shape.kept": "str[10]"}


def test_a_node_that_fails_still_tells_what_it_wrote() -> None:
    class Failing(pocketflow.Node):
        def prep(self, shared: Any) -> None:
            shared["key"] = 1
            raise ValueError

    with traced() as recording, pytest.raises(ValueError):
        Failing().run({})
    assert recording.store("invoke_node Failing") == {"added": ("key",), "shape.key": "int"}


# In place.

IN_PLACE: dict[str, tuple[Any, Write, str]] = {
    "list.append": ([], lambda value: value.append(1), "list[1]"),
    "list item": ([1, 2], lambda value: value.__setitem__(0, 3), "list[2]"),
    "list.reverse": ([1, 2], lambda value: value.reverse(), "list[2]"),
    "dict item": ({}, lambda value: value.update(key=1), "dict[1]"),
    "dict value": ({"key": 1}, lambda value: value.update(key=2), "dict[1]"),
    "dict key": ({"key": 1}, lambda value: value.update(other=value.pop("key")), "dict[1]"),
    "set item": ({1}, lambda value: (value.remove(1), value.add(2)), "set[1]"),
    "set.add": (set(), lambda value: value.add(1), "set[1]"),
    "deque.append": (deque(), lambda value: value.append(1), "deque[1]"),
    "bytearray.extend": (bytearray(b"x"), lambda value: value.extend(b"y"), "bytearray[2]"),
}


@pytest.mark.parametrize("way", IN_PLACE)
def test_a_change_in_place_modifies_the_key(way: str) -> None:
    value, change, shape = IN_PLACE[way]
    value = type(value)(value)
    assert written({"key": value}, lambda shared: change(shared["key"])) == {"modified": ("key",), "shape.key": shape}


@pytest.mark.parametrize("way", IN_PLACE)
def test_changes_in_place_are_not_looked_for_at_depth_0(way: str) -> None:
    value, change, _ = IN_PLACE[way]
    value = type(value)(value)
    assert written({"key": value}, lambda shared: change(shared["key"]), store_depth=0) == {}


class Person:
    def __init__(self) -> None:
        self.friends: list[str] = []


@pytest.mark.parametrize(
    ("depth", "make", "change"),
    [
        (2, lambda: [[1]], lambda value: value[0].append(2)),
        (2, lambda: {"a": {}}, lambda value: value["a"].update(b=1)),
        (2, Person, lambda value: setattr(value, "name", "Ann")),
        (3, lambda: [Person()], lambda value: setattr(value[0], "name", "Ann")),
        (3, lambda: {"a": {"b": []}}, lambda value: value["a"]["b"].append(1)),
    ],
)
def test_deeper_changes_are_seen_at_their_depth_and_not_above(
    depth: int, make: Callable[[], Any], change: Write
) -> None:
    def told(store_depth: int) -> Any:
        return written({"key": make()}, lambda shared: change(shared["key"]), store_depth=store_depth).get("modified")

    assert told(depth) == ("key",)
    assert told(1) is None


# Many keys.


def write_40_keys(shared: Any) -> None:
    shared.update({f"key {number:02}": number for number in range(40)})


def test_only_so_many_keys_have_a_shape_but_more_are_named() -> None:
    told = written({}, write_40_keys)
    assert told.pop("added") == tuple(f"key {number:02}" for number in range(40))
    assert told.pop("omitted") == 8
    assert told == {f"shape.key {number:02}": "int" for number in range(32)}


def test_how_many_is_an_option() -> None:
    told = written({}, write_40_keys, max_store_keys=2, capture_values=True)
    assert told.pop("omitted") == 38
    assert told.pop("added") == tuple(f"key {number:02}" for number in range(16))
    assert told == {"shape.key 00": "int", "shape.key 01": "int", "value.key 00": "0", "value.key 01": "1"}


def test_a_span_keeps_what_it_told_first_when_everything_changed() -> None:
    with traced(capture_values=True, capture_io=True, capture_output=True) as recording:
        Writer(lambda shared: shared.update({f"key {number}": "x" for number in range(5000)})).run({})
    told = recording.attributes("invoke_node Writer")
    assert told["gen_ai.operation.name"] == "invoke_node"
    assert len(told) < 128


# Stores of other kinds.


class Words(dict[Any, Any]):
    """A subclass whose own methods nobody should need."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("asked for its keys")

    items = values = keys = copy = __len__ = __iter__  # type: ignore[assignment]


class Session(MutableMapping[str, Any]):
    """A mapping that is no dict, as ``st.session_state`` is."""

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self._held[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._held[key] = value

    def __delitem__(self, key: str) -> None:
        del self._held[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class State:
    """Any object."""


class Slots:
    __slots__ = ("key", "other")


@pytest.mark.parametrize("make", [dict, Words, UserDict, Session])
def test_mappings_of_all_kinds_are_stores(make: Callable[[], Any]) -> None:
    store = make()
    assert written(store, lambda shared: shared.__setitem__("key", [1])) == {"added": ("key",), "shape.key": "list[1]"}
    assert written(store, lambda shared: shared["key"].append(2)) == {"modified": ("key",), "shape.key": "list[2]"}
    assert written(store, lambda shared: shared.__delitem__("key")) == {"removed": ("key",)}


def test_a_view_of_a_dict_is_a_store() -> None:
    held: dict[str, Any] = {}
    assert written(MappingProxyType(held), lambda _: held.update(key=1)) == {"added": ("key",), "shape.key": "int"}


@pytest.mark.parametrize("make", [State, Slots])
def test_of_other_objects_the_attributes_are_the_keys(make: Callable[[], Any]) -> None:
    store = make()
    assert written(store, lambda shared: setattr(shared, "key", "a")) == {"added": ("key",), "shape.key": "str[1]"}
    assert written(store, lambda shared: setattr(shared, "key", 2)) == {"modified": ("key",), "shape.key": "int"}
    assert written(store, lambda shared: delattr(shared, "key")) == {"removed": ("key",)}


@pytest.mark.parametrize("store", [None, 5, "text", [1]])
def test_what_can_hold_no_keys_has_none(store: Any) -> None:
    assert written(store, lambda _: None) == {}


def test_keys_that_are_no_text_are_named_as_text() -> None:
    told = written({1: "a"}, lambda shared: (shared.update({1: "b"}), shared.update({("a", 2): None})))
    assert told == {"modified": ("1",), "shape.1": "str[1]", "added": ("(a, 2)",), "shape.(a, 2)": "None"}


# Flows.


def run(flow: pocketflow.Flow, store: Any, **options: Any) -> Recording:
    with traced(**options) as recording:
        flow.run(store)
    return recording


def test_a_flow_tells_what_its_nodes_came_to() -> None:
    first = Writer(lambda shared: shared.update(kept=1, gone=1), "first")
    first >> Writer(lambda shared: (shared.pop("gone"), shared.update(kept=2, given="new")), "second")
    recording = run(pocketflow.Flow(first), {"given": "old"})
    assert recording.store("invoke_node first") == {
        "added": ("gone", "kept"),
        "shape.kept": "int",
        "shape.gone": "int",
    }
    assert recording.store("invoke_node second") == {
        "modified": ("given", "kept"),
        "removed": ("gone",),
        "shape.kept": "int",
        "shape.given": "str[3]",
    }
    assert recording.store("invoke_workflow Flow") == {"added": ("kept",), "modified": ("given",)}


def test_a_flow_tells_what_it_did_itself() -> None:
    class Around(pocketflow.Flow):
        def prep(self, shared: Any) -> None:
            shared["before"] = 1

        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["after"] = 1

    recording = run(Around(Writer(lambda shared: shared.update(inside=1))), {})
    assert recording.store("invoke_node Writer") == {"added": ("inside",), "shape.inside": "int"}
    assert recording.store("invoke_workflow Around") == {"added": ("after", "before", "inside")}


def test_a_nested_flow_tells_what_its_nodes_came_to_with_shapes() -> None:
    inner = pocketflow.Flow(Writer(lambda shared: shared.update(key=[1])))
    inner.name = "inner"
    recording = run(pocketflow.Flow(inner), {})
    assert recording.store("invoke_workflow inner") == {"added": ("key",), "shape.key": "list[1]"}
    assert recording.store("invoke_workflow Flow")["added"] == ("key",)


def test_a_flow_on_another_store_changes_nothing_of_this_one() -> None:
    class Outer(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            pocketflow.Flow(Writer(lambda shared: shared.update(other=1))).run({})

    recording = run(pocketflow.Flow(Outer()), {"given": 1})
    assert recording.store("invoke_node Writer") == {"added": ("other",), "shape.other": "int"}
    assert recording.store("invoke_node Outer") == {}
    outer, inner = recording.named("invoke_workflow Flow")
    assert "pocketflow.store.added" not in (outer.attributes or {})
    assert (inner.attributes or {})["pocketflow.store.added"] == ("other",)


def test_changes_made_by_the_program_between_runs_are_nobodys() -> None:
    flow, store = pocketflow.Flow(Writer(lambda _: None)), {"key": 1}
    with traced() as recording:
        flow.run(store)
        store["key"] = 2
        flow.run(store)
    told = [dict(span.attributes or {}) for span in recording.spans]
    assert [key for attributes in told for key in attributes if key.endswith(("added", "modified", "removed"))] == []
