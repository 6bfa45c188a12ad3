"""What the nodes of a scope refer to, and thereby wait for: said once, for checks, plans and pictures.

`uses` finds the references of a scope's nodes, those in bodies included. `dependencies` makes of them what each node
waits for by data. Both parse what they look at and let `ReferenceSyntaxError` and `ConditionSyntaxError` through: a
document that has been checked has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.model import MapConfig, WorkflowConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pocketflow_otel.runtime.documents.loaded import Body, Scope
    from pocketflow_otel.runtime.documents.model import Node
    from pocketflow_otel.runtime.documents.places import Path
    from pocketflow_otel.runtime.expressions.references import Reference

    Parse = Callable[[Any, Path], Iterable[Reference]]
    """Gives the references of a value, or of a condition, that stands at a path."""


@dataclass(frozen=True, slots=True)
class Use:
    """A reference, and where it stands.

    Attributes:
        reference: The reference.
        path: The document's value that holds it.
        names: What it may name where it stands: nodes of the scopes of bodies around it, names of their items.
    """

    reference: Reference
    path: Path
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a node waits for by data.

    Attributes:
        hard: Nodes that have to succeed, in the order of the document; ``join`` says how many of them.
        soft: Nodes that have to be settled, whatever came of them.
    """

    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return self.hard + self.soft


def helpers(scope: Scope) -> dict[str, list[str]]:
    """Which nodes are named as ``on_error`` or ``undo``, and by which nodes. They are not scheduled by themselves."""
    served: dict[str, list[str]] = {}
    for name, node in scope.nodes.items():
        for helper in (node.on_error, node.undo):
            if helper is not None and helper in scope.nodes:
                served.setdefault(helper, []).append(name)
    return served


def dependencies(scope: Scope, found: Mapping[str, Sequence[Use]] | None = None) -> dict[str, Dependencies]:
    """What each node of a scope waits for by data, by name; of nodes that are not scheduled by themselves too.

    Of a node whose ``join`` is not ``all``, only ``needs`` are hard. References of nodes named as ``on_error`` or
    ``undo`` are theirs, not of the nodes which they serve: `checks` sees to it that what they refer to is there.

    Args:
        scope: The scope.
        found: Its `uses`, if they are known.
    """
    found = uses(scope) if found is None else found
    return {name: _dependencies(node, scope, found[name]) for name, node in scope.nodes.items()}


def _dependencies(node: Node, scope: Scope, found: Sequence[Use]) -> Dependencies:
    here = [use.reference for use in found if use.reference.head in scope.nodes]
    hard = set(node.needs).intersection(scope.nodes)
    if node.join == "all":
        hard.update(reference.head for reference in here if not reference.optional)
    soft = {reference.head for reference in here} - hard
    if len(hard) + len(soft) == 0:
        return _NONE
    return Dependencies(_ordered(hard, scope), _ordered(soft, scope))


_NONE: Final = Dependencies()


def _ordered(names: set[str], scope: Scope) -> tuple[str, ...]:
    return tuple(names) if len(names) < 2 else tuple(name for name in scope.nodes if name in names)  # noqa: PLR2004


def uses(scope: Scope, *, template: Parse | None = None, condition: Parse | None = None) -> dict[str, list[Use]]:
    """The references of each node of a scope, by name. Of those in a node's body, the ones that lead out of it.

    Args:
        scope: The scope.
        template: Parses templates; as `references.parse`, if none is given.
        condition: Parses conditions; as `conditions.parse_condition`, if none is given.
    """
    finder = _Finder(template or _parse_template, condition or _parse_condition)
    return {name: list(finder.of_node(scope, name, frozenset())) for name in scope.nodes}


def _parse_template(value: Any, _path: Path) -> Iterable[Reference]:
    from pocketflow_otel.runtime.expressions.references import parse

    return parse(value).references


def _parse_condition(text: str, _path: Path) -> Iterable[Reference]:
    from pocketflow_otel.runtime.expressions.conditions import parse_condition

    return parse_condition(text).references


@dataclass(frozen=True, slots=True)
class _Finder:
    template: Parse
    condition: Parse

    def of_node(self, scope: Scope, name: str, names: frozenset[str]) -> Iterator[Use]:
        """The references of a node; `names` are what bodies around it have brought."""
        node, path = scope.nodes[name], scope.path_of(name)
        body = scope.bodies.get(name)
        if node.when is not None:
            at = (*path, "when")
            yield from (Use(reference, at, names) for reference in self.condition(node.when, at))
        for field, value in _templates(node, body):
            yield from self._of_template(value, (*path, *field), names)
        if body is not None:
            yield from self._of_body(body, (*path, "with"), names)

    def _of_template(self, value: Any, path: Path, names: frozenset[str]) -> Iterator[Use]:
        if not may_refer(value):
            return
        for reference in self.template(value, path):
            yield Use(reference, (*path, *reference.at), names)

    def _of_body(self, body: Body, path: Path, names: frozenset[str]) -> Iterator[Use]:
        brought = brought_by(body)
        inside = names | brought
        inner: list[Use] = []
        if body.scope is not None:
            for name in body.scope.nodes:
                inner.extend(self.of_node(body.scope, name, inside))
        if body.config.output is not None:
            inner.extend(self._of_template(body.config.output, (*path, "output"), inside))
        yield from (use for use in inner if use.reference.head not in brought)


def brought_by(body: Body) -> frozenset[str]:
    """What may be named inside a body and not outside: its nodes, and of a map its item and ``index``."""
    nodes = frozenset(body.scope.nodes if body.scope else ())
    return nodes | {body.config.as_, "index"} if isinstance(body.config, MapConfig) else nodes


def _templates(node: Node, body: Body | None) -> Iterator[tuple[Path, Any]]:
    """What of a node is a template that is resolved outside of its body."""
    yield ("reads",), {key: value for key, value in node.reads.items() if may_refer(value)}
    if node.action is not None:
        yield ("action",), node.action
    if body is None:
        yield ("with",), node.with_
    elif isinstance(body.config, MapConfig):
        yield ("with", "over"), body.config.over
    elif isinstance(body.config, WorkflowConfig):
        yield ("with", "inputs"), body.config.inputs


def may_refer(value: Any) -> bool:
    """Whether a value holds anything that a template looks at: ``${``, be it escaped."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(may_refer, value.values()))
    return isinstance(value, list) and any(map(may_refer, value))
