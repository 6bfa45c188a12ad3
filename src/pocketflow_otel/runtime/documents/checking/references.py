"""What references name: whether there is such a thing where they stand."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.checking.shapes import shapes_of_nodes, shapes_of_undone
from pocketflow_otel.runtime.documents.checking.steps import check_inputs, check_member, check_steps, check_store
from pocketflow_otel.runtime.documents.graph import brought_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.graph import Use
    from pocketflow_otel.runtime.documents.loaded import Body, Scope
    from pocketflow_otel.runtime.registry.shapes import Shape

_ALWAYS: Final = frozenset({"inputs", "env", "run", "store"})
_MEMBERS: Final = {"run": ("id", "workflow", "started", "base"), "error": ("node", "type", "message")}


@dataclass(frozen=True, slots=True)
class Sight:
    """What references may begin with at a place.

    Attributes:
        names: Nodes and names of items, with what is known of them.
        special: The heads with a meaning of their own.
        silent: Nodes that give nothing to refer to: they stand in for others.
        scopes: The scopes whose stores are read, the innermost first.
        output: What is known of ``output``.
    """

    names: ChainMap[str, Shape | None] = field(default_factory=ChainMap)
    special: frozenset[str] = _ALWAYS
    silent: frozenset[str] = frozenset()
    scopes: tuple[Scope, ...] = ()
    output: Shape | None = None

    def in_scope(self, subject: Subject, scope: Scope) -> Sight:
        """What nodes of a scope see, one another included."""
        return replace(
            self,
            names=self.names.new_child(dict(shapes_of_nodes(subject, scope))),
            silent=self.silent | silent if (silent := _silent(scope)) else self.silent,
            scopes=(scope, *self.scopes),
        )

    def inside(self, body: Body) -> Sight:
        """What is seen inside a body, but for its nodes."""
        brought = brought_by(body)
        items = brought - {"index"} - (body.scope.nodes.keys() if body.scope else set())
        return replace(
            self, names=self.names.new_child(dict.fromkeys(items)), special=self.special | (brought & {"index"})
        )

    def and_of(self, *special: str) -> Sight:
        """With further heads."""
        return replace(self, special=self.special.union(special))


def check_references(subject: Subject, scope: Scope, around: Sight) -> Sight:
    """Checks the references of a scope's nodes.

    Args:
        subject: The document.
        scope: The scope.
        around: What is seen where it stands.

    Returns:
        What its nodes see, one another included.
    """
    if (meant := subject.meant[scope.path]) is None:
        around = around.and_of("error", "output")  # nobody can tell which nodes know of them
    scope = meant or scope
    sight = around.in_scope(subject, scope)
    shapes = sight.names.maps[0]
    handlers = {node.on_error for node in scope.nodes.values()}
    undone = shapes_of_undone(scope, shapes)
    for name in scope.nodes:
        own = sight
        if name in undone:
            own = replace(sight.and_of("error", "output"), output=undone[name])
        elif name in handlers:
            own = sight.and_of("error")
        for use in _once(subject.uses.of_node(scope, name)):
            is_action = use.path == (*scope.path_of(name), "action")
            seen = replace(own.and_of("output"), output=shapes[name]) if is_action else own
            check_use(subject, use, seen)
        if (body := scope.bodies.get(name)) is not None:
            inside = own.inside(body)
            if body.scope is not None:
                inside = check_references(subject, body.scope, inside)
            for use in _once(subject.uses.of_output(body, scope.path_of(name))):
                check_use(subject, use, inside)
    return sight


def _silent(scope: Scope) -> frozenset[str]:
    """By data, what stands in for a node is told under that node's name."""
    from pocketflow_otel.runtime.documents.graph import helpers

    return frozenset() if scope.by_action else frozenset(helpers(scope))


def check_outputs(subject: Subject, sight: Sight) -> None:
    """Checks the references in what the document gives back.

    Args:
        subject: The document.
        sight: What its nodes see.
    """
    for name, value in subject.loaded.document.outputs.items():
        for use in _once(subject.uses.of_value(value, ("outputs", name))):
            check_use(subject, use, sight)


def _once(uses: Iterable[Use]) -> Iterable[Use]:
    """A text may name the same thing a hundred thousand times."""
    return dict.fromkeys(uses)


def check_use(subject: Subject, use: Use, sight: Sight) -> None:
    """Checks one reference."""
    head, steps = use.reference.head, use.reference.steps
    if head in sight.silent:
        message = (
            f"{head!r} gives nothing to refer to: what takes over is told under the name of the node it stands for"
        )
        subject.findings.at_use(use, message)
    elif head not in sight.special:
        _check_named(subject, use, sight)
    elif head == "inputs" and steps:
        check_inputs(subject, use)
    elif head == "store" and steps:
        check_store(subject, use, sight.scopes, sight.names)
    elif head == "output":
        check_steps(subject, use, sight.output)
    elif head in _MEMBERS and steps:
        check_member(subject, use, _MEMBERS[head], f"field of {head}")
    elif head == "env" and not steps:
        subject.findings.at_use(use, "expected the name of a variable: ${env.NAME}")


def _check_named(subject: Subject, use: Use, sight: Sight) -> None:
    head = use.reference.head
    if head in sight.names:
        check_steps(subject, use, sight.names[head])
        return
    hint = _WHERE.get(head)
    if hint is not None:
        subject.findings.at_use(use, f"{head!r} is known only {hint}")
        return
    # The map of all maps would be made anew for each.
    names = (name for names in sight.names.maps for name in names if name not in sight.silent)
    message = f"there is nothing called {head!r} here: expected a node or one of {', '.join(sorted(sight.special))}"
    if head in subject.loaded.document.inputs:
        subject.findings.at_use(use, message, f"inputs.{head}")
    else:
        subject.findings.at_use(use, message, subject.findings.near(head, chain(names, sight.special)))


_WHERE: Final = {
    "error": "to nodes named as on_error or undo",
    "output": "in 'action', and to nodes named as undo",
    "index": "inside a map",
}
