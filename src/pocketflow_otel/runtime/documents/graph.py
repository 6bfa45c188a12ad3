"""What the nodes of a scope refer to, and thereby wait for: said once, for checks, plans and pictures.

`Uses` finds the references of nodes, those in their bodies included. `dependencies` makes of them what each node waits
for by data.
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
    from pocketflow_otel.runtime.expressions.errors import ConditionSyntaxError, ReferenceSyntaxError
    from pocketflow_otel.runtime.expressions.references import Reference

    ExpressionsOf = Callable[[str], Sequence[tuple[str, ...]]]
    """Where in ``with`` expressions stand, by the name of the node's type: as `FunctionType.expressions`."""
    Unreadable = ReferenceSyntaxError | ConditionSyntaxError
    Told = Callable[[Path, Unreadable], None]
    """Is told of what can't be read, and where it stands."""


MOST_REFERENCES: Final = 100_000
"""References of a document: more take more than a second."""
MOST_ERRORS: Final = 1000
"""After so many texts that can't be read, no further ones are looked at."""


@dataclass(frozen=True, slots=True)
class Use:
    """A reference, and where it stands.

    Attributes:
        reference: The reference.
        path: The document's value that holds it.
    """

    reference: Reference
    path: Path


class Uses:
    """The references of a document's nodes. Each node is read once.

    Args:
        expressions: Tells where expressions stand, by the name of the node's type: `Registry.expressions`.
        errors: Is told of what can't be read; without it, that is raised.

    Raises:
        ReferenceSyntaxError: By the methods, for a text that can't be read.
        ConditionSyntaxError: Likewise, for a condition.
    """

    def __init__(self, expressions: ExpressionsOf, errors: Told | None = None) -> None:
        self._expressions = expressions
        self._errors = errors
        self._read: dict[Path, tuple[Use, ...]] = {}
        self._left = MOST_REFERENCES
        self._told = 0

    def of_node(self, scope: Scope, name: str) -> tuple[Use, ...]:
        """The references of a node itself: of one that holds nodes, what is resolved outside of its body."""
        path = scope.path_of(name)
        if path not in self._read:
            self._read[path] = tuple(self._of_node(scope.nodes[name], scope.bodies.get(name), path))
        return self._read[path]

    def of_output(self, body: Body, path: Path) -> tuple[Use, ...]:
        """The references in what a body gives. They see what is inside.

        Args:
            body: The body.
            path: Where the node stands that holds it.
        """
        at = (*path, "with", "output")
        if at not in self._read:
            self._read[at] = self.of_value(body.config.output, at)
        return self._read[at]

    def of_value(self, value: Any, path: Path) -> tuple[Use, ...]:
        """The references of any template, such as an output of the document."""
        return tuple(self._of_template(value, path))

    def leading_out(self, scope: Scope, name: str) -> Iterator[Use]:
        """The references of a node, and those in its body that lead out of it."""
        yield from self.of_node(scope, name)
        if (body := scope.bodies.get(name)) is not None:
            brought = brought_by(body)
            inside = (self.leading_out(body.scope, inner) for inner in body.scope.nodes) if body.scope else ()
            for uses in (*inside, self.of_output(body, scope.path_of(name))):
                yield from (use for use in uses if use.reference.head not in brought)

    def _of_node(self, node: Node, body: Body | None, path: Path) -> Iterator[Use]:
        if node.when is not None:
            yield from self._of_condition(node.when, (*path, "when"))
        yield from self._of_template(
            {key: value for key, value in node.reads.items() if may_refer(value)}, (*path, "reads")
        )
        yield from self._of_template(node.action, (*path, "action"))
        if body is None:
            yield from self._of_config(node, (*path, "with"))
        elif isinstance(body.config, MapConfig):
            yield from self._of_template(body.config.over, (*path, "with", "over"))
        elif isinstance(body.config, WorkflowConfig):
            yield from self._of_template(body.config.inputs, (*path, "with", "inputs"))

    def _of_condition(self, text: str, path: Path) -> Iterator[Use]:
        from pocketflow_otel.runtime.expressions.conditions import parse_condition
        from pocketflow_otel.runtime.expressions.errors import ConditionSyntaxError

        if self._is_enough:
            return iter(())
        try:
            references = parse_condition(text).references
        except ConditionSyntaxError as error:
            return self._tell([(path, error)])
        return self._placed(references, path)

    def _of_template(self, value: Any, path: Path) -> Iterator[Use]:
        from pocketflow_otel.runtime.expressions.errors import ReferenceSyntaxError
        from pocketflow_otel.runtime.expressions.references import parse, syntax_errors

        if self._is_enough or not may_refer(value):
            return iter(())
        try:
            references = parse(value).references
        except ReferenceSyntaxError:
            return self._tell([((*path, *error.path), error) for error in syntax_errors(value)])
        return self._placed(references, path)

    def _of_config(self, node: Node, path: Path) -> Iterator[Use]:
        from pocketflow_otel.runtime.expressions.config import config_errors, parse_config
        from pocketflow_otel.runtime.expressions.errors import ReferenceSyntaxError

        expressions = self._expressions(node.type)
        if not expressions:
            return self._of_template(node.with_, path)
        if self._is_enough:
            return iter(())
        try:
            references = parse_config(node.with_, expressions).references
        except ReferenceSyntaxError:
            return self._tell([((*path, *error.path), error) for error in config_errors(node.with_, expressions)])
        return self._placed(references, path)

    @property
    def _is_enough(self) -> bool:
        """Whether what follows is left unread: more faults than anyone reads, or more references than are read."""
        return self._left < 0 or self._told >= MOST_ERRORS

    def _placed(self, references: Sequence[Reference], path: Path) -> Iterator[Use]:
        from pocketflow_otel.runtime.expressions.errors import ReferenceSyntaxError

        self._left -= len(references)
        if self._left < 0:
            message = f"a document has at most {MOST_REFERENCES:,} references; what follows is not looked at"
            return self._tell([(path, ReferenceSyntaxError(message, (), 0))])
        return (Use(reference, (*path, *reference.at)) for reference in references)

    def _tell(self, errors: Sequence[tuple[Path, Unreadable]]) -> Iterator[Use]:
        self._told += len(errors)
        for path, error in errors:
            if self._errors is None:
                raise error
            self._errors(path, error)
        return iter(())


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


