"""Collects the faults of one document, each at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.faults import Fault, nearest
from pocketflow_otel.runtime.documents.places import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.runtime.documents.graph import Use
    from pocketflow_otel.runtime.documents.places import Mark, Path, Places

MAX_FAULTS: Final = 200
"""Faults that are kept of one document: nobody reads more, and a document made for it has hundreds of thousands."""
_MAX_COMPARED: Final = 200_000
"""Names that are compared to find the nearest ones: more than ten thousand take 50 ms."""
_LONGEST: Final = 200


class Findings:
    """The faults of a document.

    Args:
        file: What the document is called.
        places: Where its parts stand.

    Attributes:
        unsound: Parts of which nothing is known, for they are wrong: what is found at them, or in them, is no fault of
            its own.
    """

    def __init__(self, file: str, places: Places) -> None:
        self.file = file
        self._places = places
        self._faults: dict[tuple[Path, str], Fault] = {}
        self.unsound: set[Path] = set()
        self._left_out = 0
        self._compared = 0

    def __iter__(self) -> Iterator[Fault]:
        yield from self._faults.values()
        if self._left_out:
            last = max(self._faults.values())
            yield Fault(self.file, last.line, last.column, "…", f"{self._left_out} more faults are not listed")

    def __len__(self) -> int:
        return len(self._faults)

    def at_value(self, path: Path, message: str, near: str | None = None) -> None:
        """Adds a fault of a value.

        Args:
            path: The value's.
            message: What is wrong, and what was expected.
            near: The nearest valid name.
        """
        if self._is_wanted(path):
            self.add(self._places.value(path), path, message, near)

    def within(self, path: Path, offset: int, message: str, near: str | None = None) -> None:
        """Adds a fault of a part of a text: it is told where that part stands.

        Args:
            path: The text's.
            offset: The character at which the part begins, from 0.
            message: As of `at_value`.
            near: Likewise.
        """
        if self._is_wanted(path):
            self.add(self._places.within(path, offset), path, message, near)

    def at_use(self, use: Use, message: str, near: str | None = None) -> None:
        """Adds a fault of a reference. That it stands in a text several times is told once."""
        self.within(use.path, use.reference.offset, message, near)

    def at_key(self, path: Path, message: str, near: str | None = None) -> None:
        """Adds a fault of a key, or of a whole part of the document: it is told where its key stands."""
        if self._is_wanted(path):
            self.add(self._places.key(path), path, message, near)

    def add(self, mark: Mark, path: Path, message: str, near: str | None = None) -> None:
        """Adds a fault at a place that is known."""
        if len(self._faults) >= MAX_FAULTS:
            self._left_out += 1
            return
        text = written(path)
        cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        self._faults.setdefault((path, message), Fault(self.file, *mark, cut, message, near))

    @property
    def overflows(self) -> bool:
        """Whether there are more faults than are kept."""
        return self._left_out > 0

    def _is_wanted(self, path: Path) -> bool:
        if self.unsound and any(path[:length] in self.unsound for length in range(len(path) + 1)):
            return False
        if len(self._faults) >= MAX_FAULTS:
            self._left_out += 1  # nobody asks where it stands
            return False
        return True

    def leave_out(self, number: int) -> None:
        """Counts faults that nobody has looked at."""
        self._left_out += number

    def near(self, name: str, names: Iterable[str]) -> str | None:
        """The name that one was probably meant to be. After many faults, none is looked for any more."""
        if len(name) > _LONGEST or self._compared > _MAX_COMPARED:
            return None
        candidates = [candidate for candidate in names if candidate != name]
        self._compared += len(candidates)
        return nearest(name, candidates)
