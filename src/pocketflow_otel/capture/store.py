"""What changed in the shared store between two moments.

A `Snapshot` is a shallow copy of the store, and for each container in it what it holds, up to a bound. Comparing a
later copy tells which keys were added, removed, given another value, or changed in place. No user code runs (no
``==``, ``repr``, ``len`` or iteration of the program's own types), nothing is copied deeply, and the cost does not
depend on how large a value is.

What is not seen: changes in place deeper than the bound, those of arrays and data frames, and in stores of more than
`FULL_LOOK_KEYS` keys every change in place; above `MOST_KEYS` keys nothing is compared. Measured in
``benchmarks/store.py``.
"""

from __future__ import annotations

import weakref
from abc import ABCMeta
from collections import UserDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from operator import is_
from typing import Any, Final

from pocketflow_otel.capture.inspection import bases, class_attributes
from pocketflow_otel.capture.instances import SlotDescriptor, instance_attributes

FULL_LOOK_KEYS: Final = 2_000
MOST_KEYS: Final = 20_000
_ITEMS_A_VALUE: Final = 32
_ITEMS_A_STORE: Final = 1_024
_HEAVY_LENGTH: Final = 64 * 1024
_COMPARED_LENGTH: Final = 4_096
_SAMPLE: Final = 32

_Store = dict[Any, Any]

_SCALARS: Final = frozenset({str, int, float, bool, bytes, complex, type(None)})
# Nothing to look into, and never large. Text may be.
_LIGHT: Final = _SCALARS - {str, bytes}
_MISSING: Final = object()


ADDED: Final = "added"
MODIFIED: Final = "modified"
REMOVED: Final = "removed"

Change = tuple[str, Any, Any]
"""`ADDED`, `MODIFIED` or `REMOVED`; the key; the value there is now (None for one that is gone)."""


class _Faint:
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
            self._sample = _sample_of(value, length)

    def is_still(self, value: Any) -> bool:
        if self._reference is not None:
            return self._reference() is value
        if id(value) != self._identity or type(value) not in _SIZED:
            return False
        # Another value may have been given the address: a few pieces of it must be the same as well.
        return len(value) == self._length and bool(_sample_of(value, len(value)) == self._sample)


class _FaintItems:
    """Stands in for a container or object that holds much, by what stands in for its items."""

    __slots__ = ("_depth", "_identity", "_items", "_kind", "_most")

    def __init__(self, value: Any, items: list[Any], depth: int, most: int) -> None:
        self._kind = type(value)
        self._identity = id(value)
        self._items = [_stand_in(item) for item in items]
        self._depth = depth
        self._most = most

    def is_still(self, value: Any) -> bool:
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
    if kind in _SCALARS:
        return _Faint(item, len(item)) if kind in _SIZED and len(item) > _HEAVY_ITEM else item
    if kind not in _CONTAINERS:
        with suppress(TypeError):  # not every type can be referred to weakly
            return _Faint(item, None)
    return _Identity(item)


def _stands_for(stand_in: Any, item: Any) -> bool:
    kind = type(stand_in)
    if kind is _Faint:
        return bool(stand_in.is_still(item))
    if kind is _Identity:
        return bool(stand_in.identity == id(item))
    return _unchanged(stand_in, item)


def _is_burden(items: list[Any]) -> bool:
    """Whether to keep these alive would take much memory, or nobody can tell how much."""
    size = 0
    for item in items:
        kind = type(item)
        if kind in _SIZED:
            size += len(item)
        elif kind not in _SCALARS and kind not in _CONTAINERS:
            return True
    return size > _HEAVY_LENGTH


_SIZED: Final = frozenset({str, bytes})
_CONTAINERS: Final = frozenset({list, dict, set, frozenset, tuple, deque})
_HEAVY_ITEM: Final = 1_024
_MANY_ITEMS: Final = 1_024


