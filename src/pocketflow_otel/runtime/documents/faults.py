"""What is wrong with a document: where, what was expected, and what is near."""

from __future__ import annotations

import difflib
import heapq
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        file: The document's file, or ``<document>``.
        line: From 1; 0 where no line can be named.
        column: From 1; 0 likewise.
        path: Where in the document: ``nodes.fetch.with.url``; empty for the document itself.
        message: What is wrong, and what was expected.
        near: The nearest valid name, if any.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    near: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: " if self.line else f"{self.file}: "
        path = f"{self.path}: " if self.path else ""
        hint = f"; did you mean {self.near!r}?" if self.near else ""
        return f"{place}{path}{self.message}{hint}"


class InvalidDocument(ValueError):  # noqa: N818 - it names what it is about
    """A document that cannot be run.

    Attributes:
        faults: All that is wrong with it, in the order of its lines.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: Sequence[Fault] = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


_MANY: Final = 100
_LISTED: Final = 30


def listed(names: Iterable[str]) -> str:
    """Names as messages list them; of many the first ones."""
    few = list(islice(names, _LISTED + 1))
    return ", ".join(few[:_LISTED]) + ", …" * (len(few) > _LISTED)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that one was probably meant to be, or None."""
    candidates = list(names)
    if len(candidates) > _MANY:
        # To compare with ten thousand names takes half a second; a slip leaves most of what is around it.
        candidates = heapq.nlargest(_MANY, candidates, key=lambda one: _shared_ends(name, one))
    found = difflib.get_close_matches(name, candidates, 1, cutoff=0.6)
    return found[0] if found else None


def _shared_ends(name: str, other: str) -> int:
    """How many characters two names begin with and end with alike."""
    return _shared_beginning(name, other) + _shared_beginning(name[::-1], other[::-1])


def _shared_beginning(name: str, other: str) -> int:
    pairs = enumerate(zip(name, other, strict=False))
    return next((index for index, (one, two) in pairs if one != two), min(len(name), len(other)))
