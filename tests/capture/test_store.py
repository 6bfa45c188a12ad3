"""A snapshot moves on from one moment of a store to the next, and tells what changed in between."""

import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketflow_otel.capture.store import ADDED, MODIFIED, REMOVED, Snapshot

KEYS = ("messages", "config", "answer", "steps", "notes")
SCALARS = (None, 0, 1, 300, True, 1.5, "", "text", "other", b"bytes")


class Odd:
    """A class of the program's."""


def containers() -> Any:
    items = st.lists(st.sampled_from(SCALARS), max_size=4)
    return items | st.dictionaries(st.sampled_from("abc"), st.sampled_from(SCALARS), max_size=3)


def steps() -> Any:
    """Something that is done to a store."""
    key = st.sampled_from(KEYS)
    at = st.integers(0, 3)
    scalar = st.sampled_from(SCALARS)
    return st.one_of(
        st.tuples(st.just("set"), key, scalar | containers()),
        st.tuples(st.just("same"), key, key),
        st.tuples(st.just("delete"), key),
        st.tuples(st.just("add"), key, scalar),
        st.tuples(st.just("exchange"), key, at, scalar),
        st.tuples(st.just("drop"), key),
        st.tuples(st.just("hand over"), key, key),
    )


def do(store: dict[str, Any], step: tuple[Any, ...]) -> None:
    what, key, *rest = step
    value = store.get(key)
    match what, value:
        case "set", _:
            [new] = rest
            store[key] = new.copy() if isinstance(new, list | dict) else new
        case "same", _:
            store[rest[0]] = value
        case "delete", _:
            store.pop(key, None)
        case "add", list():
            value.append(rest[0])
        case "add", dict():
            value[f"new{len(value)}"] = rest[0]
        case "exchange", list() if rest[0] < len(value):
            value[rest[0]] = rest[1]
        case "exchange", dict() if "abc"[min(rest[0], 2)] in value:
            value["abc"[min(rest[0], 2)]] = rest[1]
        case "drop", list() if value:
            value.pop()
        case "drop", dict() if value:
            value.popitem()
        case "hand over", list() if value and isinstance(store.get(rest[0]), list):
            store[rest[0]].insert(0, value.pop())


def held(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return [*value] if isinstance(value, list) else []


def changes_since(before: dict[str, Any], copies: dict[str, list[Any]], now: dict[str, Any]) -> set[tuple[str, str]]:
    """What changed: by identity, at the first level of containers; scalars that are equal are the same."""
    found = {(REMOVED, key) for key in before.keys() - now.keys()} | {
        (ADDED, key) for key in now.keys() - before.keys()
    }
    for key in before.keys() & now.keys():
        old, new = before[key], now[key]
        if old is new:
            after = held(new)
            moved = len(after) != len(copies[key]) or any(one is not other for one, other in zip(after, copies[key]))
        else:
            moved = type(old) is not type(new) or isinstance(new, list | dict) or old != new
        if moved:
            found.add((MODIFIED, key))
    return found


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.lists(steps(), max_size=4), min_size=1, max_size=12))
def test_every_change_is_found_once_and_no_other(visits: list[list[tuple[Any, ...]]]) -> None:
    store: dict[str, Any] = {"messages": [1, 2], "config": {"a": 1}, "steps": 0}
    snapshot = Snapshot(store, 1)
    for visit in visits:
        before, copies = dict(store), {key: held(value) for key, value in store.items()}
        for step in visit:
            do(store, step)
        expected = changes_since(before, copies, store)

        if snapshot.is_still(store):
            assert expected == set()
        found = snapshot.move_on(store)

        assert {(change, key) for change, key, _ in found} == expected
        assert len(found) == len(expected)
        assert all(value is store[key] for change, key, value in found if change is not REMOVED)


def test_an_untouched_store_is_still() -> None:
    store = {"messages": [1], "config": {"a": 1}}
    snapshot = Snapshot(store, 1)
    for _ in range(3):
        store["messages"].append(1)
        assert not snapshot.is_still(store)
        assert snapshot.move_on(store) == [(MODIFIED, "messages", store["messages"])]
        assert snapshot.is_still(store)


@pytest.mark.parametrize("heavy", ["x" * 100_000, b"x" * 100_000, [b"x" * 100_000], Odd()], ids=type)
@pytest.mark.parametrize("light", ["short", 1, None, 1.5])
def test_a_light_value_takes_the_place_of_a_heavy_one_once(heavy: Any, light: Any) -> None:
    store = {"page": heavy}
    snapshot = Snapshot(store, 1)
    store["page"] = light
    assert snapshot.move_on(store) == [(MODIFIED, "page", light)]
    assert snapshot.move_on(store) == []
    store["page"] = "other"
    assert snapshot.move_on(store) == [(MODIFIED, "page", "other")]
    assert snapshot.move_on(store) == []


@pytest.mark.parametrize("light", ["short", 1, None])
def test_what_a_light_value_replaces_is_not_held(light: Any) -> None:
    odd = Odd()
    gone = weakref.ref(odd)
    store = {"items": [[odd]]}
    snapshot = Snapshot(store, 1)
    del odd
    store["items"] = light
    snapshot.move_on(store)
    assert gone() is None
