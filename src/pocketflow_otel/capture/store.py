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

from contextlib import suppress
from itertools import chain, compress, islice
from operator import is_, is_not
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture.containers import CONTAINERS, SCALARS, SIZED, flatten, is_one_of
from pocketflow_otel.capture.faint import HEAVY_LENGTH, Faint, FaintItems, is_burden, unchanged
from pocketflow_otel.capture.reading import Store, read_store

if TYPE_CHECKING:
    from collections.abc import Collection

FULL_LOOK_KEYS: Final = 2_000
_ITEMS_A_VALUE: Final = 32
_ITEMS_A_STORE: Final = 1_024
_MANY_ITEMS: Final = 1_024
_COMPARED_LENGTH: Final = 4_096

# Nothing to look into, and never large. Text may be.
_LIGHT: Final = SCALARS - SIZED
_MISSING: Final = object()
_flat: Final = chain.from_iterable

ADDED: Final = "added"
MODIFIED: Final = "modified"
REMOVED: Final = "removed"

Change = tuple[str, Any, Any]
"""`ADDED`, `MODIFIED` or `REMOVED`; the key; the value there is now (None for one that is gone)."""


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

    __slots__ = ("_dicts", "_faint", "_held", "_items", "_left", "_lengths", "_lists", "_live", "_noted", "_odd_keys",
                 "_others", "_restless", "depth")  # fmt: skip

    def __init__(self, store: Any, depth: int) -> None:
        self.depth = depth
        self._held = read_store(store)
        self._look_anew()
        self._watch_all()

    def _look_anew(self) -> None:
        # What containers held, each with its key; and values that are not kept alive, by key.
        self._lists: list[_List] = []
        self._dicts: list[_Dict] = []
        self._others: list[_Other] = []
        self._faint: dict[str, Faint | FaintItems] = {}
        self._noted: set[str] = set()
        # What was seen to change in place, a list of messages say, is likely to again: it is kept apart, with the key,
        # so that the others need not be gone through for it.
        self._restless: dict[str, tuple[Any, Any] | None] = {}
        self._odd_keys = False
        self._left = _ITEMS_A_STORE
        held = self._held
        if held is None or self.depth <= 0 or len(held) > FULL_LOOK_KEYS:
            return
        for key, value in held.items():
            if not _is_light(value):
                self._look_into(key, value, type(value))
        held.update(self._faint)

    def _watch_all(self) -> None:
        # All that lists and dicts hold in one row, so that one pass tells whether any of it moved: it seldom does.
        dicts = [dict_ for _, dict_, _ in self._dicts]
        live = [list_ for _, list_, _ in self._lists], dicts, [dict_.values() for dict_ in dicts]
        copies = [copy for _, _, copy in self._dicts]
        held = [copy for _, _, copy in self._lists], copies, [copy.values() for copy in copies]
        self._live: list[Collection[Any]] = list(_flat(live))
        self._lengths = [len(copy) for copy in _flat(held)]
        self._items = list(_flat(_flat(held)))

    def _look_into(self, key: Any, value: Any, kind: type) -> None:
        """Notes what a container holds, or lets go of a value that would be a burden to keep."""
        if type(key) is str:
            self._noted.add(key)
        else:
            self._odd_keys = True
        few = self.depth == 1 and self._left > 0
        if few and kind is list and len(value) <= _ITEMS_A_VALUE and not is_burden(value):
            self._keep(key, value, value[:], self._lists)
        elif few and kind is dict and len(value) <= _ITEMS_A_VALUE and not is_burden(list(value.values())):
            self._keep(key, value, value.copy(), self._dicts)
        elif is_one_of(kind, SIZED):
            if len(value) > HEAVY_LENGTH and type(key) is str:
                self._faint[key] = Faint(value, len(value))
        elif not self._look_deeper(key, value) and type(key) is str:
            with suppress(TypeError):  # not every type can be referred to weakly
                self._faint[key] = Faint(value, None)

    def _keep(self, key: Any, value: Any, copy: Any, settled: list[Any]) -> None:
        self._left -= len(copy)
        if type(key) is str and key in self._restless:
            self._restless[key] = value, copy
        else:
            settled.append((key, value, copy))

    def _look_deeper(self, key: Any, value: Any) -> bool:
        most = min(self._left, _ITEMS_A_VALUE * self.depth)
        items = flatten(value, self.depth, most) if most > 0 else None
        if items is None:
            return False
        self._left -= len(items)
        many = items and type(items[0]) is int and items[0] > _MANY_ITEMS
        if type(key) is str and (many or not is_one_of(type(value), CONTAINERS) or is_burden(items)):
            self._faint[key] = FaintItems(value, items, self.depth, most)
        else:
            self._others.append((key, value, items, most))
        return True

    def move_on(self, store: Any) -> list[Change]:
        """Moves on to the store as it is now.

        Returns:
            What has changed in the store meanwhile.
        """
        before = self._held
        self._held = now = store.copy() if type(store) is dict and len(store) <= FULL_LOOK_KEYS else read_store(store)
        if before is None or now is None:
            self._look_anew()
            self._watch_all()
            return []
        changes, looks = _compare(before, now, self._noted)
        if self._moved():
            self._find_changes_in_place(now, changes)
            looks = True
        if self._restless and self._find_changes_of_restless(now, changes):
            looks = True
        if self._others and self._find_changes_elsewhere(now, changes):
            looks = True
        if looks:
            self._look_again(now, changes)
        if self._faint:
            now.update(self._faint)
        return changes

    def is_still(self, store: Any) -> bool:
        """Whether nothing at all has changed; False also where that takes a closer look."""
        held = self._held
        if held is None or self._others or self._faint or type(store) is not dict or len(store) != len(held):
            return False
        try:
            same = all(map(is_, held, store)) and all(map(is_, held.values(), store.values()))
        except RuntimeError:  # another thread changes it right now
            return False
        return same and not self._moved() and all(each is None or _kept(*each) for each in self._restless.values())

    def _moved(self) -> bool:
        live = self._live
        try:
            return list(map(len, live)) != self._lengths or not all(map(is_, _flat(live), self._items))
        except RuntimeError:  # another thread changes a dict right now
            return True

    def _find_changes_in_place(self, now: Store, changes: list[Change]) -> None:
        for key, value, copy in chain(self._lists, self._dicts):
            if not _kept(value, copy) and _still_there(now, key, value):
                changes.append((MODIFIED, key, value))

    def _find_changes_of_restless(self, now: Store, changes: list[Change]) -> bool:
        found = False
        for key, held in self._restless.items():
            if held is not None and not _kept(*held) and _still_there(now, key, held[0]):
                changes.append((MODIFIED, key, held[0]))
                found = True
        return found

    def _find_changes_elsewhere(self, now: Store, changes: list[Change]) -> bool:
        found = False
        for key, value, items, most in self._others:
            if not self._items_kept(value, items, most) and _still_there(now, key, value):
                changes.append((MODIFIED, key, value))
                found = True
        return found

    def _items_kept(self, value: Any, items: list[Any], most: int) -> bool:
        after = flatten(value, self.depth, most)
        return after is not None and len(after) == len(items) and all(map(unchanged, items, after))

    def _look_again(self, now: Store, changes: list[Change]) -> None:
        """Looks into what is new, and forgets what was noted of the values before."""
        if self._odd_keys or any(type(key) is not str for _, key, _ in changes):
            self._look_anew()
            self._watch_all()
            return
        keys, noted = {key for _, key, _ in changes}, self._noted
        settled = len(self._lists) + len(self._dicts)
        if forgets := not keys & noted <= self._restless.keys():
            self._forget(keys)
        for key in keys & self._restless.keys():
            if (restless := self._restless[key]) is not None:
                self._left += len(restless[1])
                self._restless[key] = None
        self._look_into_changed(now, changes)
        if forgets or len(self._lists) + len(self._dicts) != settled:
            self._watch_all()

    def _forget(self, keys: set[str]) -> None:
        """Forgets what was noted under keys; a container there is restless from now on."""
        for key, _, _ in chain(self._lists, self._dicts):
            if key in keys:
                self._restless[key] = None
        if not keys.isdisjoint(self._noted):
            self._lists = [list_ for list_ in self._lists if list_[0] not in keys]
            self._dicts = [dict_ for dict_ in self._dicts if dict_[0] not in keys]
            self._others = [other for other in self._others if other[0] not in keys]
            held = [list_[2] for list_ in self._lists], [dict_[2] for dict_ in self._dicts]
            others = [other[2] for other in self._others], [each[1] for each in self._restless.values() if each]
            self._left = _ITEMS_A_STORE - sum(len(items) for kind in held + others for items in kind)
            for key in keys & self._faint.keys():
                del self._faint[key]

    def _look_into_changed(self, now: Store, changes: list[Change]) -> None:
        if self.depth > 0 and len(now) <= FULL_LOOK_KEYS:
            for change, key, value in changes:
                if change is not REMOVED and not _is_light(value):
                    self._look_into(key, value, type(value))


