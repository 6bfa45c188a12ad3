"""Where the parts of a document stand in its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""A way into a document: names of fields, and numbers of items from 0."""
Mark = tuple[int, int]
"""Line and column, from 1."""
NOWHERE: Mark = (0, 0)


@dataclass(slots=True)
class Place:
    """Where a value stands, and what is in it.

    Attributes:
        key: Where its key begins; of an item of a list, where the item does.
        value: Where the value begins. Of an alias, where the alias stands.
        inside: The places of what it holds. What an alias holds stands where it was written.
    """

    key: Mark
    value: Mark
    inside: dict[str | int, Place] | None = None


class Places:
    """The places of a whole document.

    Args:
        root: The document's; None where it was no text.
    """

    def __init__(self, root: Place | None = None) -> None:
        self._root = root

    def key(self, path: Path) -> Mark:
        """Where the key of a value stands, or else that of the innermost value around it that has a place."""
        return self._nearest(path).key

    def value(self, path: Path) -> Mark:
        """Where a value stands, or else the innermost value around it that has a place."""
        return self._nearest(path).value

    def _nearest(self, path: Path) -> Place:
        place = self._root or Place(NOWHERE, NOWHERE)
        for step in path:
            inner = (place.inside or {}).get(step)
            if inner is None:
                return place
            place = inner
        return place

    def __iter__(self) -> Iterator[tuple[Path, Place]]:
        """All paths and their places, the document's own first."""
        waiting: list[tuple[Path, Place]] = [((), self._root)] if self._root else []
        while waiting:
            path, place = waiting.pop()
            yield path, place
            waiting.extend(((*path, step), inner) for step, inner in (place.inside or {}).items())


def written(path: Path) -> str:
    """A path as people read it: ``nodes.fetch.with.urls[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
