"""What a receiver says over HTTP when it answers with success.

Receivers that are lenient confirm with any text or none, and OpenTelemetry's exporters take that; so only a web page,
and what claims to be an answer of OTLP and is none, say that nobody took what was sent.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from requests import Response

LONGEST_ANSWER_BYTES: Final = 64 * 1024
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_PAGES: Final = ("text/html", "application/xhtml+xml")
_PAGE_STARTS: Final = (b"<!doctype html", b"<html")


class NotOtlpError(Exception):
    """An answer that no OTLP receiver gives: what was sent can't be taken as received."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was taken was all, but for what was rejected."""

    rejected: int = 0
    """How many spans, log records or data points were not taken."""
    message: str = ""
    """Why they were rejected, or a warning where none were."""


def status_of(response: Response) -> str:
    """The status of an answer, in words: those of the receiver, which need not have any."""
    known = {int(status): status.phrase for status in HTTPStatus}
    return f"HTTP {response.status_code} {response.reason or known.get(response.status_code, '')}".rstrip()


def read_answer(response: Response, deadline: float) -> bytes:
    """Reads an answer, up to a byte more than the longest; what is left of it nobody reads.

    Args:
        response: The answer, nothing of which was read.
        deadline: When to stop, by `time.monotonic`. The library itself only bounds the time between two packets.

    Raises:
        TimeoutError: If the time is up.
        requests.ConnectionError: If it breaks off.
    """
    import requests
    import urllib3

    answer = bytearray()
    try:
        # Byte by byte: it waits until a chunk is full, however long that takes. From below `requests`, which reads what
        # is left once it has called its hooks.
        for byte in response.raw.stream(1, decode_content=True):
            answer += byte
            if time.monotonic() > deadline:
                raise TimeoutError
            if len(answer) > LONGEST_ANSWER_BYTES:
                break
        else:
            return bytes(answer)
    except urllib3.exceptions.ReadTimeoutError:
        raise TimeoutError from None
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error, response=response) from error
    finally:
        # A whole answer has given its connection back by now.
        response.raw.close()
    return bytes(answer)


def confirmation(response: Response, answer: bytes) -> Confirmation:
    """Reads the answer to a request that succeeded.

    Args:
        response: For its status and headers.
        answer: What `read_answer` gave.

    Raises:
        NotOtlpError: If it is a web page, or claims to be OTLP and is not.
    """
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    status = status_of(response)
    if _is_page(kind, answer):
        raise NotOtlpError(f"{status}, but an answer of type {kind or 'text/html'} that is not OTLP")
    try:
        return _read(kind, answer)
    except Exception:  # noqa: BLE001 - a body may be anything, and its decoders raise many things
        if kind not in (_PROTOBUF, _JSON):
            return Confirmation()
    if len(answer) > LONGEST_ANSWER_BYTES:
        raise NotOtlpError(f"{status}, but an answer of more than {LONGEST_ANSWER_BYTES // 1024} KB")
    raise NotOtlpError(f"{status}, but an answer of type {kind} that is not OTLP")


def _is_page(kind: str, answer: bytes) -> bool:
    # Many frameworks call any text HTML, an OK too.
    start = answer.lstrip()[:20].lower()
    return start.startswith(b"<" if kind in _PAGES else _PAGE_STARTS)


def _read(kind: str, answer: bytes) -> Confirmation:
    # No message of protobuf begins like that, and not every receiver has the right type.
    if kind == _JSON or answer.lstrip().startswith(b"{"):
        return _from_json(answer)
    return _from_protobuf(answer) if kind in ("", _PROTOBUF) else Confirmation()


def _from_json(answer: bytes) -> Confirmation:
    document = json.loads(answer.strip() or b"{}")
    said = document.get("partialSuccess") if isinstance(document, dict) else None
    if not isinstance(said, dict):
        return Confirmation()
    # Each signal has a name of its own for them, and int64 is a string in protobuf's JSON.
    rejected = sum(int(count or 0) for name, count in said.items() if name.startswith("rejected"))
    return Confirmation(max(rejected, 0), str(said.get("errorMessage") or ""))


def _from_protobuf(answer: bytes) -> Confirmation:
    # Those of other signals have the same numbers.
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    said = ExportTraceServiceResponse.FromString(answer).partial_success
    return Confirmation(max(said.rejected_spans, 0), said.error_message)
