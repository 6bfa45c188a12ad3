r"""Finds the characters of a text in what YAML has for it: behind quotes, escapes, indentation and folded lines."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import Final

LONGEST: Final = 250_000
"""In what is longer, the beginning stands for every character: to look through it takes long."""

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
_LINE: Final = re.compile(r"[^\r\n]*")
_FOLD: Final = r"[ \t]*(?:\r\n?|\n)[ \t\r\n]*"
_PIECES: Final = {
    "'": re.compile(rf"(?P<one>'')|(?P<fold>{_FOLD})|(?P<run>[^' \t\r\n]+|[ \t]+)"),
    '"': re.compile(
        r"(?P<one>\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\x..|\\u....|\\U........|\\[^\r\n])"
        rf"|(?P<joined>\\{_FOLD})|(?P<fold>{_FOLD})|(?P<run>[^\\\" \t\r\n]+|[ \t]+)"
    ),
    "": re.compile(rf"(?P<fold>{_FOLD})|(?P<run>[^ \t\r\n]+|[ \t]+)"),
}
_BREAK: Final = re.compile(r"\r\n?|\n")

Run = tuple[int, int, int]
"""Characters that stand as they are: the first one's number in the text, in what is written, and how many."""


def index_of(written: str, text: str, offset: int) -> int:
    """Which character of what is written stands for one of a text.

    Args:
        written: A scalar as the document has it, anchor and quotes included; more may follow.
        text: The text that it means.
        offset: The character of the text, from 0.

    Returns:
        The number of the character that is written; 0 where it can't be told.
    """
    if len(written) > LONGEST or written.startswith("*"):
        return 0
    runs = _runs(written, text)
    number = bisect_right(runs, (offset, len(written), 0)) - 1
    if number < 0:
        return 0
    first, begins, length = runs[number]
    return begins + min(offset - first, length)


@lru_cache(maxsize=4)
def _runs(written: str, text: str) -> list[Run]:
    found = _PROPERTIES.match(written)
    start = found.end() if found else 0
    style = written[start : start + 1]
    if style in {"|", ">"}:
        return _of_block(written, text, start)
    return _of_flow(written, start + 1, style) if style in {"'", '"'} else _of_flow(written, start, "")


def _of_block(written: str, text: str, start: int) -> list[Run]:
    """Lines stand in the text one after the other, without their indentation."""
    runs: list[Run] = []
    done = 0
    header = _LINE.match(written, start)
    for line in _LINE.finditer(written, header.end() if header else start):
        content = line[0].lstrip(" ")
        place = text.find(content, done) if content else -1
        if place >= 0:
            runs.append((place, line.end() - len(content), len(content)))
            done = place + len(content)
    return runs


def _of_flow(written: str, start: int, style: str) -> list[Run]:
    """Between line breaks, all but quotes and escapes stands as it is."""
    runs: list[Run] = []
    done, place = 0, start
    pattern = _PIECES[style]
    while piece := pattern.match(written, place):
        length = _length(piece)
        runs.append((done, place, length))
        done += length
        place = piece.end()
    return runs


def _length(piece: re.Match[str]) -> int:
    """How many characters of the text a piece stands for."""
    if piece.lastgroup == "run":
        return piece.end() - piece.start()
    if piece.lastgroup == "one":
        return 1
    breaks = len(_BREAK.findall(piece[0]))
    # One break is a space, of more each but the first is one; behind a backslash, the first is nothing.
    return breaks - 1 if breaks > 1 or piece.lastgroup == "joined" else 1
