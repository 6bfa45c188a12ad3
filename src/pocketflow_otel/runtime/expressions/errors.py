"""What can be wrong with references, templates, conditions and expressions, and with the values they are given."""

from __future__ import annotations


class ExpressionError(Exception):
    """The message, and the nearest valid name.

    Attributes:
        message: What is wrong, and what was expected.
        near: The nearest valid name, if any.
    """

    def __init__(self, message: str, near: str | None = None) -> None:
        super().__init__(message, near)
        self.message = message
        self.near = near

    def __str__(self) -> str:
        return f"{self.message}; did you mean {self.near!r}?" if self.near else self.message


class ReferenceSyntaxError(ExpressionError, ValueError):
    """A text that holds what is no reference.

    Attributes:
        path: Where the text stands in the structure that was parsed.
        offset: The character of the text at which it goes wrong, from 0.
    """

    def __init__(self, message: str, path: tuple[str | int, ...], offset: int, near: str | None = None) -> None:
        super().__init__(message, near)
        self.path = path
        self.offset = offset


class ConditionSyntaxError(ExpressionError, ValueError):
    """A text that is no condition or expression.

    Attributes:
        offset: The character at which it goes wrong, from 0.
    """

    def __init__(self, message: str, offset: int, near: str | None = None) -> None:
        super().__init__(message, near)
        self.offset = offset


class MissingValue(ExpressionError, LookupError):  # noqa: N818 - it names what it is about
    """A reference names what is not there (yet)."""


class UnusableValue(ExpressionError, ValueError):  # noqa: N818 - likewise
    """A value is not of a kind that can be used here."""
