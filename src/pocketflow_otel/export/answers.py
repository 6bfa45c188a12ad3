"""What a receiver answers, beyond what OpenTelemetry's exporters make of it.

They take any HTTP status below 400 for success, a redirection or a proxy's page too, and never look at how many spans
were rejected: https://opentelemetry.io/docs/specs/otlp/#partial-success
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

LONGEST_ANSWER_BYTES: Final = 64 * 1024
LARGEST_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""What a gRPC server takes unless it is told otherwise."""
_TOO_LARGE: Final = 413
_JSON: Final = "application/json"


@dataclass(slots=True)
class Answers:
    """What was answered while one batch was sent, maybe in several tries."""

    divisible: bool = False
    """Whether the batch can be sent in smaller ones."""
    too_large: bool = False
    """Whether it should be."""
    refusal: str = ""
    """The last HTTP status that was no success, in words."""
    rejected: int = 0
    """How many spans, log records or data points were not taken."""
    message: str = ""
    """What the receiver has to say, be it of rejected ones or as a warning."""


class NotOtlpError(Exception):
    """An answer that no OTLP receiver gives: what was sent can't be taken as received."""


class _Listening(threading.local):
    answers: Answers | None = None


_listening: Final = _Listening()


class TooLargeError(Exception):
    """A batch that a gRPC server would refuse for its size."""


@contextlib.contextmanager
def listening(*, divisible: bool) -> Iterator[Answers]:
    """Collects what is answered to this thread.

    Args:
        divisible: Whether what is sent can be sent in smaller batches.
    """
    outer, _listening.answers = _listening.answers, Answers(divisible)
    try:
        yield _listening.answers
    finally:
        _listening.answers = outer


def check_size(size_bytes: int) -> None:
    """Keeps back a message that a gRPC server would refuse for its size, where it can be sent in smaller ones.

    The server's answer is that of a busy one, and exporters try again for most of their timeout.

    Raises:
        TooLargeError: If it is one.
    """
    answers = _listening.answers
    if answers is not None and answers.divisible and size_bytes > LARGEST_MESSAGE_BYTES:
        answers.too_large = True
        raise TooLargeError


def take_grpc(partial_success: Any) -> None:
    """Takes what a receiver says of a batch over gRPC.

    Args:
        partial_success: An ``Export…PartialSuccess`` message of any signal: their fields have the same numbers.
    """
    _take(*(value for _, value in partial_success.ListFields()))


def take_http(response: Response, *_: Any, **__: Any) -> None:
    """Takes an answer over HTTP; a hook for responses of `requests`, called before it reads the body.

    Raises:
        NotOtlpError: If the status is success, and yet this is no answer to OTLP.
    """
    answers = _listening.answers
    status = f"HTTP {response.status_code} {response.reason or ''}".rstrip()
    body = _body(response)
    if 200 <= response.status_code < 300:  # noqa: PLR2004 - HTTP's range
        _take(*_partial_success(response, status, body))
    elif response.status_code < 400:  # noqa: PLR2004 - HTTP's range
        raise NotOtlpError(status)
    elif answers is not None:
        answers.refusal = status
        answers.too_large = response.status_code == _TOO_LARGE


def _take(*said: int | str) -> None:
    answers = _listening.answers
    if answers is not None:
        answers.rejected += sum(value for value in said if isinstance(value, int))
        answers.message = " ".join(value for value in said if isinstance(value, str)) or answers.message


def _partial_success(response: Response, status: str, body: bytes) -> tuple[int, str]:
    if len(body) > LONGEST_ANSWER_BYTES:
        raise NotOtlpError(f"{status}, but an answer of more than {LONGEST_ANSWER_BYTES // 1024} KB")
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        return _from_json(body) if content_type == _JSON else _from_protobuf(body)
    except Exception:  # noqa: BLE001 - a body may be anything, and its decoders raise many things
        what = f" of type {content_type}" if content_type else ""
        raise NotOtlpError(f"{status}, but an answer{what} that is not OTLP") from None


def _body(response: Response) -> bytes:
    """Reads an answer up to a byte more than the longest; what is left of it nobody reads."""
    # From below `requests`, which reads what is left once it has called its hooks.
    body: bytes = response.raw.read(LONGEST_ANSWER_BYTES + 1, decode_content=True)
    if len(body) > LONGEST_ANSWER_BYTES:
        response.close()
    return body


def _from_json(body: bytes) -> tuple[int, str]:
    said = (json.loads(body or b"{}") or {}).get("partialSuccess") or {}
    # int64 is a string in protobuf's JSON.
    rejected = sum(int(count) for name, count in said.items() if name.startswith("rejected"))
    return rejected, str(said.get("errorMessage", ""))


def _from_protobuf(body: bytes) -> tuple[int, str]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    said = ExportTraceServiceResponse.FromString(body).partial_success
    return said.rejected_spans, said.error_message