def _is_light(value: Any) -> bool:
    """Whether there is nothing to look into, and no burden in keeping it."""
    kind = type(value)
    return len(value) <= HEAVY_LENGTH if kind is str else is_one_of(kind, _LIGHT)


def _kept(value: Any, copy: Any) -> bool:
    """Whether a list or dict still holds what its copy does."""
    if len(value) != len(copy):
        return False
    try:
        same = all(map(is_, value, copy))
        return same if type(copy) is list else same and all(map(is_, value.values(), copy.values()))
    except RuntimeError:  # another thread changes it right now
        return False


def _still_there(now: Store, key: Any, value: Any) -> bool:
    """Whether a key still leads to a container; if not, it has been reported as exchanged or removed."""
    # Looked up by identity where the key is no text: its hash is the user's code.
    return (now.get(key) if type(key) is str else _by_identity(now, key)) is value


def _by_identity(store: Store, key: Any) -> Any:
    return next((value for other, value in store.items() if other is key), _MISSING)


def _compare(before: Store, now: Store, noted: Collection[str]) -> tuple[list[Change], bool]:
    """Finds the keys that came, went, or were given another value.

    Returns:
        The changes, and whether there is anything among them to look into, or to forget of what is noted under a key.
    """
    # Keys stay in order and new ones come last, so that nearly always one pass finds what changed.
    if len(now) < len(before) or not all(map(is_, before, now)):
        return _compare_keys(before, now), True
    changes: list[Change] = []
    looks = False
    olds, news = before.values(), now.values()
    for key, old, new in compress(zip(now, olds, news, strict=False), map(is_not, olds, news)):
        kind = type(new)
        # Short text, and what is counted, is by far the most that changes.
        if kind is type(old) and (kind is int or (kind is str and len(new) <= _COMPARED_LENGTH)):
            if old == new:
                continue
        elif same_value(old, new):
            continue
        elif not _is_light(new):
            looks = True
        changes.append((MODIFIED, key, new))
        if type(key) is not str or key in noted:
            looks = True
    for key, new in islice(now.items(), len(before), None) if len(now) > len(before) else ():
        changes.append((ADDED, key, new))
        looks = looks or type(key) is not str or not _is_light(new)
    return changes, looks


