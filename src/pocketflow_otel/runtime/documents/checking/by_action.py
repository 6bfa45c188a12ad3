"""Nodes that are ordered by action: whether edges lead where they should, and loops end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.checking.cycles import Reachability, cycles, reachable, shown_cycle
from pocketflow_otel.runtime.documents.graph import helpers
from pocketflow_otel.runtime.registry.node_types import FunctionType

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.model import Edge
    from pocketflow_otel.runtime.documents.places import Path

DEFAULT: Final = "default"


def check_by_action(subject: Subject, scope: Scope, written: Scope) -> None:
    """Checks a scope that has edges.

    Args:
        subject: The document.
        scope: The scope as it was probably meant.
        written: The scope as it is written.
    """
    for name, node in scope.nodes.items():
        for field in ("needs", "join", "priority"):
            if field in node.model_fields_set:
                message = f"{field!r} has no meaning here: edges order these nodes"
                subject.findings.at_key((*scope.path_of(name), field), message)
    undoing = {node.undo for node in scope.nodes.values()}
    for number, edge in enumerate(scope.edges):
        _check_edge(subject, scope, edge, (*scope.path, "edges", number), undoing)
    _check_twice(subject, written)
    start = _start(subject, scope)
    after = followers(scope)
    _check_reached(subject, scope, after, start)
    _check_loops(subject, scope, after)
    _check_order(subject, scope, after)


def followers(scope: Scope) -> dict[str, list[str]]:
    """Of each node, those that may follow it, the ones that take over from it included."""
    after: dict[str, list[str]] = {name: [] for name in scope.nodes}
    for edge in scope.edges:
        if edge.from_ in after and edge.to in after:
            after[edge.from_].append(edge.to)
    for name, node in scope.nodes.items():
        if node.on_error is not None and node.on_error in after:
            after[name].append(node.on_error)
    return after


def _check_edge(subject: Subject, scope: Scope, edge: Edge, path: Path, undoing: AbstractSet[str | None]) -> None:
    for field, name in (("from", edge.from_), ("to", edge.to)):
        if name in undoing:
            message = f"{name!r} is named as undo: it runs only when the run is rolled back"
            subject.findings.at_value((*path, field), message)
    _check_action(subject, scope, edge, path)


def _check_action(subject: Subject, scope: Scope, edge: Edge, path: Path) -> None:
    node = scope.nodes[edge.from_]
    kind = subject.type_of(node)
    if not isinstance(kind, FunctionType) or not kind.actions or node.action is not None:
        return
    if edge.action not in {*kind.actions, DEFAULT}:
        message = f"{node.type} does not choose {edge.action!r}; its actions are {', '.join(kind.actions)}"
        subject.findings.at_value((*path, "action"), message, subject.findings.near(edge.action, kind.actions))


def _check_twice(subject: Subject, scope: Scope) -> None:
    first: dict[tuple[str, str], int] = {}
    for number, edge in enumerate(scope.edges):
        key = (edge.from_, edge.action)
        if key in first:
            message = f"edge {first[key]} leads from {edge.from_!r} by {edge.action!r} already"
            subject.findings.at_value((*scope.path, "edges", number), message)
        first.setdefault(key, number)


def _start(subject: Subject, scope: Scope) -> str | None:
    """The node to begin with."""
    served = helpers(scope)
    names = [name for name in scope.nodes if name not in served]
    if scope.start is None:
        return next(iter(names), None)
    if scope.start in {node.undo for node in scope.nodes.values()}:
        path = (*scope.path, "start")
        subject.findings.at_value(path, f"{scope.start!r} is named as undo: it runs only when the run is rolled back")
    return scope.start


def _check_reached(subject: Subject, scope: Scope, after: dict[str, list[str]], start: str | None) -> None:
    if start is None:
        return
    seen = reachable(after, [start])
    undoing = {node.undo for node in scope.nodes.values()}
    handlers = {node.on_error for node in scope.nodes.values()}
    for name in scope.nodes:
        if name not in seen and name not in undoing and name not in handlers:
            subject.findings.at_key(scope.path_of(name), f"no way leads here from {start!r}, where it begins")


def _check_loops(subject: Subject, scope: Scope, after: dict[str, list[str]]) -> None:
    if subject.loaded.document.limits.visits is not None:
        return
    capped = {name for name, node in scope.nodes.items() if node.visits is not None}
    left = {name: [one for one in names if one not in capped] for name, names in after.items() if name not in capped}
    before: dict[str, list[str]] = {name: [] for name in left}
    for name, names in left.items():
        for one in names:
            before[one].append(name)
    for cycle in cycles(before):
        message = (
            f"this loop has no cap: {shown_cycle(cycle)}; give one of its nodes 'visits', or the document limits.visits"
        )
        subject.findings.at_key(scope.path_of(cycle[0]), message)


def _check_order(subject: Subject, scope: Scope, after: dict[str, list[str]]) -> None:
    """Checks that what nodes refer to can have run before them."""
    undoing = {node.undo for node in scope.nodes.values()}
    reach = Reachability(after)
    for name in scope.nodes:
        if name in undoing:
            continue
        for use in subject.uses.leading_out(scope, name):
            head = use.reference.head
            if use.reference.optional or head not in scope.nodes:
                continue
            if not reach.leads(head, name):
                message = (
                    f"{head!r} can't have run before {name!r}; without a default (??) there is nothing to refer to"
                )
                subject.findings.at_use(use, message)
