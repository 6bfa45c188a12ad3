"""Nodes that other fields name: ``start``, edges, ``needs``, ``on_error`` and ``undo``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.graph import helpers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.model import Edge, Node
    from pocketflow_otel.runtime.documents.places import Path

END: Final = "end"
CONTINUE: Final = "continue"


def check_named_nodes(subject: Subject, scope: Scope) -> Scope | None:
    """Checks that there are the nodes that others are told to come before, after, or instead.

    Returns:
        The scope with the names that were probably meant, so that what is misspelt in one place is not told in others
        too; None where nobody can tell which node was meant.
    """
    names = _Names(subject, scope)
    served = helpers(scope)
    own = [name for name in scope.nodes if name not in served]
    start = scope.start
    if start is not None and scope.by_action:
        start = names.meant(start, (*scope.path, "start"), own, f"there is no node {start!r} here")
    edges = [names.edge(number, edge) for number, edge in enumerate(scope.edges)]
    nodes = {name: names.node(name, node, own) for name, node in scope.nodes.items()}
    if names.lost:
        return None
    if not names.misspelt:
        return scope
    return replace(scope, start=start, edges=edges, nodes=nodes)


@dataclass(slots=True)
class _Names:
    """Looks names up.

    Attributes:
        subject: The document.
        scope: The scope.
        misspelt: Whether one was misspelt.
        lost: Whether of one nobody can tell what was meant.
    """

    subject: Subject
    scope: Scope
    misspelt: bool = False
    lost: bool = False

    def meant(self, name: str, path: Path, names: Iterable[str], message: str) -> str:
        """The node's name, or the nearest if there is none.

        Args:
            name: The name.
            path: Where it stands.
            names: The names that it may have been meant to be.
            message: What to say if there is none.
        """
        if name in self.scope.nodes:
            return name
        near = self.subject.findings.near(name, names)
        self.subject.findings.at_value(path, message, near)
        self.misspelt = True
        self.lost = self.lost or near is None
        return near or name

    def edge(self, number: int, edge: Edge) -> Edge:
        path = (*self.scope.path, "edges", number)
        nodes = self.scope.nodes
        message = f"there is no node {edge.from_!r} here"
        begin = self.meant(edge.from_, (*path, "from"), nodes.keys(), message)
        to = edge.to
        if to != END:
            message = f"there is no node {to!r} here: expected a node, or {END}"
            to = self.meant(to, (*path, "to"), chain(nodes, [END]), message)
        if (begin, to) == (edge.from_, edge.to):
            return edge
        return edge.model_copy(update={"from_": begin, "to": to})

    def node(self, name: str, node: Node, names: list[str]) -> Node:
        path = self.scope.path_of(name)
        changed: dict[str, Any] = {}
        needs = [self._need(name, need, (*path, "needs", number), names) for number, need in enumerate(node.needs)]
        if needs != node.needs and not self.scope.by_action:
            changed["needs"] = needs
        for field in ("on_error", "undo"):
            target = getattr(node, field)
            if target is not None and not (field == "on_error" and target == CONTINUE):
                changed[field] = self._helper(name, target, field)
        changed = {field: value for field, value in changed.items() if value != getattr(node, field)}
        return node.model_copy(update=changed) if changed else node

    def _need(self, name: str, need: str, path: Path, names: list[str]) -> str:
        if self.scope.by_action or need in self.scope.nodes:
            return need
        others = (one for one in names if one != name)
        return self.meant(need, path, others, f"there is no node {need!r} beside this one")

    def _helper(self, name: str, target: str, field: str) -> str:
        if target in self.scope.nodes:
            return target
        expected = "expected 'continue' or a node" if field == "on_error" else "expected a node"
        names = chain((one for one in self.scope.nodes if one != name), [CONTINUE] if field == "on_error" else [])
        message = f"there is no node {target!r} beside this one: {expected}"
        return self.meant(target, (*self.scope.path_of(name), field), names, message)
