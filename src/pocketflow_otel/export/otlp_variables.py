"""What the standard variables, ``OTEL_EXPORTER_OTLP_*``, say about where OTLP goes, and how it is spoken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

Signal = Literal["TRACES", "METRICS", "LOGS"]

GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"
HTTP_JSON: Final = "http/json"
DEFAULT_TIMEOUT_SECONDS: Final = 10.0
LONGEST_TIMEOUT_SECONDS: Final = 1e6
"""Sockets and threads cannot wait for any number of seconds."""
_HEADERS, _ENDPOINTS = (
    tuple(f"OTEL_EXPORTER_OTLP_{signal}{name}" for signal in ("", "TRACES_", "METRICS_", "LOGS_"))
    for name in ("HEADERS", "ENDPOINT")
)
_SHORTEST_KEY: Final = 6
"""In characters: shorter words stand in any text."""
DEFAULT_PORTS: Final = {GRPC: 4317, HTTP: 4318}


def timeout_seconds(environ: Mapping[str, str] = os.environ) -> float:
    """How long one export may take: ``OTEL_EXPORTER_OTLP_TIMEOUT``, in seconds as the SDK reads it."""
    text = variable(environ, "TRACES", "TIMEOUT")
    try:
        seconds = float(text)
    except ValueError:
        return DEFAULT_TIMEOUT_SECONDS
    return seconds if 0 < seconds <= LONGEST_TIMEOUT_SECONDS else DEFAULT_TIMEOUT_SECONDS


def protocol(
    signal: Signal = "TRACES",
    environ: Mapping[str, str] = os.environ,
    supported: tuple[str, ...] = (GRPC, HTTP),
    undecided: str = GRPC,
) -> str:
    """How OTLP is spoken.

    Args:
        signal: Which signal.
        environ: The environment.
        supported: What may be asked for.
        undecided: What it is where neither protocol nor endpoint tell; the SDK's default unless said otherwise.

    Returns:
        What the standard variables say. By default what the endpoint's port stands for, and HTTP where it has a path,
        which gRPC has no use for.

    Raises:
        ValueError: If the variables ask for something else.
    """
    asked = variable(environ, signal, "PROTOCOL").strip()
    if asked in supported:
        return asked
    if asked:
        raise ValueError(
            f"protocol {asked!r} is not supported: expected {', '.join(supported[:-1])} or {supported[-1]}"
        )
    url = _url(environ, signal)
    if url.path.strip("/"):
        return HTTP
    return next((spoken for spoken, port in DEFAULT_PORTS.items() if port == _port(url)), undecided)


def endpoint(signal: Signal = "TRACES", environ: Mapping[str, str] = os.environ) -> str:
    """Where OTLP goes: scheme, host and port, without credentials, path and query, which may hold keys."""
    spoken = protocol(signal, environ)
    url = _url(environ, signal)
    port = _port(url) or (None if url.scheme == "https" else DEFAULT_PORTS[spoken])
    host = url.hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    return f"{url.scheme or 'http'}://{host}" + (f":{port}" if port else "")


def has_endpoint(signal: Signal, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a receiver for a signal."""
    return bool(variable(environ, signal, "ENDPOINT"))


def variable(environ: Mapping[str, str], signal: Signal, name: str) -> str:
    """The value of a standard variable: that of the signal, otherwise that of all signals, or an empty text.

    Args:
        environ: The environment.
        signal: Which signal.
        name: Its last part: ``ENDPOINT``, ``HEADERS``.
    """
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_{name}", "")
    return own or environ.get(f"OTEL_EXPORTER_OTLP_{name}", "")


def without_keys(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """A text that quotes no key of the variables: libraries and servers name what they cannot use."""
    for key in sorted(_keys(environ), key=len, reverse=True):
        text = text.replace(key, "…")
    return text


def _keys(environ: Mapping[str, str]) -> set[str]:
    """The words of all headers, and of all endpoints the credentials and the query."""
    headers = (header.partition("=")[2] for name in _HEADERS for header in environ.get(name, "").split(","))
    words = {word for value in headers for word in (*value.split(), *unquote(value).split())}
    for endpoint in (environ.get(name, "") for name in _ENDPOINTS):
        place, _, query = endpoint.partition("://")[2].partition("?")
        words |= {place.rpartition("@")[0], query}
    return {word for word in words if len(word) >= _SHORTEST_KEY}


def _url(environ: Mapping[str, str], signal: Signal) -> SplitResult:
    text = variable(environ, signal, "ENDPOINT")
    # gRPC takes a host and port alone as well.
    return urlsplit(text if "//" in text else f"//{text}")


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        return None
