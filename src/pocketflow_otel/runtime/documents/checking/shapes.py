"""What is known beforehand of nodes' outputs, of inputs, and of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.checking.inputs import STORE_KEY
from pocketflow_otel.runtime.documents.checking.mappings import written_keys
from pocketflow_otel.runtime.documents.model import MapConfig
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType, HolderType
from pocketflow_otel.runtime.registry.shapes import SINGLE, Shape, either, list_of, of_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Body, Scope
    from pocketflow_otel.runtime.documents.model import Input, Node

_OF_INPUTS: Final = {
    "text": SINGLE,
    "integer": SINGLE,
    "number": SINGLE,
    "boolean": SINGLE,
    "list": list_of(),
    "object": None,
    "any": None,
}


def shapes_of_nodes(subject: Subject, scope: Scope) -> dict[str, Shape | None]:
    """What each node of a scope gives, whatever stands for it where it failed."""
    own = {
        name: None if scope.path_of(name) in subject.doubtful else _own_shape(subject, node, scope.bodies.get(name))
        for name, node in scope.nodes.items()
    }
    return {name: _with_stand_in(scope, node, own[name], own) for name, node in scope.nodes.items()}


def _own_shape(subject: Subject, node: Node, body: Body | None) -> Shape | None:
    kind = subject.type_of(node)
    if isinstance(kind, FunctionType):
        return _of_function(kind, node)
    return _of_holder(body) if isinstance(kind, HolderType) and body is not None else None


def _of_function(kind: FunctionType, node: Node) -> Shape | None:
    if not callable(kind.gives):
        return kind.gives
    try:
        return kind.gives(node.with_)
    except Exception:  # noqa: BLE001 - what it is given may be wrong, which is told elsewhere
        return None


def _of_holder(body: Body) -> Shape | None:
    item = _of_output(body)
    return list_of(item) if isinstance(body.config, MapConfig) else item


def _of_output(body: Body) -> Shape | None:
    if body.config.output is not None:
        return of_value(body.config.output)
    if body.workflow is not None:
        outputs = body.workflow.document.outputs
        return of_value(outputs) if outputs else Shape("object", dict.fromkeys(body.workflow.scope.nodes))
    return None if body.scope is None else Shape("object", dict.fromkeys(body.scope.nodes))


def _with_stand_in(scope: Scope, node: Node, shape: Shape | None, shapes: Mapping[str, Shape | None]) -> Shape | None:
    if node.on_error == "continue":
        return either(shape, of_value(node.fallback))
    if node.on_error is not None and not scope.by_action:
        return either(shape, shapes.get(node.on_error))
    return shape


def shapes_of_undone(scope: Scope, shapes: Mapping[str, Shape | None]) -> dict[str, Shape | None]:
    """What each undo node sees as ``output``: what any of the nodes gave that name it."""
    found: dict[str, Shape | None] = {}
    for name, node in scope.nodes.items():
        if node.undo is not None:
            found[node.undo] = either(found[node.undo], shapes[name]) if node.undo in found else shapes[name]
    return found


def shape_of_input(declared: Input) -> Shape | None:
    """An input's value."""
    return _OF_INPUTS[declared.type]


def keys_of_store(subject: Subject, scope: Scope) -> Mapping[str, None] | None:
    """The keys that a scope's own store has sooner or later; None where a class may write others."""
    if scope.path not in subject.keys:
        subject.keys[scope.path] = _keys_of_store(subject, scope)
    return subject.keys[scope.path]


def _keys_of_store(subject: Subject, scope: Scope) -> Mapping[str, None] | None:
    keys: dict[str, None] = {}
    if not scope.path:
        keys = dict.fromkeys((*subject.loaded.document.inputs, STORE_KEY))
    for name, node in scope.nodes.items():
        kind = subject.type_of(node)
        if kind is None or isinstance(kind, ClassType) or scope.path_of(name) in subject.doubtful:
            return None
        keys[name] = None
        keys.update((key, None) for key, _ in written_keys(subject, node, ()))
    return keys
