"""What a server makes of a request, whatever the protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from pocketflow_otel.export.reasons import brief

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )

_LONGEST_MESSAGE: Final = 500
# gRPC: "Received message larger than max (5 vs. 4)" (C++, Go), "gRPC message exceeds maximum size 4: 5" (Java),
# "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes" (Rust). HTTP with status 400:
# "http: request body too large" (Go).
_TOO_LARGE: Final = re.compile(r"larger than max|exceeds (the )?max|too large|message size", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the spans, but for those it rejected."""

    rejected_spans: int = 0
    message: str = ""
    """Why it rejected spans, or a warning where it rejected none."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server did not take the spans, and would not when asked again."""

    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The request was too large for the server."""

    reason: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The server could not be reached, or cannot take the spans now."""

    reason: str
    after_seconds: float | None = None
    """When it wants to be asked again, None where it did not say."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The server cannot be reached, and trying again would not help: its certificate is not trusted, for instance."""

    reason: str


Answer = Accepted | Refused | TooLarge | TryAgain | Unreachable


class Transport(Protocol):
    """Carries requests to a server."""

    def send(self, request: ExportTraceServiceRequest) -> Answer:
        """Sends a request once, and waits for the answer."""

    def close(self) -> None:
        """Closes the connection."""


def accepted(response: ExportTraceServiceResponse) -> Accepted:
    """What a server says when it took a request."""
    partial = response.partial_success
    return Accepted(partial.rejected_spans, line(partial.error_message))


def speaks_of_size(message: str) -> bool:
    """Whether a server's message is that a request was too large; only some servers have a status of its own for it."""
    return _TOO_LARGE.search(message) is not None


def line(message: str) -> str:
    """A server's message as one line that does nothing to a terminal, cut where it is long."""
    return brief("".join(char if char.isprintable() else " " for char in message), _LONGEST_MESSAGE)
