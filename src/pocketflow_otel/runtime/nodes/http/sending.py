"""Sends a request and follows where it is redirected to, with what went wrong in plain sentences."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import cache
from typing import TYPE_CHECKING, Final

import httpx

from pocketflow_otel.capture.redaction import Redactor
from pocketflow_otel.runtime.nodes.http.errors import HttpConnectionError, HttpError, HttpTimeoutError
from pocketflow_otel.runtime.nodes.http.urls import place, same_origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_SECONDS: Final = 30.0
_ORDINARY_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "accept-language", "connection", "content-length", "content-type", "host",
     "transfer-encoding", "user-agent"}
)  # fmt: skip


@cache
def tls() -> ssl.SSLContext:
    """What certificates are checked with, made once: to read those of all authorities takes longer than a request."""
    return httpx.create_ssl_context()


def new_client() -> httpx.AsyncClient:
    """A client without base URL and credentials."""
    return httpx.AsyncClient(verify=tls(), timeout=_SECONDS)


@contextlib.asynccontextmanager
async def answered(
    client: httpx.AsyncClient, request: httpx.Request, *, redirects: int, seconds: float
) -> AsyncIterator[httpx.Response]:
    """The answer to a request, its body not yet read.

    Headers that may give access do not go along to another server.

    Args:
        client: Sends it.
        request: The request.
        redirects: How many redirections to follow.
        seconds: What all of it may take, the block that reads the body included.

    Raises:
        HttpConnectionError: Nobody could be reached, or the connection broke.
        HttpTimeoutError: It took too long.
        HttpError: It can't be sent, or was redirected too often.
    """
    with _explaining(request, seconds):
        async with asyncio.timeout(seconds):
            response = await client.send(request, stream=True, follow_redirects=False)
            try:
                for _ in range(redirects):
                    if response.next_request is None:
                        break
                    response = await _followed(client, request, response)
                if redirects and response.next_request is not None:
                    raise HttpError(f"{request.method} {place(request.url)}: redirected more than {redirects} times")
                yield response
            finally:
                await response.aclose()


async def _followed(client: httpx.AsyncClient, first: httpx.Request, response: httpx.Response) -> httpx.Response:
    following = response.next_request
    assert following is not None  # noqa: S101 - for the type checker
    await response.aclose()
    if same_origin(first.url, following.url):
        return await client.send(following, stream=True, follow_redirects=False)
    is_secret = Redactor().is_secret_name
    added = set(client.headers) - _ORDINARY_HEADERS
    for name in [name for name in following.headers if name in added or is_secret(name)]:
        del following.headers[name]
    return await client.send(following, stream=True, follow_redirects=False, auth=None)


@contextlib.contextmanager
def _explaining(request: httpx.Request, seconds: float) -> Iterator[None]:
    what = f"{request.method} {place(request.url)}"
    try:
        yield
    except (TimeoutError, httpx.TimeoutException):
        raise HttpTimeoutError(f"{what}: no complete answer within {seconds:g} s") from None
    except httpx.UnsupportedProtocol:
        raise HttpError(f"{what}: expected a URL that begins with http:// or https://") from None
    except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
        raise HttpConnectionError(f"{what}: {_reason(error, request.url)}") from None


def _reason(error: Exception, url: httpx.URL) -> str:
    at = f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"
    known = (_of_system(cause, at, url.host) for cause in _causes(error) if isinstance(cause, OSError))
    told = next((reason for reason in known if reason is not None), None)
    general = {
        httpx.ConnectError: f"{at} can't be reached",
        httpx.ProxyError: "the proxy refused",
        httpx.DecodingError: "the body is not compressed as its header says",
        httpx.InvalidURL: "it leads to an invalid URL",
        httpx.LocalProtocolError: "a header has characters that no header may have",
    }
    return told or general.get(type(error), f"the connection to {at} broke before the answer was complete")


def _of_system(cause: OSError, at: str, host: str) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"the certificate of {at} is not trusted: {cause.verify_message}"
        case ssl.SSLError():
            return f"no TLS with {at}: {cause.reason or 'the handshake failed'}"
        case socket.gaierror():
            return f"the host {host!r} is not known"
        case ConnectionRefusedError():
            return f"nothing listens at {at}"
        case _:
            return f"{at} can't be reached: {cause.strerror}" if cause.strerror else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__context__, current.__cause__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
