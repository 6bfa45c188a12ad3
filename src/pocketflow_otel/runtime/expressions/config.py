"""What ``with`` holds, read: its references, and the conditions and expressions that its node type says are in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.expressions.bound import Bound
from pocketflow_otel.runtime.expressions.conditions import Expression, parse_expression
from pocketflow_otel.runtime.expressions.errors import ConditionSyntaxError
from pocketflow_otel.runtime.expressions.references import Lookup, Reference, ReferenceSyntaxError, parse, syntax_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Place = tuple[str | int, ...]


class ConfigTemplate:
    """A configuration whose references and expressions are read.

    Attributes:
        references: All references in it: those in its texts, then those in its expressions.
    """

    __slots__ = ("_expressions", "_template", "references")

    def __init__(self, config: Mapping[str, Any], expressions: Mapping[Place, Expression]) -> None:
        self._template = parse(_without(config, expressions))
        self._expressions = tuple(expressions.items())
        inside = (replace(each, at=at) for at, expression in self._expressions for each in expression.references)
        self.references: tuple[Reference, ...] = (*self._template.references, *inside)

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in every run of the node."""
        return self._template.is_constant and not self._expressions

    def resolve(self, lookup: Lookup) -> Any:
        """The configuration for one run of the node: values in place of references, a `Bound` for each expression.

        Args:
            lookup: Gives what references begin with; kept by the `Bound` objects until the node has run.

        Raises:
            MissingValue: As of `Template.resolve`.
            UnusableValue: As of `Template.resolve`.
        """
        resolved = self._template.resolve(lookup)
        for at, expression in self._expressions:
            resolved = _with(resolved, at, Bound(expression, lookup))
        return resolved


def parse_config(config: Mapping[str, Any], expressions: Sequence[tuple[str, ...]]) -> ConfigTemplate:
    """Reads a configuration.

    Args:
        config: What stands under ``with``.
        expressions: Where in it expressions stand: `FunctionType.expressions`.

    Raises:
        ReferenceSyntaxError: A text can't be read, or an expression (then the path leads to it).
    """
    found, errors = _read(config, expressions)
    if errors:
        raise errors[0]
    return ConfigTemplate(config, found)


def config_errors(config: Mapping[str, Any], expressions: Sequence[tuple[str, ...]]) -> list[ReferenceSyntaxError]:
    """All that keeps a configuration from being read, expressions included."""
    found, errors = _read(config, expressions)
    places = {error.path for error in errors}
    return [*errors, *(each for each in syntax_errors(config) if each.path not in places and each.path not in found)]


def _read(
    config: Mapping[str, Any], expressions: Sequence[tuple[str, ...]]
) -> tuple[dict[Place, Expression], list[ReferenceSyntaxError]]:
    found: dict[Place, Expression] = {}
    errors = []
    for pattern in expressions:
        for at, text in _matching(config, pattern, ()):
            try:
                found[at] = parse_expression(text)
            except ConditionSyntaxError as error:
                errors.append(ReferenceSyntaxError(error.message, at, error.offset, error.near))
    return found, errors


def _matching(value: Any, pattern: tuple[str, ...], at: Place) -> Iterator[tuple[Place, str]]:
    """The texts that a pattern leads to. What is of another kind is left to the configuration's model."""
    if not pattern:
        if isinstance(value, str):
            yield at, value
        return
    step, *rest = pattern
    for key, item in _items(value):
        if step in {"*", key}:
            yield from _matching(item, tuple(rest), (*at, key))


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _without(config: Any, expressions: Mapping[Place, Expression]) -> Any:
    for at in expressions:
        config = _with(config, at, None)
    return config


def _with(value: Any, at: Place, new: Any) -> Any:
    """A structure with something else at a place; what is not on the way there is shared."""
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = _with(value[at[0]], at[1:], new)
    return copy
