"""The events of a YAML text, by libyaml: what begins, stands and ends where."""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.error import Mark as YamlMark
    from yaml.error import MarkedYAMLError

    from pocketflow_otel.runtime.documents.places import Mark

_NO_BEGINNING: Final = frozenset("@`%*&|>")
_SURROGATES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class SyntaxProblem(Exception):  # noqa: N818 - it names what it is about
    """A text that is no YAML.

    Attributes:
        mark: Where it goes wrong.
        message: Why.
    """

    def __init__(self, mark: Mark, message: str) -> None:
        self.mark, self.message = mark, message
        super().__init__(message)


def events(text: str) -> Iterator[Any]:
    """The parser's events.

    Raises:
        SyntaxProblem: The text is no YAML.
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
        raise SyntaxProblem(at, _not_yaml(error, text)) from None
    except ReaderError as error:
        raise SyntaxProblem(_mark_of(text, error.position), _unreadable(text, error.position)) from None
    except UnicodeEncodeError as error:
        raise SyntaxProblem(_mark_of(text, error.start), _unreadable(text, error.start)) from None


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


class Shifts:
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


def without_surrogates(text: str) -> tuple[str, Shifts]:
    r"""JSON writes characters beyond U+FFFF as two escapes, ``\ud83d\ude00``, which YAML doesn't know."""
    if not _SURROGATES.search(text) or not _is_json(text):
        return text, Shifts([])
    marks: list[int] = []

    def one(match: re.Match[str]) -> str:
        high, low = int(match[2], 16), int(match[3], 16)
        index = match.start() + len(match[1]) - 2 * len(marks)
        marks.append(index)
        return f"{match[1]}\\U{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):08X}"

    replaced = _SURROGATES.sub(one, text)
    lines = [0, *(found.end() for found in re.finditer("\n", replaced))]
    return replaced, Shifts([_mark_among(lines, index) for index in marks])


def _mark_among(lines: list[int], index: int) -> Mark:
    line = bisect_right(lines, index)
    return line, index - lines[line - 1] + 1


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
