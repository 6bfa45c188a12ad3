"""What may go wrong with a request."""

from __future__ import annotations


class HttpError(Exception):
    """A request that did not bring what it was made for."""


class HttpStatusError(HttpError):
    """An answer with a status that was not expected.

    Args:
        message: What happened, with the beginning of the body.
        status: The status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class HttpConnectionError(HttpError):
    """Nobody could be reached, or the connection broke."""


class HttpTimeoutError(HttpError):
    """The answer took too long."""


class HttpBodyError(HttpError):
    """The answer's body is too large, or not what it was to be read as."""
