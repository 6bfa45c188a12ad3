"""Text for one line of a terminal: made harmless and measured."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# CSI; OSC, DCS, SOS, PM and APC with their text; and the short ones. Each also with its one-byte C1 form.
_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-Z\\`-~]"
)
_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]+\s*")
# Part of emoji sequences, though not "printable" to Python.
EMOJI_JOINER: Final = "\u200d"
_EMOJI_PRESENTATION: Final = "\ufe0f"


def printable(text: str) -> str:
    r"""The text on one line, without escape sequences, and with control characters written out as ``\x07``."""
    if text.isprintable():
        return text
    text = _BREAKS.sub(" ", _ESCAPE_SEQUENCES.sub("", text)).rstrip()
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == EMOJI_JOINER else _written_out(char) for char in text)


def _written_out(char: str) -> str:
    if unicodedata.category(char) == "Zs":
        return " "
    return char.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """How many columns of a terminal the text takes; for emoji sequences the most that a terminal may give them."""
    return len(text) if text.isascii() else sum(map(cell, text))


@functools.lru_cache(maxsize=4096)
def cell(char: str) -> int:
    """How many columns one character takes."""
    if char == _EMOJI_PRESENTATION:
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def listing(names: Sequence[str], most: int) -> str:
    """``a, b, c``, and ``a, b and 3 more`` where there are more than `most`."""
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
