"""Where the parts of a document stand in its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.documents.spelling import index_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""A way into a document: names of fields, and numbers of items from 0."""
Mark = tuple[int, int]
"""Line and column, from 1."""
NOWHERE: Mark = (0, 0)


@dataclass(slots=True)
class Place:
    """Where a value stands, as numbers of characters from 0, and what is in it.

    Attributes:
        key: Where its key begins; of an item of a list, where the item does.
        value: Where the value begins. Of an alias, where the alias stands.
        end: Where it ends, or further on; known of single values alone.
        inside: The places of what it holds. What an alias holds stands where it was written.
    """

    key: int
    value: int
    end: int = 0
    inside: dict[str | int, Place] | None = None


class Places:
    """The places of a whole document.

    Args:
        root: The document's; None where it was no text.
        text: The text.
        value: What was read from it.
    """

    def __init__(self, root: Place | None = None, text: str = "", value: Any = None) -> None:
        self._root = root
        self._text = text
        self._value = value

    def key(self, path: Path) -> Mark:
        """Where the key of a value stands, or else that of the innermost value around it that has a place."""
        place, _ = self._nearest(path)
        return NOWHERE if place is None else mark_of(self._text, place.key)

    def value(self, path: Path) -> Mark:
        """Where a value stands, or else the innermost value around it that has a place."""
        place, _ = self._nearest(path)
        return NOWHERE if place is None else mark_of(self._text, place.value)

    def within(self, path: Path, offset: int) -> Mark:
        """Where a character of a text stands; or else where the text does.

        Args:
            path: The text's.
            offset: Which of its characters, from 0: of the text as it was read, whatever the document writes for it.
        """
        place, is_there = self._nearest(path)
        if place is None:
            return NOWHERE
        text = self._at(path) if is_there else None
        if not isinstance(text, str):
            return mark_of(self._text, place.value)
        return mark_of(self._text, place.value + index_of(self._text[place.value : place.end], text, offset))

    def __iter__(self) -> Iterator[Path]:
        """The paths of all values that have a place, the document's own first."""
        waiting: list[tuple[Path, Place]] = [((), self._root)] if self._root else []
        while waiting:
            path, place = waiting.pop()
            yield path
            waiting.extend(((*path, step), inner) for step, inner in (place.inside or {}).items())

    def _nearest(self, path: Path) -> tuple[Place | None, bool]:
        """The innermost place on the way to a value, and whether it is the value's own."""
        place = self._root
        for step in path:
            inner = (place.inside or {}).get(step) if place else None
            if inner is None:
                return place, False
            place = inner
        return place, True

    def _at(self, path: Path) -> Any:
        value = self._value
        for step in path:
            value = value[step]
        return value


def mark_of(text: str, index: int) -> Mark:
    r"""The line and column of a character; lines end with ``\n``, ``\r\n`` or ``\r``."""
    line = text.count("\n", 0, index) + text.count("\r", 0, index) - text.count("\r\n", 0, index)
    return line + 1, index - max(text.rfind("\n", 0, index), text.rfind("\r", 0, index))


def written(path: Path) -> str:
    """A path as people read it: ``nodes.fetch.with.urls[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
