"""What stands in a snapshot for values that are not to be kept alive: they would double a program's peak of memory."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any, Final

from pocketflow_otel.capture.containers import CONTAINERS, SCALARS, SIZED, flatten, is_one_of, sample_of

HEAVY_LENGTH: Final = 64 * 1024
"""Characters or bytes from which on a text is not kept."""
_HEAVY_ITEM: Final = 1_024


class Faint:
    """Stands in a snapshot for a value that is not to be kept alive: it would double the peak of a program's memory."""

    __slots__ = ("_identity", "_length", "_reference", "_sample")

    def __init__(self, value: Any, length: int | None) -> None:
        self._identity = id(value)
        self._length = length
        self._reference = None
        self._sample: Any = None
        if length is None:
            self._reference = weakref.ref(value)
        else:
            self._sample = sample_of(value, length)

    def is_still(self, value: Any) -> bool:
        """Whether a value is the one this stands in for."""
        if self._reference is not None:
            return self._reference() is value
        if id(value) != self._identity or not is_one_of(type(value), SIZED):
            return False
        # Another value may have been given the address: a few pieces of it must be the same as well.
        return len(value) == self._length and bool(sample_of(value, len(value)) == self._sample)


class FaintItems:
    """Stands in for a container or object that holds much, by what stands in for its items."""

    __slots__ = ("_depth", "_identity", "_items", "_kind", "_most")

    def __init__(self, value: Any, items: list[Any], depth: int, most: int) -> None:
        self._kind = type(value)
        self._identity = id(value)
        self._items = [_stand_in(item) for item in items]
        self._depth = depth
        self._most = most

    def is_still(self, value: Any) -> bool:
        """Whether a value is the one this stands in for, and holds what it held."""
        if id(value) != self._identity or type(value) is not self._kind:
            return False
        items = flatten(value, self._depth, self._most)
        return items is not None and len(items) == len(self._items) and all(map(_stands_for, self._items, items))


class _Identity:
    """Stands in for a container among others, which can't be referred to weakly."""

    __slots__ = ("identity",)

    def __init__(self, value: Any) -> None:
        self.identity = id(value)


def _stand_in(item: Any) -> Any:
    kind = type(item)
    if is_one_of(kind, SCALARS):
        return Faint(item, len(item)) if is_one_of(kind, SIZED) and len(item) > _HEAVY_ITEM else item
    if not is_one_of(kind, CONTAINERS):
        with suppress(TypeError):  # not every type can be referred to weakly
            return Faint(item, None)
    return _Identity(item)


def _stands_for(stand_in: Any, item: Any) -> bool:
    kind = type(stand_in)
    if kind is Faint:
        return bool(stand_in.is_still(item))
    if kind is _Identity:
        return bool(stand_in.identity == id(item))
    return unchanged(stand_in, item)


def is_burden(items: list[Any]) -> bool:
    """Whether to keep these alive would take much memory, or nobody can tell how much."""
    size = 0
    for item in items:
        kind = type(item)
        if is_one_of(kind, SIZED):
            size += len(item)
        elif not is_one_of(kind, SCALARS) and not is_one_of(kind, CONTAINERS):
            return True
    return size > HEAVY_LENGTH


def unchanged(old: Any, new: Any) -> bool:
    """Whether an item is the one it was; numbers come as equal but different objects."""
    return old is new or (type(old) is int and type(new) is int and old == new)
