"""Conditions and expressions: ``score >= 0.5 and inputs.kind in ["a", "b"]``.

Paths such as ``fetch.rows[0].name`` are references: they are followed as in templates, and only a JSON copy of what
they name is ever seen by the evaluator. ``exists(path)`` and ``default(path, other)`` do without a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.expressions.checking import read
from pocketflow_otel.runtime.expressions.errors import ConditionSyntaxError, UnusableValue
from pocketflow_otel.runtime.expressions.evaluator import evaluate
from pocketflow_otel.runtime.expressions.json_values import kind_of

if TYPE_CHECKING:
    from pocketflow_otel.runtime.expressions.checking import Checked
    from pocketflow_otel.runtime.expressions.paths import Lookup, Reference

__all__ = ["Condition", "ConditionSyntaxError", "Expression", "parse_condition", "parse_expression"]


class Expression:
    """An expression, read and checked.

    Attributes:
        text: As it is written.
        references: All paths in it, in order.
    """

    __slots__ = ("_readers", "_tree", "references", "text")

    def __init__(self, text: str, checked: Checked) -> None:
        self.text = text
        self.references: tuple[Reference, ...] = checked.references
        self._tree = checked.tree
        self._readers = checked.readers

    def value(self, lookup: Lookup) -> Any:
        """What it gives: a JSON value.

        Args:
            lookup: Gives what paths begin with. Asked only for what is needed: ``a and b`` may do without b.

        Raises:
            MissingValue: A path has no value.
            UnusableValue: An operator or a function can't be applied to the values there are.
        """
        readers = self._readers
        try:
            return evaluate(self._tree, self.text, lambda name: readers[name](lookup))
        except UnusableValue as error:
            raise UnusableValue(f"{self.text!r}: {error.message}", error.near) from None


class Condition(Expression):
    """An expression that is true or false."""

    __slots__ = ()

    def holds(self, lookup: Lookup) -> bool:
        """Whether it is true.

        Raises:
            MissingValue: A path has no value.
            UnusableValue: As of `value`, or what it gives is neither true nor false.
        """
        return self.boolean(self.text, self.value(lookup))

    @staticmethod
    def boolean(text: str, value: Any) -> bool:
        """The result of a condition.

        Raises:
            UnusableValue: It is neither true nor false.
        """
        if type(value) is bool:
            return value
        raise UnusableValue(f"{text!r}: true or false was expected as the result, not {kind_of(value)}")


def parse_condition(text: str) -> Condition:
    """Reads a condition.

    Raises:
        ConditionSyntaxError: It is none, too long, or holds what conditions do not know.
    """
    return Condition(text, read(text))


def parse_expression(text: str) -> Expression:
    """Reads an expression.

    Raises:
        ConditionSyntaxError: It is none, too long, or holds what expressions do not know.
    """
    return Expression(text, read(text))
