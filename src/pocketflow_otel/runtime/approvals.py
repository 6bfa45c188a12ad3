"""The nodes of a document that ask people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.runtime.documents.loaded import Loaded, Scope


def misplaced(names: Iterable[str], document: Loaded) -> str | None:
    """What is wrong with names of nodes that decisions are made for; None if nothing is."""
    asking = list(_asking(document, document.scope, ""))
    for name in names:
        if name not in asking:
            near = nearest(name, asking)
            there = f"there are {', '.join(asking)}" if asking else "the document has none"
            hint = f"; did you mean {near!r}?" if near else ""
            return f"{name!r} is no node of type approve: {there}{hint}"
    return None


def _asking(document: Loaded, scope: Scope, prefix: str) -> Iterator[str]:
    for name, node in scope.nodes.items():
        if node.type == "approve":
            yield prefix + name
        body = scope.bodies.get(name)
        if body is not None and body.scope is not None:
            yield from _asking(document, body.scope, f"{prefix}{name}.")
        if body is not None and body.workflow is not None:
            yield from _asking(body.workflow, body.workflow.scope, f"{prefix}{name}.")
