"""Kinds of options: switches, and names out of a few."""

from __future__ import annotations

import difflib
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

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


def flag(*names: str, **settings: Any) -> Any:
    """An option that is given or not: its help names no type, for it takes no value.

    Args:
        names: As on the command line: ``--trace/--no-trace``.
        settings: What `typer.Option` takes besides.
    """
    return typer.Option(*names, metavar="", **settings)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Makes what reads an option that is a whole number out of a range.

    Args:
        least: The least that it may be.
        most: The most.
    """

    def read(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise typer.BadParameter(f"expected a whole number from {least:,} to {most:,}, not {text!r}")

    return read
