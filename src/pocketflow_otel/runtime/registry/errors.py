"""Why there is no such node type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketflow_otel.runtime.registry.node_types import NodeType


class NodeTypeError(Exception):
    """A node type can't be had.

    Attributes:
        message: Why.
        near: The nearest name that would do, if any.
    """

    def __init__(self, message: str, near: str | None = None) -> None:
        super().__init__(message, near)
        self.message = message
        self.near = near

    def __str__(self) -> str:
        return f"{self.message}; did you mean {self.near!r}?" if self.near else self.message


class UnknownType(NodeTypeError, LookupError):  # noqa: N818 - it names what it is about
    """Nothing is called so."""


class UnusableType(NodeTypeError, ValueError):  # noqa: N818 - likewise
    """There is one, but it can't be used: a library is missing, its module fails, or it is no node type.

    Attributes:
        kind: What it would be, where only a library is missing.
    """

    def __init__(self, message: str, near: str | None = None, *, kind: NodeType | None = None) -> None:
        super().__init__(message, near)
        self.kind = kind
