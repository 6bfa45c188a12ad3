"""Families of connections: what their settings are, and how one is opened.

A package adds a family by an entry point of the group ``pocketflow_otel.connections`` whose object is a `Family`; the
entry point's name is the family's.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from pocketflow_otel.runtime.connections.errors import UnknownConnection
from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from pydantic import BaseModel

ENTRY_POINTS: Final = "pocketflow_otel.connections"

BUILT_IN: Final = {
    name: f"pocketflow_otel.runtime.connections.{name}"
    for name in ("duckdb", "http", "mysql", "openai", "postgres", "sqlite")
}
"""Modules by family; each has a ``FAMILY``, and imports what it connects with when a connection is opened."""


class Opened(Protocol):
    """What a family gives. With an ``aclose`` too, a run awaits that instead where it can."""

    def close(self) -> None:
        """Lets go of all that it holds. Called once."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family of connections.

    Attributes:
        name: What documents call it, before the dot.
        summary: What it connects with, in a sentence.
        config: Its settings. A field that is a secret is a `pydantic.SecretStr`: documents give it by a reference, and
            it is masked from when it is resolved, as is what stands under a secret's name in other fields.
        open: Takes the checked settings and the document's folder, at which relative paths begin. What it raises is
            told as the reason why the connection can't be opened. Called from any thread.
        needs: The packages that it connects with, and the extra of ours that brings each.
    """

    name: str
    summary: str
    config: type[BaseModel]
    open: Callable[[Any, Path], Opened]
    needs: Mapping[str, str] = field(default_factory=dict)


class Families:
    """The families there are: those that come along, and those that are installed."""

    def names(self) -> list[str]:
        """Their names, in order."""
        return sorted({*BUILT_IN, *_installed()})

    def get(self, name: str) -> Family:
        """A family.

        Raises:
            UnknownConnection: There is none of that name, or it can't be imported.
        """
        if name in BUILT_IN:
            family: Family = importlib.import_module(BUILT_IN[name]).FAMILY
            return family
        entry = _installed().get(name)
        if entry is None:
            there = self.names()
            raise UnknownConnection(
                f"there is no family of connections {name!r}; there are {', '.join(there)}", nearest(name, there)
            )
        return _loaded(entry)


@cache
def _installed() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def _loaded(entry: EntryPoint) -> Family:
    try:
        found = entry.load()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise UnknownConnection(f"the family of connections {entry.name!r} can't be imported: {said}") from error
    if not isinstance(found, Family):
        raise UnknownConnection(f"the family of connections {entry.name!r}: {entry.value} is no Family")
    return found
