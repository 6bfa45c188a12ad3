"""Tells command lines that run a workflow document from those that run a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""How the names of workflow documents end."""


def is_document(name: str) -> bool:
    """Whether a name is that of a workflow document."""
    return name.lower().endswith(SUFFIXES)


def names_document(arguments: Sequence[str]) -> bool:
    """Whether the first of the arguments that is no option, nor belongs to one, is a workflow document.

    Args:
        arguments: What follows ``run``. Which options take a value is known; what follows one that nobody knows may be
            its value, so that a document further on counts, and whoever runs that can complain.
    """
    # Most programs are run without any such name, and the options of documents need not be known then.
    if not any(map(is_document, arguments)):
        return False
    from pocketflow_otel.cli.run_workflow import options_by_arity

    alone, with_value = options_by_arity()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, given, _ = word.partition("=")
        if word == "--":
            return bool(rest) and is_document(rest[0])
        if word == "-" or not word.startswith("-"):
            return is_document(word)
        if name in with_value:
            del rest[: 0 if given else 1]
        elif word not in alone:
            return not word.startswith("-m") and any(map(is_document, rest))
    return False
