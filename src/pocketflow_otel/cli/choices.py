"""Options whose values are names out of a few."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

Choice = TypeVar("Choice", bound=StrEnum)


def one_of(choices: type[Choice]) -> Callable[[str], Choice]:
    """Makes what reads such an option, and tells which name is near a wrong one. Typer itself tells only all of them.

    Args:
        choices: The names.
    """

    def read(text: str) -> Choice:
        try:
            return choices(text)
        except ValueError:
            names = [choice.value for choice in choices]
            near = difflib.get_close_matches(text, names, 1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, names))}{hint}") from None

    return read
