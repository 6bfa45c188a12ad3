"""Reads YAML 1.2, of which JSON is a part, into plain values, and notes where each of them stands.

It goes by the events of libyaml's parser: one at a time, so that text which is made to take long is left at the first
event too many.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.places import Mark, Place, Places
from pocketflow_otel.runtime.documents.scalars import ScalarError, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.error import Mark as YamlMark
    from yaml.error import MarkedYAMLError

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

_NO_BEGINNING: Final = frozenset("@`%*&|>")
_SURROGATES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
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
        self._shifts: _Shifts = _Shifts([])

    def read(self, text: str) -> bool:
        if len(text) > MAX_LENGTH:
            return self.stop((1, 1), f"it has {len(text)} characters; at most {MAX_LENGTH} are read")
        if tag := _TAG_DIRECTIVE.search(text):
            return self.stop((text.count("\n", 0, tag.start()) + 1, 1), "tags have no meaning here")
        text, self._shifts = _without_surrogates(text)
        try:
            for event in _events(text):
                self._take(event)
        except _Stop:
            return False
        except _SyntaxProblem as problem:
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


class _SyntaxProblem(Exception):  # noqa: N818 - it names what it is about
    def __init__(self, mark: Mark, message: str) -> None:
        self.mark, self.message = mark, message
        super().__init__(message)


def _events(text: str) -> Iterator[Any]:
    """The parser's events.

    Raises:
        _SyntaxProblem: The text is no YAML.
    """
    from yaml.error import MarkedYAMLError
    from yaml.reader import ReaderError

    try:
        parser = _parser(text)
        while (event := parser.get_event()) is not None:
            yield event
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _SyntaxProblem(at, _not_yaml(error, text)) from None
    except ReaderError as error:
        raise _SyntaxProblem(_mark_of(text, error.position), _unreadable(text, error.position)) from None
    except UnicodeEncodeError as error:
        raise _SyntaxProblem(_mark_of(text, error.start), _unreadable(text, error.start)) from None


def _parser(text: str) -> Any:
    try:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]
    except ImportError:  # there is no libyaml for this Python
        from yaml import SafeLoader

        return SafeLoader(text)
    return CParser(text)


def _not_yaml(error: MarkedYAMLError, text: str) -> str:
    context = f" ({error.context})" if error.context else ""
    return f"it is no YAML: {error.problem}{context}{_hint(error.problem_mark, text)}"


def _hint(mark: YamlMark | None, text: str) -> str:
    """What people mostly have forgotten where a text can't be read."""
    if mark is None:
        return ""
    line = next(itertools.islice(text.splitlines(), mark.line, None), "")
    if line[mark.column : mark.column + 1] in _NO_BEGINNING:
        return f": a text that begins with {line[mark.column]} stands in quotes"
    return ": inside [ ] and { } a text with ${…} stands in quotes" if "${" in line else ""


def _mark_of(text: str, index: int) -> Mark:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def _unreadable(text: str, index: int) -> str:
    code = f"U+{ord(text[index]):04X}" if index < len(text) else "at the end"
    return f"the character {code} is not allowed in a document"


class _Shifts:
    """By what columns were moved, where characters were replaced by fewer: two for each.

    Args:
        marks: Where the replaced ones now stand, in order.
    """

    def __init__(self, marks: list[Mark]) -> None:
        self._marks = marks

    def back(self, mark: Mark) -> Mark:
        """Where something stands in the text as it was."""
        if not self._marks:
            return mark
        line, column = mark
        before = bisect_left(self._marks, mark) - bisect_left(self._marks, (line, 0))
        return line, column + 2 * before


def _without_surrogates(text: str) -> tuple[str, _Shifts]:
    r"""JSON writes characters beyond U+FFFF as two escapes, ``\ud83d\ude00``, which YAML doesn't know."""
    if not _SURROGATES.search(text) or not _is_json(text):
        return text, _Shifts([])
    marks: list[int] = []

    def one(match: re.Match[str]) -> str:
        high, low = int(match[2], 16), int(match[3], 16)
        index = match.start() + len(match[1]) - 2 * len(marks)
        marks.append(index)
        return f"{match[1]}\\U{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):08X}"

    replaced = _SURROGATES.sub(one, text)
    lines = [0, *(found.end() for found in re.finditer("\n", replaced))]
    return replaced, _Shifts([_mark_among(lines, index) for index in marks])


def _mark_among(lines: list[int], index: int) -> Mark:
    from bisect import bisect_right

    line = bisect_right(lines, index)
    return line, index - lines[line - 1] + 1


def _is_json(text: str) -> bool:
    import json

    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
