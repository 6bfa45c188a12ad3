"""A document with all that belongs to it: bodies of nodes, documents it names, and where everything stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path as FilePath

    from pocketflow_otel.runtime.documents.model import (
        Document,
        Edge,
        MapConfig,
        Node,
        ParallelConfig,
        WorkflowConfig,
    )
    from pocketflow_otel.runtime.documents.places import Path, Places

    Config = MapConfig | ParallelConfig | WorkflowConfig


@dataclass(frozen=True, slots=True)
class Scope:
    """Nodes that see one another: those of a document, or of a body.

    Attributes:
        path: Where the fields of the scope stand: empty for a document's, ``nodes.each.with`` for a body's.
        key: Which of them holds the nodes: ``nodes`` or ``do``.
        nodes: The nodes by name, in the order of the document.
        edges: Which node follows which action; empty where the nodes are ordered by data.
        start: By action: the node to begin with, if it is named.
        bodies: Of each node that holds nodes, what it holds.
    """

    path: Path
    key: str
    nodes: Mapping[str, Node]
    edges: Sequence[Edge] = ()
    start: str | None = None
    bodies: Mapping[str, Body] = field(default_factory=dict)

    @property
    def by_action(self) -> bool:
        """Whether edges order the nodes; else data does."""
        return bool(self.edges)

    def path_of(self, name: str) -> Path:
        """Where a node stands in the document."""
        return (*self.path, self.key, name)


@dataclass(frozen=True, slots=True)
class Body:
    """What a node of type ``map``, ``parallel`` or ``workflow`` holds.

    Attributes:
        config: What it is given, references unresolved.
        scope: Its nodes; None where it names another document.
        workflow: The other document, if it names one.
    """

    config: Config
    scope: Scope | None = None
    workflow: Loaded | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Loaded:
    """A document as loaded: each of its parts is what it should be; whether they fit together is for `checks` to say.

    Attributes:
        document: The document.
        scope: Its nodes, with the bodies in them.
        file: What it is called in faults: its file as it was named, or ``<document>``.
        base: The folder where its relative paths begin.
        places: Where its parts stand; empty if it was no text.
        unsound: What was taken out of it, for it was wrong; empty of one that can be run.
    """

    document: Document
    scope: Scope
    file: str
    base: FilePath
    places: Places
    unsound: AbstractSet[Path] = frozenset()

    def __repr__(self) -> str:
        return f"<Loaded {self.document.workflow!r} from {self.file}: {len(self.scope.nodes)} nodes>"

    def count_nodes(self) -> int:
        """Its nodes, and those of the documents it names, each as often as it is named."""
        return self._count_nodes({})

    def _count_nodes(self, known: dict[int, int]) -> int:
        if id(self) not in known:
            known[id(self)] = 0
            scopes = list(self.scopes())
            others = [body.workflow for scope in scopes for body in scope.bodies.values() if body.workflow is not None]
            own = sum(len(scope.nodes) for scope in scopes)
            known[id(self)] = own + sum(other._count_nodes(known) for other in others)  # noqa: SLF001
        return known[id(self)]

    def all_nodes(self) -> Iterator[tuple[str, Node]]:
        """Its nodes by name, those inside others and of documents it names as ``outer.inner``."""
        yield from _nodes_of(self.scope, "")

    def scopes(self) -> Iterator[Scope]:
        """All its scopes, inner ones after those around them. Those of other documents are not among them."""
        waiting = [self.scope]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting.extend(body.scope for body in scope.bodies.values() if body.scope is not None)


def _nodes_of(scope: Scope, prefix: str) -> Iterator[tuple[str, Node]]:
    for name, node in scope.nodes.items():
        yield prefix + name, node
        if (body := scope.bodies.get(name)) is not None:
            held = body.scope if body.workflow is None else body.workflow.scope
            yield from () if held is None else _nodes_of(held, f"{prefix}{name}.")
