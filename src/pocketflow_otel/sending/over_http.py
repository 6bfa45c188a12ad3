"""OTLP over HTTP, as protobuf or as JSON."""

from __future__ import annotations

import gzip
import time
import zlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import requests
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from pocketflow_otel.export.confirmations import NotOtlpError, confirmation, read_answer, status_of
from pocketflow_otel.export.otlp_variables import HTTP_JSON
from pocketflow_otel.export.reasons import no_answer, reason_of
from pocketflow_otel.sending.answers import Accepted, Refused, TooLarge, TryAgain, Unreachable, line, speaks_of_size
from pocketflow_otel.sending.destination import without_credentials
from pocketflow_otel.sending.messages import as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from pocketflow_otel.sending.answers import Answer
    from pocketflow_otel.sending.destination import Destination

# https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
_COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes]]] = {"gzip": gzip.compress, "deflate": zlib.compress}


class HttpTransport:
    """Sends requests over HTTP, one after the other on one connection.

    Args:
        destination: Where to.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._is_json = destination.protocol == HTTP_JSON
        self._session = requests.Session()
        # Given with each request: the session's own would stand back behind REQUESTS_CA_BUNDLE.
        self._verify: bool | str = str(destination.certificate) if destination.certificate else True
        if destination.client_certificate:
            certificate, key = destination.client_certificate, destination.client_key
            self._session.cert = (str(certificate), str(key)) if key else str(certificate)
        self._session.headers.update(destination.headers)
        self._session.headers["content-type"] = "application/json" if self._is_json else "application/x-protobuf"
        if destination.compression in _COMPRESSIONS:
            self._session.headers["content-encoding"] = destination.compression

    def send(self, request: ExportTraceServiceRequest) -> Answer:
        """Sends a request once, and waits for the answer."""
        body = as_json(request) if self._is_json else request.SerializeToString()
        compress = _COMPRESSIONS.get(self._destination.compression)
        seconds = self._destination.timeout_seconds
        deadline = time.monotonic() + seconds
        try:
            # A redirected POST would arrive as a GET, or take the headers' secrets somewhere else.
            with self._session.post(
                self._destination.url,
                compress(body) if compress else body,
                timeout=seconds,
                verify=self._verify,
                stream=True,
                allow_redirects=False,
            ) as response:
                return _answer(response, read_answer(response, deadline))
        except requests.exceptions.SSLError as error:
            return Unreachable(reason_of(error, seconds))
        except TimeoutError:
            return TryAgain(no_answer(seconds))
        except requests.RequestException as error:
            return TryAgain(reason_of(error, seconds))

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()


def _answer(response: requests.Response, content: bytes) -> Answer:
    status = response.status_code
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's range
        return _accepted(response, content)
    reason = line(f"{status_of(response)}: {_message(response, content)}".rstrip(": "))
    if status in _TRANSIENT:
        return TryAgain(reason, _retry_after(response.headers.get("retry-after", "")))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or speaks_of_size(reason):
        return TooLarge(reason)
    return Refused(reason)


def _accepted(response: requests.Response, content: bytes) -> Answer:
    try:
        said = confirmation(response, content)
    except NotOtlpError as error:
        return Refused(line(f"{error}; is the URL right?"))
    return Accepted(said.rejected, line(said.message))


def _message(response: requests.Response, content: bytes) -> str:
    """What a server says of an error: by OTLP in a `google.rpc.Status`, otherwise as it stands there."""
    if "location" in response.headers and not content:
        return f"it is at {without_credentials(response.headers['location'])}"
    status = Status()
    if content and _parse(content, status) and status.message:
        message: str = status.message
        return message
    is_page = "html" in response.headers.get("content-type", "")
    return "" if is_page else content.decode("utf-8", "replace")


def _parse(content: bytes, message: Message) -> bool:
    """Reads a message, in protobuf or in JSON: not every server has the right content type. Nothing is empty."""
    try:
        if content.lstrip()[:1] == b"{":
            json_format.Parse(content, message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(content)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError):
        return False
    return True


def _retry_after(text: str) -> float | None:
    """Reads ``Retry-After``: seconds, or a date."""
    if text.strip().isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