def same_value(old: Any, new: Any) -> bool:
    """Whether two different objects are the same value, as far as that is to be told without user code."""
    kind = type(old)
    if kind is type(new):
        return is_one_of(kind, SCALARS) and (kind in _LIGHT or len(old) <= _COMPARED_LENGTH) and bool(old == new)
    return (kind is Faint or kind is FaintItems) and bool(old.is_still(new))


def _compare_keys(before: Store, now: Store) -> list[Change]:
    """Compares stores whose keys differ. Of a key that is no text the hash is the user's code: its identity counts."""
    changes: list[Change] = []
    olds = {key if type(key) is str else _Key(key): value for key, value in before.items()}
    for key, new in now.items():
        old = olds.pop(key if type(key) is str else _Key(key), _MISSING)
        if old is _MISSING:
            changes.append((ADDED, key, new))
        elif old is not new and not same_value(old, new):
            changes.append((MODIFIED, key, new))
    changes.extend((REMOVED, key.key if type(key) is _Key else key, None) for key in olds)
    return changes


class _Key:
    __slots__ = ("_identity", "key")

    def __init__(self, key: Any) -> None:
        self.key = key
        # Numbers and tuples of text come as equal but different objects.
        self._identity: Any = (type(key), key) if is_one_of(type(key), SCALARS) else id(key)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Key and bool(self._identity == other._identity)


# What a container holds, at most `most` of it, with its length: enough to tell that it changed.
