"""All node types that documents can name: those that come along, those that are installed, and ``module:name``."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.documents.model import BODIES
from pocketflow_otel.runtime.registry import docstrings
from pocketflow_otel.runtime.registry.errors import NodeTypeError, UnknownType, UnusableType
from pocketflow_otel.runtime.registry.importing import imported
from pocketflow_otel.runtime.registry.node_types import FunctionType, HolderType
from pocketflow_otel.runtime.registry.signatures import node_type_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from pocketflow_otel.runtime.registry.node_types import NodeType

__all__ = ["GROUP", "NodeTypeError", "Registry", "UnknownType", "UnusableType", "imported"]

GROUP: Final = "pocketflow_otel.nodes"
"""The group of entry points by which packages add node types."""

LONGEST: Final = 500
"""Characters of a type's name."""


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    """Where a type that comes along is: the module is imported when the type is first asked for.

    Attributes:
        module: A module of `pocketflow_otel.runtime.nodes`; its ``NODE_TYPE`` is the type.
        needs: The module of another package that it can't do without.
        extra: What installs that package.
    """

    module: str
    needs: str | None = None
    extra: str | None = None


_BUILT_IN: Final = {
    "approve": _BuiltIn("approve"),
    "condition": _BuiltIn("condition"),
    "file.list": _BuiltIn("file_list"),
    "file.read": _BuiltIn("file_read"),
    "file.write": _BuiltIn("file_write"),
    "http.request": _BuiltIn("http_request"),
    "llm.chat": _BuiltIn("llm_chat", needs="openai", extra="llm"),
    "python": _BuiltIn("python"),
    "set": _BuiltIn("set"),
    "shell": _BuiltIn("shell"),
    "sql.query": _BuiltIn("sql_query", needs="duckdb", extra="data"),
    "table.read": _BuiltIn("table_read", needs="duckdb", extra="data"),
    "table.write": _BuiltIn("table_write", needs="duckdb", extra="data"),
    "template": _BuiltIn("template"),
}
_HOLDERS: Final = {
    "map": "the list of what the items give",
    "parallel": "what its output says, or what each of its last nodes gives, by name",
    "workflow": "the outputs of the document; of nodes in place, what its output says",
}


class Registry:
    """Knows node types by name. Each is looked for once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Path | None], NodeType | NodeTypeError] = {}
        self._installed: dict[str, EntryPoint] | None = None

    def get(self, name: str, base: Path | None = None) -> NodeType:
        """The type of a name.

        Args:
            name: As a document has it. The module of ``module:name`` is imported.
            base: The document's folder: modules in it can be named.

        Raises:
            UnknownType: There is none. It tells the nearest, and all there are.
            UnusableType: There is one, but it can't be used.
        """
        key = (name, base)
        if key not in self._found:
            try:
                self._found[key] = self._find(name, base)
            except NodeTypeError as error:
                # Its traceback would keep all that was there, and grow each time.
                self._found[key] = error.with_traceback(None)
        found = self._found[key]
        if isinstance(found, NodeTypeError):
            raise found.with_traceback(None)
        return found

    def expressions(self, name: str, base: Path | None = None) -> Sequence[tuple[str, ...]]:
        """Where in ``with`` a type has expressions: as `FunctionType.expressions`; nowhere if there is no such type."""
        try:
            found = self.get(name, base)
        except NodeTypeError:
            return ()
        return found.expressions if isinstance(found, FunctionType) else ()

    def names(self) -> list[str]:
        """The names of all that come along or are installed, in order."""
        return sorted({*_HOLDERS, *_BUILT_IN, *self._entry_points()})

    def all(self) -> dict[str, NodeType | NodeTypeError]:
        """All that come along or are installed, by name; in place of one that can't be used, why."""
        types: dict[str, NodeType | NodeTypeError] = {}
        for name in self.names():
            try:
                types[name] = self.get(name)
            except NodeTypeError as error:
                types[name] = error
        return types

    def _find(self, name: str, base: Path | None) -> NodeType:
        if len(name) > LONGEST:
            raise UnknownType(f"expected the name of a node type, not a text of {len(name)} characters")
        if name in BODIES:
            return HolderType(name, docstrings.summary(BODIES[name]), BODIES[name], _HOLDERS[name])
        if name in _BUILT_IN:
            return _built_in(name, _BUILT_IN[name])
        if (entry := self._entry_points().get(name)) is not None:
            return _installed(entry)
        if ":" in name:
            return node_type_of(imported(name, base), name)
        names = self.names()
        raise UnknownType(
            f"there is no node type {name[:80]!r}; there are {', '.join(names)}, and module:Class or module:function",
            nearest(name[:80], names),
        )

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._installed is None:
            from importlib.metadata import entry_points

            self._installed = {entry.name: entry for entry in entry_points(group=GROUP)}
        return self._installed


def _built_in(name: str, place: _BuiltIn) -> NodeType:
    from importlib.util import find_spec

    # What it needs is imported when it runs: without that, what it would do can still be told.
    module = importlib.import_module(f"pocketflow_otel.runtime.nodes.{place.module}")
    kind = node_type_of(module.NODE_TYPE, name)
    if place.needs is not None and find_spec(place.needs) is None:
        raise UnusableType(f"{name} needs {place.needs}: pip install 'pocketflow-otel[{place.extra}]'", kind=kind)
    return kind


def _installed(entry: EntryPoint) -> NodeType:
    package = entry.dist.name if entry.dist else "a package"
    try:
        thing = entry.load()
    except Exception as error:
        raise UnusableType(f"{entry.name} of {package} can't be loaded: {type(error).__name__}: {error}") from error
    return node_type_of(thing, entry.name)
