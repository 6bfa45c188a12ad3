"""Reads YAML 1.2, of which JSON is a part, into plain values, and notes where each of them stands.

It goes by the events of libyaml's parser: one at a time, so that text which is made to take long is left at the first
event too many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from pocketflow_otel.runtime.documents.events import Shifts, SyntaxProblem, events, without_surrogates
from pocketflow_otel.runtime.documents.places import Mark, Place, Places, mark_of
from pocketflow_otel.runtime.documents.scalars import OF_CONTAINERS, ScalarError, resolve, tagged

MAX_LENGTH: Final = 4 * 1024 * 1024
"""Characters of a document."""
MAX_DEPTH: Final = 64
"""Lists and mappings inside one another."""
MAX_VALUES: Final = 200_000
"""Values of a document, those of an alias counted wherever it stands."""
MAX_EXPANDED: Final = 4 * MAX_LENGTH
"""Characters of all texts, those of an alias counted wherever it stands."""
MAX_PROBLEMS: Final = 100
"""After so many, reading ends."""

_BYTE_ORDER_MARK: Final = "\ufeff"
_MERGE: Final = "<<"
_TAG_DIRECTIVE: Final = re.compile(r"^%TAG", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a text.

    Attributes:
        mark: Where.
        path: The value it is about, as far as it is known.
        message: What.
        is_unknown: Whether it can't be told what that value was meant to be.
    """

    mark: Mark
    path: tuple[str | int, ...]
    message: str
    is_unknown: bool = False


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
    reader = _Reader(text.removeprefix(_BYTE_ORDER_MARK))
    try:
        whole = reader.read()
    except RecursionError:  # of the parser in Python, where libyaml's is missing
        whole = reader.stop(0, f"it is nested too deeply; {MAX_DEPTH} levels are read")
    root = reader.root or _Made(None, Place(0, 0), 1, 0)
    return Read(root.value, Places(root.place, reader.text, root.value), tuple(reader.problems), whole)


