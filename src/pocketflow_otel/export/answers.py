"""What a receiver answers, beyond what OpenTelemetry's exporters make of it.

They take any HTTP status below 400 for success, a redirection or a proxy's page too, and never look at how many spans
were rejected: https://opentelemetry.io/docs/specs/otlp/#partial-success
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.export.confirmations import Confirmation, NotOtlpError, confirmation, read_answer, status_of
from pocketflow_otel.export.otlp_variables import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

LARGEST_MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""What a gRPC server takes unless it is told otherwise."""
_TOO_LARGE: Final = 413


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
    said = [value for _, value in partial_success.ListFields()]
    rejected = sum(value for value in said if isinstance(value, int))
    _take(Confirmation(max(rejected, 0), " ".join(value for value in said if isinstance(value, str))))


def take_http(response: Response, *_: Any, timeout: float = DEFAULT_TIMEOUT_SECONDS, **__: Any) -> None:
    """Takes an answer over HTTP; a hook for responses of `requests`, called before it reads the body.

    Args:
        response: The answer.
        timeout: How many seconds it may take to read.

    Raises:
        NotOtlpError: If the status is success, and yet this is no answer to OTLP.
        TimeoutError: If it takes too long.
        requests.ConnectionError: If it breaks off.
    """
    answers = _listening.answers
    deadline = time.monotonic() + timeout
    status = status_of(response)
    if 200 <= response.status_code < 300:  # noqa: PLR2004 - HTTP's range
        _take(confirmation(response, read_answer(response, deadline)))
        return
    # The status says enough; it is read because the connection may be needed again.
    with contextlib.suppress(OSError):
        read_answer(response, deadline)
    if response.status_code < 400:  # noqa: PLR2004 - HTTP's range
        raise NotOtlpError(status)
    if answers is not None:
        answers.refusal = status
        answers.too_large = response.status_code == _TOO_LARGE


def _take(said: Confirmation) -> None:
    answers = _listening.answers
    if answers is not None:
        answers.rejected += said.rejected
        answers.message = said.message or answers.message
