"""Sorts the characters of a text into a few classes, so that what most texts lack is found to be missing at once."""

from __future__ import annotations

import string
from typing import Final

TOKEN_CHARACTER: Final = b"R"
SEPARATOR: Final = b"s"
OTHER: Final = b" "

_JOINERS: Final = ".~+/%"
_CLASS_OF: Final = (
    dict.fromkeys(string.ascii_letters + string.digits + "_-", TOKEN_CHARACTER)
    | dict.fromkeys(_JOINERS, b"j")
    | dict.fromkeys(":=", SEPARATOR)
)
_TABLE: Final = b"".join(_CLASS_OF.get(chr(code), OTHER) for code in range(256))


def classify(text: str) -> bytes:
    """One byte for each character of a text.

    Returns:
        `TOKEN_CHARACTER` for letters, digits, ``_`` and ``-``; `SEPARATOR` for ``:`` and ``=``; ``j`` for what else
        joins the parts of tokens; `OTHER` for anything else.
    """
    # 0.8 µs for 2 KB, a tenth of a regular expression's time.
    return text.encode("ascii", "replace").translate(_TABLE)
