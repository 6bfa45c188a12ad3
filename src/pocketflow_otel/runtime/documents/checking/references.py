"""What references name: whether there is such a thing where they stand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.graph import brought_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.graph import Use
    from pocketflow_otel.runtime.documents.loaded import Body, Scope
    from pocketflow_otel.runtime.documents.places import Path

_ALWAYS: Final = frozenset({"inputs", "env", "run", "store"})
_MEMBERS: Final = {"run": ("id", "workflow", "started"), "error": ("node", "type", "message")}


@dataclass(frozen=True, slots=True)
class Sight:
    """What references may begin with at a place.

    Attributes:
        names: Nodes, and names of items.
        special: The heads with a meaning of their own.
        silent: Nodes that give nothing to refer to: they stand in for others.
    """

    names: frozenset[str] = frozenset()
    special: frozenset[str] = _ALWAYS
    silent: frozenset[str] = frozenset()

    def inside(self, body: Body) -> Sight:
        """What is seen inside a body."""
        brought = brought_by(body)
        return replace(self, names=self.names | (brought - {"index"}), special=self.special | (brought & {"index"}))

    def and_of(self, *special: str) -> Sight:
        """With further heads."""
        return replace(self, special=self.special.union(special))


def check_references(subject: Subject, scope: Scope, sight: Sight) -> None:
    """Checks the references of a scope's nodes.

    Args:
        subject: The document.
        scope: The scope.
        sight: What its nodes see, one another included.
    """
    handlers = {node.on_error for node in scope.nodes.values()}
    undoing = {node.undo for node in scope.nodes.values()}
    sight = replace(sight, silent=sight.silent | _silent(scope))
    for name in scope.nodes:
        special = [*(["error"] if name in handlers | undoing else []), *(["output"] if name in undoing else [])]
        own = sight.and_of(*special) if special else sight
        _check(subject, subject.uses.of_node(scope, name), own, scope.path_of(name))
        if (body := scope.bodies.get(name)) is not None:
            inside = own.inside(body)
            if body.scope is not None:
                check_references(subject, body.scope, inside)
            _check(subject, subject.uses.of_output(body, scope.path_of(name)), inside)


def _silent(scope: Scope) -> frozenset[str]:
    """By data, what stands in for a node is told under that node's name."""
    from pocketflow_otel.runtime.documents.graph import helpers

    return frozenset() if scope.by_action else frozenset(helpers(scope))


def check_outputs(subject: Subject, scope: Scope, sight: Sight) -> None:
    """Checks the references in what the document gives back."""
    sight = replace(sight, silent=_silent(scope))
    for name, value in subject.loaded.document.outputs.items():
        _check(subject, subject.uses.of_value(value, ("outputs", name)), sight)


def _check(subject: Subject, uses: Iterable[Use], sight: Sight, node: Path = ()) -> None:
    action = (*node, "action")
    # A text may name the same thing a hundred thousand times.
    for use in dict.fromkeys(uses):
        seen = sight.and_of("output") if use.path == action else sight
        check_use(subject, use, seen)


def check_use(subject: Subject, use: Use, sight: Sight) -> None:
    """Checks one reference."""
    head, steps = use.reference.head, use.reference.steps
    if head in sight.silent:
        message = (
            f"{head!r} gives nothing to refer to: what takes over is told under the name of the node it stands for"
        )
        subject.findings.at_use(use, message)
    elif head in sight.names:
        return
    elif head not in sight.special:
        _told_unknown(subject, use, sight)
    elif head == "inputs" and steps:
        _check_member(subject, use, list(subject.loaded.document.inputs), "input")
    elif head in _MEMBERS and steps:
        _check_member(subject, use, list(_MEMBERS[head]), f"field of {head}")
    elif head == "env" and not steps:
        subject.findings.at_use(use, "expected the name of a variable: ${env.NAME}")


def _told_unknown(subject: Subject, use: Use, sight: Sight) -> None:
    head = use.reference.head
    hint = _WHERE.get(head)
    if hint is not None:
        subject.findings.at_use(use, f"{head!r} is known only {hint}")
        return
    names = chain((name for name in sight.names if name not in sight.silent), sight.special)
    message = f"there is nothing called {head!r} here: expected a node or one of {', '.join(sorted(sight.special))}"
    if head in subject.loaded.document.inputs:
        subject.findings.at_use(use, message, f"inputs.{head}")
    else:
        subject.findings.at_use(use, message, subject.findings.near(head, names))


_WHERE: Final = {
    "error": "to nodes named as on_error or undo",
    "output": "in 'action', and to nodes named as undo",
    "index": "inside a map",
}


def _check_member(subject: Subject, use: Use, members: list[str], what: str) -> None:
    name = str(use.reference.steps[0])
    if name in members:
        return
    listed = f"; there are {', '.join(members)}" if members else ""
    message = f"there is no {what} called {name!r}{listed}"
    subject.findings.at_use(use, message, subject.findings.near(name, members))
