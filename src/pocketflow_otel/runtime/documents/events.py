"""The events of a YAML text, by libyaml: what begins, stands and ends where."""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.error import Mark as YamlMark
    from yaml.error import MarkedYAMLError

_NO_BEGINNING: Final = frozenset("@`%*&|>")
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SURROGATES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class SyntaxProblem(Exception):  # noqa: N818 - it names what it is about
    """A text that is no YAML.

    Attributes:
        index: The character at which it goes wrong, from 0.
        message: Why.
    """

    def __init__(self, index: int, message: str) -> None:
        self.index, self.message = index, message
        super().__init__(message)


def events(text: str) -> Iterator[Any]:
    """The parser's events.

    Raises:
        SyntaxProblem: The text is no YAML.
    """
    from yaml.error import MarkedYAMLError

    # Asked here: libyaml counts bytes up to such a one, the parser in Python characters.
    if (found := _FORBIDDEN.search(text)) is not None:
        raise SyntaxProblem(found.start(), f"the character U+{ord(found[0]):04X} is not allowed in a document")
    try:
        parser = _parser(text)
        while (event := parser.get_event()) is not None:
            yield event
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SyntaxProblem(mark.index if mark else 0, _not_yaml(error, text)) from None


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


class Shifts:
    """How far characters were moved, where others were replaced by fewer: two for each.

    Args:
        replaced: Where the replacements begin, in order.
    """

    def __init__(self, replaced: list[int]) -> None:
        self._replaced = replaced

    def back(self, index: int) -> int:
        """Where a character stands in the text as it was."""
        return index + 2 * bisect_left(self._replaced, index) if self._replaced else index


def without_surrogates(text: str) -> tuple[str, Shifts]:
    r"""JSON writes characters beyond U+FFFF as two escapes, ``\ud83d\ude00``, which YAML doesn't know."""
    if not _SURROGATES.search(text) or not _is_json(text):
        return text, Shifts([])
    replaced: list[int] = []

    def one(match: re.Match[str]) -> str:
        high, low = int(match[2], 16), int(match[3], 16)
        replaced.append(match.start() + len(match[1]) - 2 * len(replaced))
        return f"{match[1]}\\U{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):08X}"

    return _SURROGATES.sub(one, text), Shifts(replaced)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
