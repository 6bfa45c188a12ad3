"""The nodes of a document that ask people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.runtime.documents.loaded import Loaded, Scope


def asking_nodes(document: Loaded) -> list[str]:
    """The nodes that ask, by name, those inside others with the names of these: ``outer.inner``."""
    return list(_asking(document.scope, ""))


def misplaced(names: Iterable[str], document: Loaded) -> str | None:
    """What is wrong with names of nodes that decisions are made for; None if nothing is."""
    asking = asking_nodes(document)
    for name in names:
        if name not in asking:
            near = nearest(name, asking)
            there = f"there are {', '.join(asking)}" if asking else "the document has none"
            hint = f"; did you mean {near!r}?" if near else ""
            return f"{name!r} is no node of type approve: {there}{hint}"
    return None


def _asking(scope: Scope, prefix: str) -> Iterator[str]:
    for name, node in scope.nodes.items():
        if node.type == "approve":
            yield prefix + name
        if (body := scope.bodies.get(name)) is not None:
            held = body.scope if body.workflow is None else body.workflow.scope
            yield from () if held is None else _asking(held, f"{prefix}{name}.")
