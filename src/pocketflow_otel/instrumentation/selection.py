"""Which flows and nodes are traced, and how closely, by patterns over their names."""

from __future__ import annotations

import enum
import re
from fnmatch import translate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


class Level(enum.Enum):
    """How closely a flow or node is traced.

    EXCLUDED leaves it out with everything inside. UNNAMED leaves only its own span out, because it is not among those
    asked for; what it holds may be. DETAILED records its content and deep store changes whatever else is set.
    """

    EXCLUDED = enum.auto()
    UNNAMED = enum.auto()
    NORMAL = enum.auto()
    DETAILED = enum.auto()


class Selection:
    """Decides by name. Patterns are shell-style (``*``, ``?``, ``[abc]``) and match a whole name or class name.

    Args:
        include: If given, only flows and nodes matching one of these are traced, and outermost flows.
        exclude: Flows and nodes to leave out, with all that is inside them.
        detailed: Flows and nodes to record in detail.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str], detailed: Sequence[str]) -> None:
        self._include = _pattern(include)
        self._exclude = _pattern(exclude)
        self._detailed = _pattern(detailed)
        self.decides: Final = bool(include or exclude or detailed)

    def level(self, name: str, class_name: str, *, outermost: bool = False) -> Level:
        """The level of a flow or node. An outermost flow holds its trace together: only ``exclude`` leaves it out."""
        if not self.decides:
            return Level.NORMAL
        names = (name, class_name)
        if _matches(self._exclude, names):
            return Level.EXCLUDED
        if _matches(self._detailed, names):
            return Level.DETAILED
        if self._include is not None and not outermost and not _matches(self._include, names):
            return Level.UNNAMED
        return Level.NORMAL


def _pattern(globs: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(translate(glob) for glob in globs)) if globs else None


def _matches(pattern: re.Pattern[str] | None, names: tuple[str, ...]) -> bool:
    return pattern is not None and any(pattern.match(name) for name in names)
