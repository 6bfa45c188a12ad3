"""Names in Python code that nothing gives a value: found before it runs."""

from __future__ import annotations

import builtins
import dis
from types import CodeType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOADS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_STORES: Final = frozenset({"STORE_GLOBAL", "STORE_NAME"})
# Code that calls these can make names which nobody sees.
_MAKERS: Final = frozenset({"exec", "globals"})


def first_unknown(compiled: CodeType) -> tuple[str, int, int] | None:
    """The first name that the code, or a function or class in it, looks for and cannot find.

    Args:
        compiled: The code.

    Returns:
        The name; its line, from 1; its place in that line, in bytes of UTF-8, from 0. None where all are known.
    """
    steps = list(_steps(compiled))
    loaded = [step for step in steps if step.opname in _LOADS]
    if any(step.argval in _MAKERS for step in loaded):
        return None
    known = {*dir(builtins), *(step.argval for step in steps if step.opname in _STORES)}
    unknown = ((step.argval, step.positions) for step in loaded if step.argval not in known)
    places = [(name, at.lineno or 1, at.col_offset or 0) for name, at in unknown if at is not None]
    return min(places, key=lambda place: place[1:], default=None)


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _steps(constant)