@dataclass(slots=True)
class _Made:
    """A value that is complete, and what it amounts to where it is repeated."""

    value: Any
    place: Place
    values: int
    length: int


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read.

    Attributes:
        value: It, as far as it has been read.
        place: Where it stands.
        anchor: What aliases call it.
        values: How many values it has.
        length: How many characters its texts have.
        key: Of a mapping: the key whose value comes next.
        key_at: Where that stands.
        keeps: Whether the value is kept.
        merges: What stands behind merge keys.
    """

    value: dict[str, Any] | list[Any]
    place: Place
    anchor: str | None
    values: int = 1
    length: int = 0
    key: str | None = None
    key_at: int = 0
    keeps: bool = True
    merges: list[_Made] = field(default_factory=list)


class _Stop(Exception):  # noqa: N818 - nothing has failed
    """There is no going on."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.root: _Made | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, _Made] = {}
        self._documents = 0
        self._shifts: Shifts = Shifts([])

    def read(self) -> bool:
        if len(self.text) > MAX_LENGTH:
            return self.stop(0, f"it has {len(self.text)} characters; at most {MAX_LENGTH} are read")
        if tag := _TAG_DIRECTIVE.search(self.text):
            return self.stop(tag.start(), "tags have no meaning here")
        text, self._shifts = without_surrogates(self.text)
        try:
            for event in events(text):
                self._take(event)
        except _Stop:
            return False
        except SyntaxProblem as problem:
            return self.stop(self._shifts.back(problem.index), problem.message)
        return True

    def stop(self, index: int, message: str) -> bool:
        self.problems.append(Problem(mark_of(self.text, index), self._path(), message))
        return False

    def _note(self, index: int, message: str, key: str | None = None, *, is_unknown: bool = False) -> None:
        path = self._path() if key is None else (*self._path(), key)
        self.problems.append(Problem(mark_of(self.text, index), path, message, is_unknown))
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
        at = self._shifts.back(event.start_mark.index)
        if kind == "ScalarEvent":  # by far the most
            self._scalar(event, at)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            self._begin(event, at, {} if kind == "MappingStartEvent" else [])
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self._end()
        elif kind == "AliasEvent":
            self._alias(event.anchor, at)
        elif kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                self._open.clear()
                self.stop(at, "a second document begins here; a file holds one")
                raise _Stop

    def _scalar(self, event: Any, at: int) -> None:
        value: Any = event.value
        try:
            if event.tag is not None:
                value = tagged(event.tag, value)
            elif event.implicit[0]:
                value = resolve(value)
        except ScalarError as error:
            self._note(at, str(error), is_unknown=True)
        around = self._open[-1] if self._open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            self._take_key(around, value, at, merges=event.implicit[0] and event.value == _MERGE)
            return
        length = len(value) if isinstance(value, str) else 0
        place = Place(at, at, self._shifts.back(event.end_mark.index))
        self._add(_Made(value, place, 1, length), event.anchor)

    def _take_key(self, around: _Open, key: Any, at: int, *, merges: bool) -> None:
        around.keeps = isinstance(key, str) and not merges
        if not isinstance(key, str):
            self._note(at, f"a key has to be a text, not {_shown_scalar(key)}: put it in quotes")
            key = _shown_scalar(key)
        elif key in around.value:
            place = (around.place.inside or {}).get(key)
            first = mark_of(self.text, place.key)[0] if place else 0
            self._note(at, f"the key {key[:60]!r} stands here twice, first in line {first}", key)
        around.key, around.key_at = key, at

    def _begin(self, event: Any, at: int, value: dict[str, Any] | list[Any]) -> None:
        around = self._open[-1] if self._open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            self.stop(at, "a key has to be a text, not a list or a mapping")
            raise _Stop
        if len(self._open) >= MAX_DEPTH:
            self.stop(at, f"it is nested too deeply; {MAX_DEPTH} levels are read")
            raise _Stop
        if event.tag is not None and event.tag != OF_CONTAINERS[type(value)]:
            self._note(at, f"the tag {event.tag} has no meaning here: write the value without it", is_unknown=True)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._open.append(_Open(value, Place(at, at, inside={}), event.anchor))

    def _end(self) -> None:
        done = self._open.pop()
        for merged in done.merges:
            self._merge(done, merged)
        self._add(_Made(done.value, done.place, done.values, done.length), done.anchor)

    def _alias(self, anchor: str, at: int) -> None:
        if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
            self.stop(at, "a key has to be a text, not an alias")
            raise _Stop
        made = self._anchors.get(anchor)
        if made is None:
            inside = any(around.anchor == anchor for around in self._open)
            why = "stands inside what it names" if inside else "names nothing that was written before it"
            self._note(at, f"the alias *{anchor} {why}", is_unknown=True)
            made = _Made(None, Place(at, at), 1, 0)
        self._add(_Made(made.value, Place(at, at, at, made.place.inside), made.values, made.length), None)

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
        if isinstance(around.value, list):
            step: str | int = len(around.value)
            around.value.append(made.value)
        else:
            step = around.key or ""
            place.key = around.key_at
            around.key = None
            if not around.keeps:
                if step == _MERGE:
                    self._take_merged(around, made)
                return
            around.value[step] = made.value
        if around.place.inside is not None:
            around.place.inside[step] = place

    def _take_merged(self, around: _Open, made: _Made) -> None:
        """Takes what stands behind a merge key: a mapping, or a list of mappings of which the first go before."""
        value, place = made.value, made.place
        if isinstance(value, list):
            insides = place.inside or {}
            parts = [_Made(item, insides[number], 0, 0) for number, item in enumerate(value)]
        else:
            parts = [made]
        for part in parts:
            if isinstance(part.value, dict):
                around.merges.append(part)
            elif not self.text.startswith("*", part.place.value) or part.value is not None:  # else told already
                self._note(part.place.value, "behind a merge key (<<) stands a mapping, or a list of mappings")

    def _merge(self, done: _Open, merged: _Made) -> None:
        """Adds the fields of another mapping that are not there yet: they stand where they were written."""
        for key, value in merged.value.items():
            if key not in done.value and isinstance(done.value, dict):
                done.value[key] = value
                if done.place.inside is not None and merged.place.inside:
                    done.place.inside[key] = merged.place.inside[key]

    def _check_size(self, grown: _Open, at: int) -> None:
        if grown.values > MAX_VALUES:
            self.stop(at, f"it has more than {MAX_VALUES} values, those of aliases counted wherever they stand")
            raise _Stop
        if grown.length > MAX_EXPANDED:
            self.stop(
                at,
                f"its texts have more than {MAX_EXPANDED} characters, those of aliases counted wherever they stand",
            )
            raise _Stop


def _shown_scalar(value: float | bool | None) -> str:
    return "null" if value is None else str(value).lower()
