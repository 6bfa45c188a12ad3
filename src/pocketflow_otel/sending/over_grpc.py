"""OTLP over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from pocketflow_otel.export.reasons import no_answer
from pocketflow_otel.sending.answers import Refused, TooLarge, TryAgain, Unreachable, accepted, line, speaks_of_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from pocketflow_otel.sending.answers import Answer
    from pocketflow_otel.sending.destination import Destination

# https://opentelemetry.io/docs/specs/otlp/#failures
_TRANSIENT: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
# Servers bound the size of requests with either.
_OF_SIZE: Final = frozenset({"RESOURCE_EXHAUSTED", "OUT_OF_RANGE"})
_COMPRESSIONS: Final = {"gzip": grpc.Compression.Gzip, "deflate": grpc.Compression.Deflate}
_NO_CONNECTION: Final = "failed to connect to all addresses; last error: "
_NO_TRUST: Final = "Tls handshake failed"
# gRPC would wait up to two minutes before it connects again, and fail all calls until then; we wait by ourselves.
_RECONNECT_MILLISECONDS: Final = 250


class GrpcTransport:
    """Sends requests over gRPC.

    Args:
        destination: Where to.
    """

    def __init__(self, destination: Destination) -> None:
        url = urlsplit(destination.url)
        target = url.netloc.rpartition("@")[2]
        options = [
            ("grpc.primary_user_agent", destination.headers["user-agent"]),
            ("grpc.initial_reconnect_backoff_ms", _RECONNECT_MILLISECONDS),
            ("grpc.max_reconnect_backoff_ms", _RECONNECT_MILLISECONDS),
        ]
        compression = _COMPRESSIONS.get(destination.compression, grpc.Compression.NoCompression)
        if url.scheme == "https":
            self._channel = grpc.secure_channel(target, _credentials(destination), options, compression)
        else:
            self._channel = grpc.insecure_channel(target, options, compression)
        self._export = TraceServiceStub(self._channel).Export  # type: ignore[no-untyped-call]  # generated without
        self._headers = tuple(_metadata(*header) for header in destination.headers.items() if header[0] != "user-agent")
        self._timeout_seconds = destination.timeout_seconds

    def send(self, request: ExportTraceServiceRequest) -> Answer:
        """Sends a request once, and waits for the answer."""
        try:
            return accepted(self._export(request, timeout=self._timeout_seconds, metadata=self._headers))
        except grpc.RpcError as error:
            return self._answer(error)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _answer(self, error: Any) -> Answer:
        code, details = error.code().name, error.details() or ""
        if code == "DEADLINE_EXCEEDED":
            return TryAgain(no_answer(self._timeout_seconds))
        reason = line(f"{code}: {details.removeprefix(_NO_CONNECTION)}".rstrip(": "))
        if _NO_TRUST in details:
            return Unreachable(reason)
        retry_info = next(_retry_infos(error), None)
        if code in _OF_SIZE and retry_info is None and speaks_of_size(details):
            return TooLarge(reason)
        if code in _TRANSIENT or (code == "RESOURCE_EXHAUSTED" and retry_info is not None):
            return TryAgain(reason, retry_info and retry_info.retry_delay.ToTimedelta().total_seconds())
        return Refused(reason)


def _metadata(name: str, value: str) -> tuple[str, str | bytes]:
    """A header as gRPC has it: those with such names are binary."""
    return name, value.encode() if name.endswith("-bin") else value


def _retry_infos(error: Any) -> Iterator[RetryInfo]:
    """What a server says about when to try again, among the details of its status."""
    for name, value in error.trailing_metadata() or ():
        if name != "grpc-status-details-bin":
            continue
        try:
            details = Status.FromString(value).details
        except DecodeError:
            continue
        for detail in details:
            retry_info = RetryInfo()
            if detail.Unpack(retry_info):
                yield retry_info


def _credentials(destination: Destination) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_read(destination.certificate),
        private_key=_read(destination.client_key),
        certificate_chain=_read(destination.client_certificate),
    )


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
