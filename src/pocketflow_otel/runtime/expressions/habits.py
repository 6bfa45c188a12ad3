"""What people write in conditions as they would in other languages, and what to write instead."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Habit(NamedTuple):
    """Something that conditions do not know.

    Attributes:
        offset: The character at which it stands.
        sentence: What is wrong with it.
        near: What to write.
    """

    offset: int
    sentence: str
    near: str


_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_REFERENCE: Final = re.compile(r"\$\{\s*([^{}]*?)\s*\}")
_INSTEAD: Final = {
    "&&": "and",
    "||": "or",
    "!": "not",
    "===": "==",
    "!==": "!=",
    "<>": "!=",
    "=": "==",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "eq": "==",
    "ne": "!=",
}
_FOREIGN: Final = re.compile(r"&&|\|\||!==|===|<>|!(?!=)|(?<![=!<>])=(?!=)|(?<=\s)(?:AND|OR|eq|ne)(?=\s)|\bNOT(?=\s)")


def habit(text: str) -> Habit | None:
    """The first thing in a text that other languages know, and conditions do not; texts in quotes are left out."""
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    reference, foreign = _REFERENCE.search(text), _FOREIGN.search(bare)
    if reference is not None and bare[reference.start()] == "$":
        path = reference[1]
        return Habit(reference.start(), "values are named without ${} here", path)
    if "??" in bare:
        return Habit(bare.index("??"), "?? has no place here", "default(path, other)")
    if foreign is None:
        return None
    instead = _INSTEAD[foreign[0]]
    return Habit(foreign.start(), f"{foreign[0]!r} is unknown here", instead)
