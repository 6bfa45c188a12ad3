"""Text for one line of a terminal: made harmless, measured; and numbers as people read them."""

from __future__ import annotations

import functools
import math
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


def count(number: int, one: str, many: str = "") -> str:
    """``1 item``, ``1,204 items``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(names: Sequence[str], most: int) -> str:
    """``a, b, c``, and ``a, b and 3 more`` where there are more than `most`."""
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


_Scale = tuple[tuple[float, float, str, str], ...]

# Up to which number, divided by what, in which format and unit: each limit is where rounding would add a digit.
_SECONDS: Final[_Scale] = (
    (0.000995, 1e-3, ".2f", "ms"),
    (0.00995, 1e-3, ".1f", "ms"),
    (0.9995, 1e-3, ".0f", "ms"),
    (59.995, 1, ".2f", "s"),
)
_BYTES: Final[_Scale] = (
    (999.5, 1, ".0f", " B"),
    (9.95e3, 1e3, ".1f", " kB"),
    (999.5e3, 1e3, ".0f", " kB"),
    (9.95e6, 1e6, ".1f", " MB"),
    (999.5e6, 1e6, ".0f", " MB"),
    (9.95e9, 1e9, ".1f", " GB"),
    (math.inf, 1e9, ",.0f", " GB"),
)
_TOKENS: Final[_Scale] = (
    (10_000, 1, ",.0f", ""),
    (99.95e3, 1e3, ".1f", "k"),
    (999.5e3, 1e3, ".0f", "k"),
    (99.95e6, 1e6, ".1f", "M"),
    (math.inf, 1e6, ",.0f", "M"),
)
_DOLLARS: Final[_Scale] = (
    (0.0000995, 1, ".6f", ""),
    (0.000995, 1, ".5f", ""),
    (0.00995, 1, ".4f", ""),
    (0.0995, 1, ".3f", ""),
    (99.995, 1, ".2f", ""),
    (math.inf, 1, ",.0f", ""),
)
_LEAST_DOLLARS: Final = 0.00001


def _scaled(number: float, scale: _Scale) -> str:
    return next(f"{number / unit:{form}}{name}" for limit, unit, form, name in scale if number < limit)


def duration(seconds: float) -> str:
    """Seconds in at most seven characters: ``0.02ms``, ``830ms``, ``1.20s``, ``2m05s``, ``1h02m``."""
    if seconds < _SECONDS[-1][0]:
        return _scaled(seconds, _SECONDS)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def size(number: int) -> str:
    """Bytes as people read them: ``312 B``, ``1.2 kB``, ``40 MB``."""
    return _scaled(number, _BYTES)


def tokens(number: int) -> str:
    """Tokens as people read them: ``1,204 tok``, ``12.3k tok``, ``1.2M tok``."""
    return f"{_scaled(number, _TOKENS)} tok"


def dollars(number: float) -> str:
    """US dollars with the digits that matter: ``<$0.00001``, ``$0.00013``, ``$0.0042``, ``$0.50``, ``$1.27``, ``$123``.

    Two significant digits below a dollar, without zeros that say nothing after the cents.
    """
    if not number:
        return "$0"
    if number < _LEAST_DOLLARS:
        return "<$0.00001"
    whole, point, fraction = _scaled(number, _DOLLARS).partition(".")
    return f"${whole}{point}" + (fraction.rstrip("0").ljust(2, "0") if point else "")
