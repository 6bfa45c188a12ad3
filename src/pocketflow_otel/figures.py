"""Numbers, and names where there are many, as people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


def count(number: int, one: str, many: str = "") -> str:
    """``1 item``, ``1,204 items``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def first_few(names: Sequence[str], most: int = 3) -> str:
    """``a, b``; of more than that ``a, b, c, …``."""
    return ", ".join(names[:most]) + ", …" * (len(names) > most)


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
