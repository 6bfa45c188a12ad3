"""What can go wrong with connections."""

from __future__ import annotations


class UnknownConnection(LookupError):  # noqa: N818 - it names what it is about
    """There is no such connection, or no such family.

    Attributes:
        near: The nearest valid name, if any.
    """

    def __init__(self, message: str, near: str | None = None) -> None:
        super().__init__(f"{message}; did you mean {near!r}?" if near else message)
        self.near = near


class ConnectionFailed(RuntimeError):  # noqa: N818 - likewise
    """A connection can't be opened. The message holds no secret."""
