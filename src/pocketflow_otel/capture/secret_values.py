"""Tells what a secret's value looks like from placeholders and ordinary words."""

from __future__ import annotations

import functools
import re
from typing import Final

MASK: Final = "[redacted]"
"""What stands where a secret was."""

_ENDS: Final = r"(?=[\s\"'`,;&)\]}>\\.]|\Z)"
_PLACEHOLDER: Final = (
    r"(?i:\$\{?\w{1,64}\}?|\{{1,2}[^{}\n]{0,64}\}{1,2}|<[^<>\n]{1,64}>|%[sdr]|%\(\w{1,64}\)s|%\w{1,64}%"
    r"|\*{1,80}|x{3,80}|\.{3}|…|-{1,80}|your[-_ ][\w -]{1,40}|\[redacted\]"
    r"|null|none|nil|true|false|undefined|unset|empty|missing|required|optional|invalid|expired|unknown|hidden|masked"
    r"|redacted|string|str|bytes|int|integer|number|bool|boolean|object|secretstr|any|yes|no|n/a|default)"
)
_LONGEST_PLACEHOLDER: Final = 80
_LONG: Final = 20
_SHORTEST_RANDOM: Final = 6
_CAPITALS_INSIDE: Final = r"(?s:[a-z][A-Z].*[a-z][A-Z])"
_SYMBOLS: Final = frozenset("!@#$%^&*+=~|")

Span = tuple[int, int]
"""Where a secret begins and ends in a text."""

# Patterns are compiled when first needed: together they would make up most of the time to import this package.
compiled = functools.cache(re.compile)


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def is_placeholder(value: str) -> bool:
    """Whether this stands for a value, or for having none: ``${TOKEN}``, ``<key>``, ``***``, ``None``."""
    if len(value) > _LONGEST_PLACEHOLDER:
        return False
    return not value or compiled(_PLACEHOLDER).fullmatch(value) is not None


def is_placeholder_at(text: str, start: int) -> bool:
    """Whether a placeholder begins at this place in a text, and ends where a value would."""
    return compiled(_PLACEHOLDER + _ENDS).match(text, start) is not None


def looks_random(word: str) -> bool:
    """Whether a word is more likely a secret than an ordinary word, by its digits, capitals and symbols."""
    if len(word) < _SHORTEST_RANDOM:
        return False
    if any(char.isdigit() for char in word):
        return any(char.isalpha() for char in word)
    if not _SYMBOLS.isdisjoint(word):
        return True
    return len(word) >= _LONG and compiled(_CAPITALS_INSIDE).search(word) is not None


def replaced(text: str, spans: list[Span]) -> str:
    """The text with one mask in place of each span, and of spans that overlap. There is at least one."""
    pieces: list[str] = []
    end = 0
    for start, stop in merged(spans):
        pieces += (text[end:start], MASK)
        end = stop
    pieces.append(text[end:])
    return "".join(pieces)


def merged(spans: list[Span]) -> list[Span]:
    """The spans in order, those that overlap as one. There is at least one."""
    spans = sorted(spans)
    merged_spans = [spans[0]]
    for start, end in spans[1:]:
        last_start, last_end = merged_spans[-1]
        if start < last_end:
            merged_spans[-1] = last_start, max(end, last_end)
        else:
            merged_spans.append((start, end))
    return merged_spans
