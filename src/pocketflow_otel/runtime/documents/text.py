"""Reads YAML 1.2, of which JSON is a part, into plain values, and notes where each of them stands.

It goes by the events of libyaml's parser: one at a time, so that text which is made to take long is left at the first
event too many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pocketflow_otel.runtime.documents.events import Shifts, SyntaxProblem, events, without_surrogates
from pocketflow_otel.runtime.documents.places import Mark, Place, Places
from pocketflow_otel.runtime.documents.scalars import ScalarError, resolve

MAX_LENGTH: Final = 4 * 1024 * 1024
"""Characters of a document."""
MAX_DEPTH: Final = 64
"""Lists and mappings inside one another."""
MAX_VALUES: Final = 250_000
"""Values of a document, those of an alias counted wherever it stands."""
MAX_EXPANDED: Final = 4 * MAX_LENGTH
"""Characters of all texts, those of an alias counted wherever it stands."""
MAX_PROBLEMS: Final = 100
"""After so many, reading ends."""

_TAG_DIRECTIVE: Final = re.compile(r"^%TAG", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a text.

    Attributes:
        mark: Where.
        path: The value it is about, as far as it is known.
        message: What.
    """

    mark: Mark
    path: tuple[str | int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Read:
    """A text as read.

    Attributes:
        value: Its value: dicts, lists, texts, numbers, booleans and None. What aliases stand for is one object.
        places: Where its parts stand.
        problems: What is wrong with it.
        whole: Whether it was read to its end.
    """

    value: Any
    places: Places
    problems: tuple[Problem, ...]
    whole: bool


def read(text: str) -> Read:
    """Reads a document's text. Raises nothing: what is wrong is in the answer."""
    reader = _Reader()
    try:
        whole = reader.read(text)
    except RecursionError:  # of the parser in Python, where libyaml's is missing
        whole = reader.stop((1, 1), f"it is nested too deeply; {MAX_DEPTH} levels are read")
    root = reader.root or _Made(None, Place((1, 1), (1, 1)), 1, 0)
    return Read(root.value, Places(root.place), tuple(reader.problems), whole)


@dataclass(slots=True)
class _Made:
    """A value that is complete, and what it amounts to where it is repeated."""

    value: Any
    place: Place
    values: int
    length: int


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read. Of a mapping `key` is the key whose value comes next, if it is kept."""

    value: dict[str, Any] | list[Any]
    place: Place
    anchor: str | None
    values: int = 1
    length: int = 0
    key: str | None = None
    key_mark: Mark = (0, 0)
    keeps: bool = True


class _Stop(Exception):  # noqa: N818 - nothing has failed
    """There is no going on."""


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.root: _Made | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, _Made] = {}
        self._documents = 0
        self._shifts: Shifts = Shifts([])

    def read(self, text: str) -> bool:
        if len(text) > MAX_LENGTH:
            return self.stop((1, 1), f"it has {len(text)} characters; at most {MAX_LENGTH} are read")
        if tag := _TAG_DIRECTIVE.search(text):
            return self.stop((text.count("\n", 0, tag.start()) + 1, 1), "tags have no meaning here")
        text, self._shifts = without_surrogates(text)
        try:
            for event in events(text):
                self._take(event)
        except _Stop:
            return False
        except SyntaxProblem as problem:
            return self.stop(self._shifts.back(problem.mark), problem.message)
        return True

    def stop(self, mark: Mark, message: str) -> bool:
        self.problems.append(Problem(mark, self._path(), message))
        return False

    def _note(self, mark: Mark, message: str) -> None:
        self.problems.append(Problem(mark, self._path(), message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Stop

    def _path(self) -> tuple[str | int, ...]:
        """The path of what is read next."""
        steps: list[str | int] = []
        for around in self._open:
            step = len(around.value) if isinstance(around.value, list) else around.key
            if step is None:
                break
            steps.append(step)
        return tuple(steps)

    def _take(self, event: Any) -> None:
        kind = type(event).__name__
        mark = self._shifts.back((event.start_mark.line + 1, event.start_mark.column + 1))
        if kind == "ScalarEvent":
            self._scalar(event, mark)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            self._begin(event, mark, {} if kind == "MappingStartEvent" else [])
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self._end()
        elif kind == "AliasEvent":
            self._alias(event.anchor, mark)
        elif kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                self._open.clear()
                self.stop(mark, "a second document begins here; a file holds one")
                raise _Stop

    def _scalar(self, event: Any, mark: Mark) -> None:
        if event.tag is not None:
            self._note(mark, f"the tag {event.tag} has no meaning here: write the value without it")
        value: Any = event.value
        if event.implicit[0]:
            try:
                value = resolve(value)
            except ScalarError as error:
                self._note(mark, str(error))
        around = self._open[-1] if self._open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            self._take_key(around, value, mark, merges=event.implicit[0] and event.value == "<<")
            return
        length = len(value) if isinstance(value, str) else 0
        self._add(_Made(value, Place(mark, mark), 1, length), event.anchor)

    def _take_key(self, around: _Open, key: Any, mark: Mark, *, merges: bool) -> None:
        around.keeps = isinstance(key, str) and not merges
        if merges:
            self._note(
                mark, "merge keys (<<) are no part of YAML 1.2: write the fields out, or use an alias as a value"
            )
        if not isinstance(key, str):
            self._note(mark, f"a key has to be a text, not {_shown_scalar(key)}: put it in quotes")
            key = _shown_scalar(key)
        elif key in around.value:
            first = around.place.inside[key].key[0] if around.place.inside else 0
            self._note(mark, f"the key {key[:60]!r} stands here twice, first in line {first}")
        around.key, around.key_mark = key, mark

    def _begin(self, event: Any, mark: Mark, value: dict[str, Any] | list[Any]) -> None:
        around = self._open[-1] if self._open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            self.stop(mark, "a key has to be a text, not a list or a mapping")
            raise _Stop
        if len(self._open) >= MAX_DEPTH:
            self.stop(mark, f"it is nested too deeply; {MAX_DEPTH} levels are read")
            raise _Stop
        if event.tag is not None:
            self._note(mark, f"the tag {event.tag} has no meaning here: write the value without it")
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._open.append(_Open(value, Place(mark, mark, {}), event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        self._add(_Made(done.value, done.place, done.values, done.length), done.anchor)

    def _alias(self, anchor: str, mark: Mark) -> None:
        if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
            self.stop(mark, "a key has to be a text, not an alias")
            raise _Stop
        made = self._anchors.get(anchor)
        if made is None:
            inside = any(around.anchor == anchor for around in self._open)
            why = "stands inside what it names" if inside else "names nothing that was written before it"
            self._note(mark, f"the alias *{anchor} {why}")
            made = _Made(None, Place(mark, mark), 1, 0)
        self._add(_Made(made.value, Place(mark, mark, made.place.inside), made.values, made.length), None)

    def _add(self, made: _Made, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = made
        if not self._open:
            self.root = made
            return
        around = self._open[-1]
        place = made.place
        around.values += made.values
        around.length += made.length
        self._check_size(around, place.value)
        inside = around.place.inside
        if isinstance(around.value, list):
            step: str | int = len(around.value)
            around.value.append(made.value)
        else:
            step = around.key or ""
            place.key = around.key_mark
            around.key = None
            if not around.keeps:
                return
            around.value[step] = made.value
        if inside is not None:
            inside[step] = place

    def _check_size(self, grown: _Open, mark: Mark) -> None:
        if grown.values > MAX_VALUES:
            self.stop(mark, f"it has more than {MAX_VALUES} values, those of aliases counted wherever they stand")
            raise _Stop
        if grown.length > MAX_EXPANDED:
            self.stop(
                mark,
                f"its texts have more than {MAX_EXPANDED} characters, those of aliases counted wherever they stand",
            )
            raise _Stop


def _shown_scalar(value: float | bool | None) -> str:
    return "null" if value is None else str(value).lower()
