"""What docstrings say of a thing and of its parts."""

from __future__ import annotations

import inspect
from typing import Any


def summary(thing: Any) -> str:
    """The first paragraph of its docstring, in one line; empty where it has none of its own."""
    text = _own(thing)
    return _line(text.partition("\n\n")[0])


def parameters(thing: Any) -> dict[str, str]:
    """What its docstring says of its parameters or attributes, by name, each in one line."""
    text = _own(thing)
    if not text:
        return {}
    from docstring_parser import ParseError, parse

    try:
        found = parse(text).params
    except ParseError:
        return {}
    return {one.arg_name: _line(one.description or "") for one in found}


def errors(thing: Any) -> list[str]:
    """The names of the errors that its docstring says it raises."""
    text = _own(thing)
    if not text:
        return []
    from docstring_parser import ParseError, parse

    try:
        found = parse(text).raises
    except ParseError:
        return []
    return [one.type_name for one in found if one.type_name]


def _line(text: str) -> str:
    """In one line, with code as most people mark it."""
    return " ".join(text.split()).replace("``", "`")


def _own(thing: Any) -> str:
    """Its own docstring: a class that has none would show that of its base."""
    text = getattr(thing, "__doc__", None)
    if isinstance(thing, type) and "__doc__" not in vars(thing):
        text = None
    return inspect.cleandoc(text) if isinstance(text, str) else ""
