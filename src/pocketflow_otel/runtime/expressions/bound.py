"""An expression together with what its paths begin with: what a node type is handed to ask when it wants to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from pocketflow_otel.runtime.expressions.conditions import Expression
    from pocketflow_otel.runtime.expressions.paths import Lookup


class Bound:
    """An expression that can be evaluated.

    As a field of a configuration's model it also takes the text of one: that is how a document has it, and what checks
    of documents and editors see. A node that runs is always given a `Bound`.

    Attributes:
        text: As it is written.
    """

    __slots__ = ("_expression", "_lookup", "text")

    def __init__(self, expression: Expression, lookup: Lookup) -> None:
        self.text = expression.text
        self._expression = expression
        self._lookup = lookup

    def __repr__(self) -> str:
        return f"<{self.text}>"

    def value(self) -> Any:
        """What it gives: a JSON value.

        Raises:
            MissingValue: A path has no value.
            UnusableValue: An operator or a function can't be applied to the values there are.
        """
        return self._expression.value(self._lookup)

    def holds(self) -> bool:
        """Whether it is true.

        Raises:
            MissingValue: A path has no value.
            UnusableValue: As of `value`, or it is neither true nor false.
        """
        from pocketflow_otel.runtime.expressions.conditions import Condition

        return Condition.boolean(self.text, self.value())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(_checked)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


def _checked(value: Any) -> Any:
    from pocketflow_otel.runtime.expressions.conditions import parse_expression

    if isinstance(value, Bound):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a condition or expression as a text")  # noqa: TRY004 - pydantic's way
    parse_expression(value)
    return value
