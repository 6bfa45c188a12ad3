"""What containers hold, looked at without running code of theirs, and to a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any, Final

from pocketflow_otel.capture.instances import instance_attributes

SCALARS: Final = frozenset({str, int, float, bool, bytes, complex, type(None)})
"""Types whose values hold nothing, and are compared by the interpreter alone."""

SIZED: Final = frozenset({str, bytes})
"""Those of them that may be large."""

CONTAINERS: Final = frozenset({list, dict, set, frozenset, tuple, deque})
"""Types whose values hold others, and nothing besides."""

_SAMPLE: Final = 32


def is_one_of(kind: type, kinds: Collection[object]) -> bool:
    """Whether a type is among some of Python's own. One whose metaclass is the program's is not even hashed."""
    return type(kind) is type and kind in kinds


def sample_of(value: Any, length: int) -> Any:
    """A few pieces of a text or of bytes, by which to know it."""
    return value[:_SAMPLE], value[length // 2 : length // 2 + _SAMPLE], value[-_SAMPLE:]


_Reader = Callable[[Any, int], list[Any]]


def _read_sequence(value: Any, most: int, kind: Any = list) -> list[Any]:
    length = kind.__len__(value)
    if length <= most:
        return kind.__getitem__(value, slice(None)) if kind is not list else [length, *list.__getitem__(value, _ALL)]
    half = most // 2
    return [length, *kind.__getitem__(value, slice(half)), *kind.__getitem__(value, slice(length - half, None))]


_ALL: Final = slice(None)


def _read_dict(value: Any, most: int) -> list[Any]:
    length = dict.__len__(value)
    if length <= most // 2:
        pairs = list(dict.items(value))
        return [length, *(key for key, _ in pairs), *(held for _, held in pairs)]
    quarter = most // 4
    first = list(islice(dict.items(value), quarter))
    last = list(islice(dict.__reversed__(value), quarter))
    return [length, *(part for pair in first for part in pair), *last, *(dict.get(value, key) for key in _texts(last))]


def _texts(keys: list[Any]) -> list[Any]:
    return [key for key in keys if type(key) is str]


def _read_set(value: Any, most: int) -> list[Any]:
    # Sets have no order that lasts: what is added and removed changes the length, or who comes first.
    kind = set if issubclass(type(value), set) else frozenset
    return [kind.__len__(value), *islice(kind.__iter__(value), most)]


def _read_deque(value: Any, most: int) -> list[Any]:
    length = deque.__len__(value)
    if length <= most:
        return [length, *deque.copy(value)] if type(value) is deque else [length, *islice(deque.__iter__(value), most)]
    half = most // 2
    return [length, *islice(deque.__iter__(value), half), *islice(deque.__reversed__(value), half)]


def _read_bytearray(value: Any, most: int) -> list[Any]:
    length = bytearray.__len__(value)
    return [length, *(byte for piece in sample_of(value, length) for byte in piece[:4])][: most + 1]


def _read_tuple(value: Any, most: int) -> list[Any]:
    return [*tuple.__getitem__(value, slice(most))]


_READERS: Final[dict[type, _Reader]] = {
    list: _read_sequence,
    dict: _read_dict,
    set: _read_set,
    deque: _read_deque,
    bytearray: _read_bytearray,
}


def _reader_of(kind: type) -> _Reader | None:
    for base, reader in _READERS.items():
        if issubclass(kind, base):
            return reader
    return None


def flatten(value: Any, depth: int, most: int) -> list[Any] | None:
    """The items of a container, and theirs, to a depth, in a fixed order; None for what is no container.

    Args:
        value: What to look at.
        depth: How many levels; from 2 on also the attributes of objects and the items of tuples.
        most: About how many items at the most.
    """
    reader = (_READERS[type(value)] if is_one_of(type(value), _READERS) else None) or _reader_of(type(value))
    try:
        items = reader(value, most) if reader is not None else _parts(value, most) if depth > 1 else None
    except RuntimeError:  # another thread changes it right now
        return [object()]
    if items is None or depth <= 1:
        return items
    nested = [
        inner
        for item in items
        if not is_one_of(type(item), SCALARS)
        for inner in flatten(item, depth - 1, max(most // max(len(items), 1), 4)) or ()
    ]
    return items + nested[: most * depth]


def _parts(value: Any, most: int) -> list[Any] | None:
    if issubclass(type(value), tuple):
        return _read_tuple(value, most)
    attributes = instance_attributes(value)
    return _read_dict(attributes, most) if dict.__len__(attributes) else None
