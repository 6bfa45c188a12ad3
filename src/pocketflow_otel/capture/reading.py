"""Reads the shared store, whatever it is: a dict, another mapping, or any object with attributes."""

from __future__ import annotations

from abc import ABCMeta
from collections import UserDict
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from pocketflow_otel.capture.inspection import bases, class_attributes
from pocketflow_otel.capture.instances import SlotDescriptor, instance_attributes

MOST_KEYS: Final = 20_000
"""Keys beyond which a store is not read."""

Store = dict[Any, Any]

_MISSING: Final = object()


def read_store(store: Any) -> Store | None:
    """A shallow copy of a store, or None where it can't be read or holds more than `MOST_KEYS` keys.

    A dict is copied in one step, which is safe while other threads write to it. Of a mapping that is no dict the keys
    and values are asked for; of any other object the instance attributes are the keys.
    """
    kind = type(store)
    if kind is dict:
        return store.copy() if len(store) <= MOST_KEYS else None
    if issubclass(kind, dict):
        return _copy_of(store) if dict.__len__(store) <= MOST_KEYS else None
    if any(base is UserDict for base in bases(kind)):
        data = instance_attributes(store).get("data")
        if type(data) is dict:
            return data.copy() if len(data) <= MOST_KEYS else None
    if _is_mapping(kind):
        return _read_mapping(store)
    attributes = _copy_of(instance_attributes(store)) or {}
    for base in bases(kind):
        for name, slot in class_attributes(base).items():
            if type(slot) is SlotDescriptor:
                value = _slot_value(slot, store)
                if value is not _MISSING:
                    attributes.setdefault(name, value)
    return attributes if len(attributes) <= MOST_KEYS else None


def _is_mapping(kind: type) -> bool:
    # Only of these metaclasses is it known that the question runs none of the program's code.
    if type(kind) is type or type(kind) is ABCMeta:
        return issubclass(kind, Mapping)
    return any(base is Mapping for base in bases(kind))


def _copy_of(held: Store) -> Store | None:
    """A copy of a dict, whatever its subclass overrides: dict.copy asks one that defines __iter__ for its keys."""
    for _ in range(3):  # another thread may change it meanwhile
        with suppress(RuntimeError):
            return dict(dict.items(held))
    return None


def _slot_value(slot: Any, instance: object) -> Any:
    try:
        return slot.__get__(instance)
    except AttributeError:
        return _MISSING


def _read_mapping(store: Any) -> Store | None:
    for _ in range(3):  # another thread may change it meanwhile
        try:
            keys = list(islice(store, MOST_KEYS + 1))
            return {key: store[key] for key in keys} if len(keys) <= MOST_KEYS else None
        except RuntimeError:
            continue
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - the store is the user's class, and may raise anything
            return None
    return None


def count_keys(store: Any) -> int | None:
    """How many keys a store holds, where that can be told."""
    kind = type(store)
    if kind is dict:
        return len(store)
    if issubclass(kind, dict):
        return dict.__len__(store)
    held = read_store(store)
    return None if held is None else len(held)
