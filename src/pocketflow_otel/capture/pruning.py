"""Makes a small copy of any value, of what JSON can hold, in a time that does not depend on how large the value is."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from pocketflow_otel.capture.containers import is_one_of
from pocketflow_otel.capture.inspection import attributes, class_name, dict_items, elements, named_fields
from pocketflow_otel.capture.redaction import MASK, Redactor, SeenSecrets, remember
from pocketflow_otel.capture.scalars import exception_text, integer, member_text, number, other_text
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.windows import MARGIN, encodable, first_bytes, masked_head

ELLIPSIS: Final = "…"
LONGEST_KEY: Final = 128
_DEEPEST: Final = 6
_MOST_ITEMS: Final = 64
# Bytes: what a child is given at least, and what "… 12 more" takes.
_LEAST_ROOM: Final = 40
_LEAST_FOR_LARGE: Final = 96
_NOTE: Final = 28
_SEPARATORS: Final = 2
_CONSTANT: Final = 5
_NUMBER: Final = 20
_SMALL: Final = 64
_NEEDS: Final = {int: 10, float: 20, bool: 5, type(None): 5}
_TELLING_INT: Final = 100_000
_PAIR: Final = 2
_MOST_PARTS: Final = 4
_UNORDERED: Final = frozenset({set, frozenset})
_CONSTANTS: Final = frozenset({type(None), bool})

Node = Any
"""What a value became: text, numbers, lists and dicts with texts as keys."""


class TooLargeError(Exception):
    """A value does not fit into its room as a whole."""


class Pruner:
    """Prunes one value.

    Args:
        redactor: Tells what to mask.
        seen: The secrets met so far.
        masking: Whether texts are masked. Without it they are only collected in `texts`, so that one look over all of
            them tells whether there is anything to mask.

    Attributes:
        texts: All texts of the value that were looked at.
        truncated: Whether anything was left out.
    """

    _least_room = _LEAST_ROOM
    __slots__ = ("_masking", "_path", "_redactor", "_seen", "texts", "truncated")

    def __init__(self, redactor: Redactor, seen: SeenSecrets, *, masking: bool) -> None:
        self._redactor = redactor
        self._seen = seen
        self._masking = masking
        self._path: list[int] = []
        self.texts: list[str] = []
        self.truncated = False

    def prune(self, value: Any, room: int, key: str | None = None) -> tuple[Node, int]:
        """A value in so much room.

        Args:
            value: Anything.
            room: Bytes of JSON to aim at.
            key: The name it stands under.

        Returns:
            The pruned value, and about how many bytes it takes.
        """
        kind = type(value)
        render = _EXACT.get(kind) if type(kind) is type else None
        if render is None:
            render = next((render for base, render in _BASES if issubclass(kind, base)), Pruner.instance)
        return render(self, value, room, key)

    def text(self, text: str, room: int, key: str | None = None) -> tuple[str, int]:
        """A text in so much room, cut and masked."""
        length = str.__len__(text)
        limit = length if length + 2 <= room else max(0, room) + MARGIN
        window = encodable(str.__getitem__(text, slice(limit)))
        shown = self._masked(window, key, cut=limit < length)
        size = _size(shown)
        if limit >= length and size <= room:
            return shown, size
        self._leave_out()
        kept = first_bytes(shown, max(0, room - _NOTE) * _utf8_length(shown) // max(1, size - 2))
        kept = f"{kept}{ELLIPSIS} {max(1, length - len(kept))} more chars"
        return kept, _size(kept)

    def key(self, key: Any) -> str:
        """The key of a dict as text, cut and masked."""
        text = key if type(key) is str else key_text(key)
        if len(text) <= LONGEST_KEY and not self._masking and text.isascii():
            self.texts.append(text)
            return text
        limit = len(text) if len(text) <= LONGEST_KEY else LONGEST_KEY + MARGIN
        shown = self._masked(encodable(text[:limit]), None, cut=limit < len(text))
        if len(shown) <= LONGEST_KEY and limit == len(text):
            return shown
        self._leave_out()
        return shown[: LONGEST_KEY - 1] + ELLIPSIS

    def _leave_out(self) -> None:
        self.truncated = True

    def _masked(self, window: str, key: str | None, *, cut: bool) -> str:
        if not self._masking:
            if cut:
                window = window[: self._seen.cut_at_end(window, MARGIN)]
            self.texts.append(window)
            return window
        if cut:
            return masked_head(window, self._redactor, self._seen, key)
        return self._redactor.text(window, self._seen, key)

    def number(self, value: int, room: int, key: str | None) -> tuple[Node, int]:
        """An int; as text where JSON readers would not bear it."""
        if -_TELLING_INT < value < _TELLING_INT:
            return value, value.bit_length() // 3 + 2
        node = integer(value)
        text, size = self.text(str(node), max(room, _NUMBER), key)
        # A number is left a number, unless it is a secret that was seen before.
        return (node, size) if text == str(node) else (text, size)

    def sequence(self, value: Any, length: int, room: int) -> tuple[Node, int]:
        """A list, tuple, set or deque of so many elements in so much room."""
        if not self._enter(value, length, room):
            return self._closed(value, length)
        items = elements(value, _MOST_ITEMS) or []
        if is_one_of(type(value), _UNORDERED) and len(items) == length and all(type(item) is str for item in items):
            items.sort()
        shown = self._list(items, length, room)
        self._path.pop()
        return shown

    def mapping(self, value: Any, length: int, items: list[tuple[Any, Any]], room: int) -> tuple[Node, int]:
        """What has names, the first of which are given, in so much room."""
        if not self._enter(value, length, room):
            return self._closed(value, length)
        shown = self._dict(items, length, room)
        self._path.pop()
        return shown

    def _list(self, items: list[Any], length: int, room: int) -> tuple[Node, int]:
        shares = _Shares(items, room - 2 - _NOTE)
        shown: list[Node] = []
        named = False
        for item in items:
            share = shares.next(item)
            node, size = self.secret(item) if named else self.prune(item, share)
            named = self._names_next(item, length)
            if not shares.take(size + 1, last=len(shown) + 1 == length) and shown:
                break
            shown.append(node)
        if len(shown) < length:
            self._leave_out()
            shown.append(f"{ELLIPSIS} {length - len(shown)} more")
            shares.left -= _NOTE
        return shown, room - _NOTE - shares.left

    def _dict(self, items: list[tuple[Any, Any]], length: int, room: int) -> tuple[Node, int]:
        keys = [self.key(name) for name, _ in items]
        left = room - 2 - _NOTE
        fitting = 0
        for key in keys:
            left -= _size(key) + _SEPARATORS
            if left < 0 and fitting:
                break
            fitting += 1
        items = items[:fitting]
        shares = _Shares([item for _, item in items], left)
        shown: dict[str, Node] = {}
        for (name, item), key in zip(items, keys, strict=False):
            share = shares.next(item)
            node, size = self._named(name, item, share)
            if not shares.take(size, last=len(shown) + 1 == length) and shown:
                break
            shown[_unused(key, shown)] = node
        if len(shown) < length:
            self._leave_out()
            shown[_unused(ELLIPSIS, shown)] = f"{length - len(shown)} more"
            shares.left -= _NOTE
        return shown, room - _NOTE - shares.left

    def _named(self, name: Any, item: Any, room: int) -> tuple[Node, int]:
        if type(name) is not str:
            return self.prune(item, room)
        return self.secret(item) if self._redactor.is_secret_name(name) else self.prune(item, room, name)

    def _names_next(self, item: Any, length: int) -> bool:
        # Of two the first may be the name of the second, as with headers and items; on command lines "--name" is.
        return type(item) is str and (length == _PAIR or item[:2] == "--") and self._redactor.is_name_of_secret(item)

    def _enter(self, value: Any, length: int, room: int) -> bool:
        if not length or len(self._path) >= _DEEPEST or room < self._least_room or id(value) in self._path:
            return False
        self._path.append(id(value))
        return True

    def _closed(self, value: Any, length: int) -> tuple[Node, int]:
        if not length:
            return ({} if issubclass(type(value), dict) else []), 2
        if id(value) in self._path:
            return f"{ELLIPSIS} cycle", _NOTE
        self._leave_out()
        text = f"{ELLIPSIS} {shape(value)}"
        return text, _size(text)

    def instance(self, value: Any, room: int, key: str | None) -> tuple[Node, int]:
        """An object by its public attributes, under the name of its class; without any, by its type."""
        items = attributes(value, _MOST_ITEMS)
        public = [item for item in items or () if type(item[0]) is str and item[0][:1] != "_"]
        if not public:
            return self.text(other_text(value), room, key)
        return self._labelled(value, public, room)

    def tuple_(self, value: Any, room: int, _: str | None) -> tuple[Node, int]:
        """A named tuple under the name of its class, another tuple as a list."""
        fields = named_fields(value)
        if not fields:
            return self.sequence(value, tuple.__len__(value), room)
        return self._labelled(value, list(zip(fields, elements(value, len(fields)) or (), strict=False)), room)

    def secret(self, value: Any) -> tuple[Node, int]:
        """A value that is a secret: remembered, and masked as a whole."""
        # That there is no secret is none, and worth knowing.
        if is_one_of(type(value), _CONSTANTS) or (type(value) is str and not value):
            return value, _CONSTANT
        remember(value, self._redactor, self._seen, secret=True)
        return MASK, _size(MASK)

    def _labelled(self, value: Any, items: list[tuple[Any, Any]], room: int) -> tuple[Node, int]:
        label = f"<{class_name(type(value))}>"
        node, size = self.mapping(value, len(items), items[:_MOST_ITEMS], room - len(label) - _SEPARATORS)
        return ({label: node} if type(node) is dict else node), size + _size(label) + _SEPARATORS


class WholePruner(Pruner):
    """Copies a value that fits into its room as a whole, and gives up with `TooLargeError` on one that does not.

    Most values do fit; these are spared the dividing of the room.
    """

    __slots__ = ()
    _least_room = 0

    def text(self, text: str, room: int, key: str | None = None) -> tuple[str, int]:
        """A text, masked."""
        size = str.__len__(text) + 2
        if size > room:
            raise TooLargeError
        if self._masking or type(text) is not str or not text.isascii():
            return super().text(text, room, key)
        self.texts.append(text)
        return text, size

    def _leave_out(self) -> None:
        raise TooLargeError

    def _list(self, items: list[Any], length: int, room: int) -> tuple[Node, int]:
        if len(items) < length:
            raise TooLargeError
        left = room - 2
        shown: list[Node] = []
        named = False
        for item in items:
            node, size = self.secret(item) if named else self.prune(item, left)
            named = self._names_next(item, length)
            shown.append(node)
            left -= size + 1
        return self._fitting(shown, room, left)

    def _dict(self, items: list[tuple[Any, Any]], length: int, room: int) -> tuple[Node, int]:
        if len(items) < length:
            raise TooLargeError
        left = room - 2
        shown: dict[str, Node] = {}
        for name, item in items:
            key = _unused(self.key(name), shown)
            shown[key], size = self._named(name, item, left)
            left -= len(key) + 2 + _SEPARATORS + size
        return self._fitting(shown, room, left)

    def _fitting(self, shown: Node, room: int, left: int) -> tuple[Node, int]:
        # The last item has no comma after it.
        if left < -1:
            raise TooLargeError
        return shown, room - left


class _Shares:
    """Divides the room of a container among its items: what is small takes what it needs, the rest is for the large."""

    __slots__ = ("_large", "_small", "left")

    def __init__(self, items: list[Any], room: int) -> None:
        needs = [_need(item) for item in items]
        self._small = sum(needs)
        self._large = needs.count(0)
        self.left = room

    def next(self, item: Any) -> int:
        """The room of the next item."""
        need = _need(item)
        if need:
            self._small -= need
            return max(_LEAST_ROOM, self.left)
        share = (self.left - self._small) // self._large
        self._large -= 1
        return max(_LEAST_FOR_LARGE, share)

    def take(self, size: int, *, last: bool) -> bool:
        """Takes what an item did need; whether there was so much. The last may have the room for what is left out."""
        self.left -= size
        return self.left >= (-_NOTE if last else 0)


def _need(item: Any) -> int:
    kind = type(item)
    if kind is str:
        return len(item) + 3 if len(item) <= _SMALL else 0
    return _NEEDS.get(kind, 0) if type(kind) is type else 0


def key_text(key: Any, depth: int = 1) -> str:
    """The key of a dict as text: scalars, and tuples of them, as they are written; others by their class."""
    kind = type(key)
    if issubclass(kind, str):
        return str.__getitem__(key, slice(LONGEST_KEY + MARGIN + 1))
    if is_one_of(kind, _CONSTANTS) or kind is float:
        return str(key)
    if kind is int:
        return str(integer(key))
    if kind is tuple and depth:
        parts = [key_text(part, depth - 1) for part in key[:_MOST_PARTS]]
        return f"({', '.join(parts + [ELLIPSIS] * (len(key) > _MOST_PARTS))})"
    return member_text(key) if issubclass(kind, enum.Enum) else other_text(key)


def _unused(key: str, keys: dict[str, Node]) -> str:
    if key not in keys:
        return key
    count = 2
    while f"{key} #{count}" in keys:
        count += 1
    return f"{key} #{count}"


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _size(text: str) -> int:
    if len(text) <= _SMALL:
        return _utf8_length(text) + 2
    return _utf8_length(text) + 2 + text.count('"') + text.count("\\") + text.count("\n")


_Render = Callable[[Pruner, Any, int, str | None], tuple[Node, int]]
_EXACT: Final[dict[type, _Render]] = {
    str: lambda pruner, value, room, key: pruner.text(value, room, key),
    dict: lambda pruner, value, room, _: pruner.mapping(value, len(value), dict_items(value, _MOST_ITEMS), room),
    list: lambda pruner, value, room, _: pruner.sequence(value, len(value), room),
    int: Pruner.number,
    float: lambda _pruner, value, _room, _key: (number(value), _NUMBER),
    bool: lambda _pruner, value, _room, _key: (value, _CONSTANT),
    type(None): lambda _pruner, value, _room, _key: (value, _CONSTANT),
}
# An enumeration's members may be texts and numbers too: as texts they are shown as they are, as numbers by their names.
_BASES: Final[tuple[tuple[type, _Render], ...]] = (
    (str, lambda pruner, value, room, key: pruner.text(value, room, key)),
    (enum.Enum, lambda pruner, value, room, key: pruner.text(member_text(value), room, key)),
    (int, lambda pruner, value, room, key: pruner.number(int.__int__(value), room, key)),
    (float, lambda _pruner, value, _room, _key: (number(float.__float__(value)), _NUMBER)),
    (
        dict,
        lambda pruner, value, room, _: pruner.mapping(value, dict.__len__(value), dict_items(value, _MOST_ITEMS), room),
    ),
    (tuple, Pruner.tuple_),
    (list, lambda pruner, value, room, _: pruner.sequence(value, list.__len__(value), room)),
    (set, lambda pruner, value, room, _: pruner.sequence(value, set.__len__(value), room)),
    (frozenset, lambda pruner, value, room, _: pruner.sequence(value, frozenset.__len__(value), room)),
    (deque, lambda pruner, value, room, _: pruner.sequence(value, deque.__len__(value), room)),
    (BaseException, lambda pruner, value, room, key: pruner.text(exception_text(value, room + MARGIN), room, key)),
)