def dependencies(scope: Scope, uses: Uses) -> dict[str, Dependencies]:
    """What each node of a scope waits for by data, by name; of nodes that are not scheduled by themselves too.

    Of a node whose ``join`` is not ``all``, only ``needs`` are hard. References of nodes named as ``on_error`` or
    ``undo`` are theirs, not of the nodes which they serve: `checks` sees to it that what they refer to is there.
    """
    order = {name: number for number, name in enumerate(scope.nodes)}
    return {name: _dependencies(node, order, uses.leading_out(scope, name)) for name, node in scope.nodes.items()}


def _dependencies(node: Node, order: Mapping[str, int], uses: Iterable[Use]) -> Dependencies:
    here = [use.reference for use in uses if use.reference.head in order]
    hard = {need for need in node.needs if need in order}
    if node.join == "all":
        hard.update(reference.head for reference in here if not reference.optional)
    soft = {reference.head for reference in here} - hard
    if not hard and not soft:
        return _NONE
    return Dependencies(*(tuple(sorted(names, key=order.__getitem__)) for names in (hard, soft)))


_NONE: Final = Dependencies()


def helpers(scope: Scope) -> dict[str, list[str]]:
    """Which nodes are named as ``on_error`` or ``undo``, and by which nodes. They are not scheduled by themselves."""
    served: dict[str, list[str]] = {}
    for name, node in scope.nodes.items():
        for helper in (node.on_error, node.undo):
            if helper is not None and helper != name and helper in scope.nodes:
                served.setdefault(helper, []).append(name)
    return served


def brought_by(body: Body) -> frozenset[str]:
    """What may be named inside a body and not outside: its nodes, and of a map its item and ``index``."""
    nodes = frozenset(body.scope.nodes if body.scope else ())
    return nodes | {body.config.as_, "index"} if isinstance(body.config, MapConfig) else nodes


def may_refer(value: Any) -> bool:
    """Whether a value holds anything that a template looks at: ``${``, be it escaped."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(map(may_refer, value.values()))
    return isinstance(value, list) and any(map(may_refer, value))
