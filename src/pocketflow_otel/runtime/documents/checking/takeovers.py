"""Nodes that stand in for others: ``on_error`` and ``undo``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.graph import helpers, may_refer

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.model import Node

_MEANINGLESS: Final = {
    "on_error": ("needs", "join", "priority", "on_error", "fallback", "visits"),
    "undo": ("needs", "join", "priority", "on_error", "fallback", "visits", "undo", "action"),
}


def check_takeovers(subject: Subject, scope: Scope) -> None:
    """Checks whom nodes name as ``on_error`` and ``undo``, and what these are made of."""
    for name, node in scope.nodes.items():
        _check_target(subject, scope, name, "on_error", node.on_error)
        _check_target(subject, scope, name, "undo", node.undo)
        _check_fallback(subject, scope, name, node)
    handlers = {node.on_error for node in scope.nodes.values()}
    undoing = {node.undo for node in scope.nodes.values()}
    for name in helpers(scope):
        path = scope.path_of(name)
        if name in handlers and name in undoing:
            subject.findings.at_key(path, "one node can't be both on_error and undo: they see different things")
            continue
        role = "undo" if name in undoing else "on_error"
        if role == "on_error" and scope.by_action:
            continue  # a node like others, but for the way to it
        for field in _MEANINGLESS[role]:
            # Of nodes that edges order, these are told anyway.
            is_told = scope.by_action and field in {"needs", "join", "priority"}
            if field in scope.nodes[name].model_fields_set and not is_told:
                message = f"{field!r} has no meaning in a node that others name as {role}"
                subject.findings.at_key((*path, field), message)


def _check_target(subject: Subject, scope: Scope, name: str, field: str, target: str | None) -> None:
    if target is None or (field == "on_error" and target == "continue"):
        return
    if target == name:
        path = (*scope.path_of(name), field)
        subject.findings.at_value(path, f"a node can't be its own {field}")


def _check_fallback(subject: Subject, scope: Scope, name: str, node: Node) -> None:
    if "fallback" not in node.model_fields_set:
        return
    path = (*scope.path_of(name), "fallback")
    if node.on_error != "continue":
        subject.findings.at_key(path, "a fallback needs 'on_error: continue': else the node fails all the same")
    elif may_refer(node.fallback):
        subject.findings.at_value(path, "a fallback holds no references: it has to be there whatever has failed")