def _sample_of(value: Any, length: int) -> Any:
    return value[:_SAMPLE], value[length // 2 : length // 2 + _SAMPLE], value[-_SAMPLE:]


def read_store(store: Any) -> _Store | None:
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


def _copy_of(held: _Store) -> _Store | None:
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


def _read_mapping(store: Any) -> _Store | None:
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


_List = tuple[Any, list[Any], list[Any]]
_Dict = tuple[Any, dict[Any, Any], dict[Any, Any]]
_Other = tuple[Any, Any, list[Any], int]


class Snapshot:
    """A store at one moment, which moves on to later ones.

    Args:
        store: The shared store.
        depth: How deep below a key changes in place are looked for: 0 not at all, 1 the items of lists, dicts, sets and
            deques, 2 the items of those and the attributes of objects, and so on.
    """

    __slots__ = ("_dicts", "_faint", "_held", "_left", "_lists", "_noted", "_odd_keys", "_others", "depth")

    def __init__(self, store: Any, depth: int) -> None:
        self.depth = depth
        self._held = read_store(store)
        self._look_anew()

    def _look_anew(self) -> None:
        # What containers held, each with its key; and values that are not kept alive, by key.
        self._lists: list[_List] = []
        self._dicts: list[_Dict] = []
        self._others: list[_Other] = []
        self._faint: dict[str, _Faint | _FaintItems] = {}
        self._noted: set[str] = set()
        self._odd_keys = False
        self._left = _ITEMS_A_STORE
        held = self._held
        if held is None or self.depth <= 0 or len(held) > FULL_LOOK_KEYS:
            return
        for key, value in held.items():
            kind = type(value)
            if kind not in _LIGHT and (kind is not str or len(value) > _HEAVY_LENGTH):
                self._look_into(key, value, kind)
        held.update(self._faint)

    def _look_into(self, key: Any, value: Any, kind: type) -> None:
        """Notes what a container holds, or lets go of a value that would be a burden to keep."""
        if type(key) is str:
            self._noted.add(key)
        else:
            self._odd_keys = True
        few = self.depth == 1 and self._left > 0
        if few and kind is list and len(value) <= _ITEMS_A_VALUE and not _is_burden(value):
            self._lists.append((key, value, value[:]))
            self._left -= len(value)
        elif few and kind is dict and len(value) <= _ITEMS_A_VALUE and not _is_burden(list(value.values())):
            self._dicts.append((key, value, value.copy()))
            self._left -= len(value)
        elif kind in _SIZED:
            if len(value) > _HEAVY_LENGTH and type(key) is str:
                self._faint[key] = _Faint(value, len(value))
        elif not self._look_deeper(key, value) and type(key) is str:
            with suppress(TypeError):  # not every type can be referred to weakly
                self._faint[key] = _Faint(value, None)

    def _look_deeper(self, key: Any, value: Any) -> bool:
        most = min(self._left, _ITEMS_A_VALUE * self.depth)
        items = flatten(value, self.depth, most) if most > 0 else None
        if items is None:
            return False
        self._left -= len(items)
        many = items and type(items[0]) is int and items[0] > _MANY_ITEMS
        if type(key) is str and (many or type(value) not in _CONTAINERS or _is_burden(items)):
            self._faint[key] = _FaintItems(value, items, self.depth, most)
        else:
            self._others.append((key, value, items, most))
        return True

    def move_on(self, store: Any) -> list[Change]:
        """Moves on to the store as it is now.

        Returns:
            What has changed in the store meanwhile.
        """
        before = self._held
        self._held = now = read_store(store)
        if before is None or now is None:
            self._look_anew()
            return []
        # Keys stay in order and new ones come last, so that nearly always one pass finds what changed.
        if len(now) >= len(before) and all(map(is_, before, now)):
            changes: list[Change] = [
                (MODIFIED, key, new)
                for key, old, new in zip(now, before.values(), now.values(), strict=False)
                if old is not new and not _same(old, new)
            ]
            if len(now) > len(before):
                changes.extend((ADDED, key, new) for key, new in islice(now.items(), len(before), None))
        else:
            changes = _compare_keys(before, now)
        self._find_changes_in_place(now, changes)
        if changes:
            self._look_again(now, changes)
        if self._faint:
            now.update(self._faint)
        return changes

    def _find_changes_in_place(self, now: _Store, changes: list[Change]) -> None:
        for key, list_, items in self._lists:
            if (len(list_) != len(items) or not all(map(is_, list_, items))) and _still_there(now, key, list_):
                changes.append((MODIFIED, key, list_))
        for key, dict_, copy in self._dicts:
            if (len(dict_) != len(copy) or not _dict_kept(dict_, copy)) and _still_there(now, key, dict_):
                changes.append((MODIFIED, key, dict_))
        for key, value, items, most in self._others:
            if not self._items_kept(value, items, most) and _still_there(now, key, value):
                changes.append((MODIFIED, key, value))

    def _items_kept(self, value: Any, items: list[Any], most: int) -> bool:
        after = flatten(value, self.depth, most)
        return after is not None and len(after) == len(items) and all(map(_unchanged, items, after))

    def _look_again(self, now: _Store, changes: list[Change]) -> None:
        """Looks into what is new, and forgets what was noted of the values before."""
        noted = self._noted
        for _, key, value in changes:
            if type(key) is not str or key in noted or not (type(value) in _LIGHT or _is_short(value)):
                break
        else:
            return  # nothing to forget, and nothing to look into: the common case
        if self._odd_keys or any(type(key) is not str for _, key, _ in changes):
            self._look_anew()
            return
        keys = {key for _, key, _ in changes}
        if not keys.isdisjoint(noted):
            self._lists = [list_ for list_ in self._lists if list_[0] not in keys]
            self._dicts = [dict_ for dict_ in self._dicts if dict_[0] not in keys]
            self._others = [other for other in self._others if other[0] not in keys]
            held = (
                [list_[2] for list_ in self._lists],
                [dict_[2] for dict_ in self._dicts],
                [o[2] for o in self._others],
            )
            self._left = _ITEMS_A_STORE - sum(len(items) for kind in held for items in kind)
            for key in keys & self._faint.keys():
                del self._faint[key]
        if self.depth > 0 and len(now) <= FULL_LOOK_KEYS:
            for change, key, value in changes:
                if change is not REMOVED and type(value) not in _LIGHT and not _is_short(value):
                    self._look_into(key, value, type(value))


def _is_short(value: Any) -> bool:
    return type(value) is str and len(value) <= _HEAVY_LENGTH


def _dict_kept(value: dict[Any, Any], copy: dict[Any, Any]) -> bool:
    try:
        return all(map(is_, value.values(), copy.values())) and all(map(is_, value, copy))
    except RuntimeError:  # another thread changes it right now
        return False


def _unchanged(old: Any, new: Any) -> bool:
    return old is new or (type(old) is int and type(new) is int and old == new)


def _still_there(now: _Store, key: Any, value: Any) -> bool:
    """Whether a key still leads to a container; if not, it has been reported as exchanged or removed."""
    # Looked up by identity where the key is no text: its hash is the user's code.
    return (now.get(key) if type(key) is str else _by_identity(now, key)) is value


def _by_identity(store: _Store, key: Any) -> Any:
    return next((value for other, value in store.items() if other is key), _MISSING)


def _same(old: Any, new: Any) -> bool:
    """Whether two different objects are the same value, as far as that is to be told without user code."""
    kind = type(old)
    if kind is _Faint or kind is _FaintItems:
        return bool(old.is_still(new))
    if kind is not type(new) or kind not in _SCALARS:
        return False
    if kind in _SIZED and len(old) > _COMPARED_LENGTH:
        return False
    return bool(old == new)


def _compare_keys(before: _Store, now: _Store) -> list[Change]:
    """Compares stores whose keys differ. Of a key that is no text the hash is the user's code: its identity counts."""
    changes: list[Change] = []
    olds = {key if type(key) is str else _Key(key): value for key, value in before.items()}
    for key, new in now.items():
        old = olds.pop(key if type(key) is str else _Key(key), _MISSING)
        if old is _MISSING:
            changes.append((ADDED, key, new))
        elif old is not new and not _same(old, new):
            changes.append((MODIFIED, key, new))
    changes.extend((REMOVED, key.key if type(key) is _Key else key, None) for key in olds)
    return changes


class _Key:
    __slots__ = ("_identity", "key")

    def __init__(self, key: Any) -> None:
        self.key = key
        # Numbers and tuples of text come as equal but different objects.
        self._identity: Any = (type(key), key) if type(key) in _SCALARS else id(key)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Key and bool(self._identity == other._identity)


# What a container holds, at most `most` of it, with its length: enough to tell that it changed.
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
    return [length, *(byte for piece in _sample_of(value, length) for byte in piece[:4])][: most + 1]


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
    reader = _READERS.get(type(value)) or _reader_of(type(value))
    try:
        items = reader(value, most) if reader is not None else _parts(value, most) if depth > 1 else None
    except RuntimeError:  # another thread changes it right now
        return [object()]
    if items is None or depth <= 1:
        return items
    nested = [
        inner
        for item in items
        if type(item) not in _SCALARS
        for inner in flatten(item, depth - 1, max(most // max(len(items), 1), 4)) or ()
    ]
    return items + nested[: most * depth]


def _parts(value: Any, most: int) -> list[Any] | None:
    if issubclass(type(value), tuple):
        return _read_tuple(value, most)
    attributes = instance_attributes(value)
    return _read_dict(attributes, most) if dict.__len__(attributes) else None
