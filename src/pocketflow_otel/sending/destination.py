"""Where spans go, and how: from the command line, otherwise from the standard variables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from opentelemetry.util.re import parse_env_headers

from pocketflow_otel.export import otlp_variables
from pocketflow_otel.export.otlp_variables import GRPC, HTTP, HTTP_JSON, variable
from pocketflow_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pocketflow_otel.sending.answers import Transport

PROTOCOLS: Final = (GRPC, HTTP, HTTP_JSON)
DEFAULT_ENDPOINT: Final = f"http://localhost:{otlp_variables.DEFAULT_PORTS[HTTP]}"
_TRACES_PATH: Final = "/v1/traces"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HOST_AND_PORT: Final = re.compile(r"[\w.-]+:\d+")
_COMPRESSIONS: Final = ("none", "gzip", "deflate")


@dataclass(frozen=True, slots=True)
class Destination:
    """A server, and how to talk to it."""

    protocol: str
    """One of `PROTOCOLS`."""
    url: str = field(repr=False)
    """For HTTP the whole URL, for gRPC ``http://`` or ``https://`` with host and port."""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """By names in lower case."""
    timeout_seconds: float = otlp_variables.DEFAULT_TIMEOUT_SECONDS
    compression: str = "none"
    certificate: Path | None = None
    """The certificates to trust, those of the system where there is none."""
    client_certificate: Path | None = None
    client_key: Path | None = None

    @property
    def shown(self) -> str:
        """The URL without credentials and query, which may hold keys."""
        url = urlsplit(self.url)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"

    def connect(self) -> Transport:
        """Makes what carries requests there."""
        if self.protocol == GRPC:
            # Its core logs each failed handshake on stderr, and we tell by ourselves.
            os.environ.setdefault("GRPC_VERBOSITY", "NONE")
            from pocketflow_otel.sending.over_grpc import GrpcTransport

            return GrpcTransport(self)
        from pocketflow_otel.sending.over_http import HttpTransport

        return HttpTransport(self)


def resolve(
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Sequence[str] = (),
    timeout_seconds: float | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Destination:
    """Puts together what the command line and the standard variables say.

    Args:
        endpoint: As ``OTEL_EXPORTER_OTLP_ENDPOINT`` has it, ``http://`` where it has no scheme. ``/v1/traces`` is
            added to it for HTTP, unless it ends so.
        protocol: One of `PROTOCOLS`. Where neither it nor the variables tell, the endpoint does, by its path and port;
            one that tells nothing is HTTP, but where it comes from the variables gRPC, as for exporters.
        headers: ``NAME=VALUE``, beside those of the variables.
        timeout_seconds: How long one request may take.
        environ: The environment.

    Raises:
        ValueError: If something makes no sense; the message says what.
    """
    is_given = endpoint is not None or not otlp_variables.has_endpoint("TRACES", environ)
    if is_given:
        endpoint = _with_scheme(endpoint or DEFAULT_ENDPOINT)
        environ = {**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ""}
    if protocol is not None:
        environ = {**environ, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": protocol}
    spoken = otlp_variables.protocol("TRACES", environ, PROTOCOLS, undecided=HTTP if is_given else GRPC)
    return Destination(
        spoken,
        _grpc_url(environ) if spoken == GRPC else _http_url(environ),
        {
            "user-agent": f"pocketflow-otel/{__version__}",
            **_headers(environ),
            **dict(map(_header, headers)),
        },
        timeout_seconds or otlp_variables.timeout_seconds(environ),
        _compression(environ),
        _file(environ, "CERTIFICATE"),
        _file(environ, "CLIENT_CERTIFICATE"),
        _file(environ, "CLIENT_KEY"),
    )


def _with_scheme(endpoint: str) -> str:
    if "://" in endpoint:
        return endpoint
    host, _, port = endpoint.partition("/")[0].rpartition(":")
    # A port alone would be taken for a host, and a colon without a port for one that has the default.
    if port.isdecimal() and not host:
        raise ValueError(f"endpoint {endpoint!r}: expected http://HOST:PORT; near it is http://localhost:{port}")
    if not port:
        raise ValueError(f"endpoint {without_credentials(endpoint)!r}: expected http://HOST:PORT or https://HOST:PORT")
    return f"http://{endpoint}"


def _http_url(environ: Mapping[str, str]) -> str:
    own = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    url = _checked(own or environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
    path = url.path
    if not own and not path.rstrip("/").endswith(_TRACES_PATH):
        path = path.rstrip("/") + _TRACES_PATH
    return url._replace(path=path or "/", fragment="").geturl()


def _grpc_url(environ: Mapping[str, str]) -> str:
    text = variable(environ, "TRACES", "ENDPOINT")
    if "://" not in text:
        # As the standard has it: TLS, unless said otherwise.
        is_insecure = variable(environ, "TRACES", "INSECURE").strip().lower() == "true"
        text = f"{'http' if is_insecure else 'https'}://{text}"
    url = _checked(text)
    if url.path.strip("/"):
        raise ValueError(
            f"endpoint {without_credentials(text)}: gRPC has no use for the path {url.path}: expected http://HOST:PORT"
        )
    if url.port is None:
        url = url._replace(
            netloc=f"{url.netloc}:{443 if url.scheme == 'https' else otlp_variables.DEFAULT_PORTS[GRPC]}"
        )
    return f"{url.scheme}://{url.netloc}"


def _checked(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        is_right = url.scheme in ("http", "https") and _is_host(url.hostname or "") and url.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        near = f"; near it is http://{text}" if _HOST_AND_PORT.fullmatch(text) else ""
        raise ValueError(
            f"endpoint {without_credentials(text)!r}: expected http://HOST:PORT or https://HOST:PORT{near}"
        )
    return url


def _is_host(name: str) -> bool:
    """Whether a name may be that of a host, whether or not there is one.

    Raises:
        ValueError: If a part of it is empty or too long.
    """
    # As it is looked up, but for addresses of IPv6.
    return bool(name) and name.isprintable() and " " not in name and (":" in name or bool(name.encode("idna")))


def without_credentials(url: str) -> str:
    """A URL, or what was given as one, without credentials and query, which may hold keys."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    # A password may have any character.
    return scheme + separator + rest.rpartition("@")[2].partition("?")[0]


def _headers(environ: Mapping[str, str]) -> dict[str, str]:
    text = variable(environ, "TRACES", "HEADERS")
    # The library would log a header without a name, and that may be a key.
    if any(not header.partition("=")[0].strip() or "=" not in header for header in text.split(",") if header.strip()):
        raise ValueError("OTEL_EXPORTER_OTLP_HEADERS: expected NAME=VALUE,NAME=VALUE")
    return dict(_header(f"{name}={value}") for name, value in parse_env_headers(text, liberal=True).items())


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    name, value = name.strip().lower(), value.strip()
    if not separator or not _HEADER_NAME.fullmatch(name):
        # Without what follows, which may be a key.
        raise ValueError(f"header {name[:20]!r}: expected NAME=VALUE")
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"header {name}: its value has characters that no header may have")
    return name, value


def _compression(environ: Mapping[str, str]) -> str:
    asked = variable(environ, "TRACES", "COMPRESSION").strip().lower() or "none"
    if asked not in _COMPRESSIONS:
        raise ValueError(f"compression {asked!r} is not supported: expected {', '.join(_COMPRESSIONS)}")
    return asked


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    text = variable(environ, "TRACES", name)
    if not text:
        return None
    path = Path(text)
    if not os.access(path, os.R_OK) or not path.is_file():
        raise ValueError(f"OTEL_EXPORTER_OTLP_{name}: {path} is no file that can be read")
    return path
