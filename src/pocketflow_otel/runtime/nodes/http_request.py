"""``http.request``: a request over HTTP, and its answer."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pocketflow_otel.runtime.documents.model import Part, Seconds
from pocketflow_otel.runtime.nodes.checks import Faults, check_connection, constant_text
from pocketflow_otel.runtime.nodes.http.bodies import Reading, beginning_of, content_of, read_as
from pocketflow_otel.runtime.nodes.http.errors import HttpError, HttpStatusError
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, object_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from pocketflow_otel.runtime.registry.node_types import Context

_BODIES: Final = ("json", "text", "form", "bytes")
_CLASS_SIZE: Final = 100
_SECONDS: Final = 30.0

Scalar = str | int | float | bool
Status = Annotated[int, Field(ge=100, le=599)] | Annotated[str, StringConstraints(pattern=r"^[1-5]xx$")]
Method = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,20}$"), AfterValidator(str.upper)]


class HttpRequestConfig(Part):
    """A request, and what is expected of its answer.

    Attributes:
        url: Where it goes. With a connection that has a ``base_url``, what follows that.
        method: GET, POST, PUT, PATCH, DELETE, HEAD or any other.
        connection: ``@http.alias``: brings base URL, headers and credentials.
        params: The query, by name; a list gives the name several times.
        headers: Headers by name.
        json_: A body: this value as JSON.
        text: A body: this text.
        form: A body: these fields, as a form of a page sends them.
        bytes_: A body: these bytes.
        expect: Which statuses are right: numbers, or classes such as ``2xx``.
        read: How the answer's body is read; ``auto`` goes by its content type.
        timeout: Seconds that all of it may take; the connection's, or 30, where it is not said.
        redirects: How many redirections are followed.
        max_bytes: The largest body that is read.
    """

    url: str = Field(examples=["https://api.example.com/v1/items"])
    method: Method = "GET"
    connection: str | None = None
    params: dict[str, Scalar | list[Scalar] | None] = Field(default={})
    headers: dict[str, str] = Field(default={})
    json_: Any = Field(default=None, alias="json")
    text: str | None = None
    form: dict[str, Scalar | list[Scalar]] | None = None
    bytes_: bytes | None = Field(default=None, alias="bytes")
    expect: Status | Annotated[list[Status], Field(min_length=1)] = "2xx"
    read: Reading = "auto"
    timeout: Seconds | None = None
    redirects: Annotated[int, Field(ge=0, le=50)] = 10
    max_bytes: Annotated[int, Field(ge=1)] = 10_000_000

    @model_validator(mode="after")
    def _has_one_body(self) -> HttpRequestConfig:
        given = [name for name in _BODIES if {name, f"{name}_"} & self.model_fields_set]
        if given[1:]:
            raise ValueError(f"expected one body, not {' and '.join(given)}")
        return self

    @property
    def body(self) -> dict[str, Any]:
        """The body, as an argument of httpx."""
        if "json_" in self.model_fields_set:
            # httpx would take null for no body.
            return {"content": json.dumps(self.json_, ensure_ascii=False, separators=(",", ":"), allow_nan=False)}
        if self.form is not None:
            return {"data": self.form}
        return {"content": self.text if self.text is not None else self.bytes_}

    def expects(self, status: int) -> bool:
        """Whether a status is right."""
        expected = self.expect if isinstance(self.expect, list) else [self.expect]
        return status in expected or f"{status // _CLASS_SIZE}xx" in expected


async def request(config: HttpRequestConfig, context: Context) -> dict[str, Any]:
    """Makes the request.

    Raises:
        HttpStatusError: The status is not an expected one.
        HttpConnectionError: Nobody could be reached, or the connection broke.
        HttpTimeoutError: It took too long.
        HttpBodyError: The body is too large, or not JSON.
        HttpError: The request can't be sent.
    """
    try:
        return await _requested(config, context)
    except HttpError as error:
        error.args = (context.mask(str(error)),)
        raise


async def _requested(config: HttpRequestConfig, context: Context) -> dict[str, Any]:
    from pocketflow_otel.runtime.nodes.http.sending import answered
    from pocketflow_otel.runtime.nodes.http.urls import place, shown

    began = time.perf_counter()
    async with _client(config, context) as client:
        made = _made(client, config)
        seconds = config.timeout or client.timeout.read or _SECONDS
        async with answered(client, made, redirects=config.redirects, seconds=seconds) as response:
            what = f"{made.method} {place(response.url)}"
            if not config.expects(response.status_code):
                beginning = await beginning_of(response)
                told = f"{response.status_code} {response.reason_phrase}".strip()
                message = f"{what}: answered {told}" + (f": {beginning}" if beginning else "")
                raise HttpStatusError(message, response.status_code)
            try:
                content = await content_of(response, config.max_bytes)
                body = read_as(content, response, config.read)
            except HttpError as error:
                raise type(error)(f"{what}: {error}") from None
    return {
        "status": response.status_code,
        "headers": dict(response.headers),
        "body": body,
        "url": shown(response.url),
        "seconds": time.perf_counter() - began,
    }


@contextlib.asynccontextmanager
async def _client(config: HttpRequestConfig, context: Context) -> AsyncIterator[httpx.AsyncClient]:
    if config.connection is not None:
        # The run closes it.
        yield context.connection(config.connection).async_client
        return
    from pocketflow_otel.runtime.nodes.http.sending import new_client

    async with new_client() as client:
        yield client


def _made(client: httpx.AsyncClient, config: HttpRequestConfig) -> httpx.Request:
    import httpx

    from pocketflow_otel.runtime.nodes.http.urls import place, same_origin
    from pocketflow_otel.sending.destination import without_credentials

    try:
        headers = httpx.Headers(config.headers)
        if "json_" in config.model_fields_set:
            headers.setdefault("Content-Type", "application/json")
        made = client.build_request(
            config.method,
            config.url,
            params=config.params or None,
            headers=headers,
            timeout=config.timeout or client.timeout,
            **config.body,
        )
    except httpx.InvalidURL as error:
        raise HttpError(f"url {without_credentials(config.url)!r}: {error}") from None
    except (UnicodeEncodeError, TypeError, ValueError) as error:
        raise HttpError(f"{config.method} {without_credentials(config.url)}: it can't be sent: {error}") from None
    if made.url.scheme not in {"http", "https"} or not made.url.host:
        url = without_credentials(str(made.url))
        raise HttpError(f"url {url!r}: expected http://HOST or https://HOST, or a connection with a base_url")
    if str(client.base_url) and not same_origin(client.base_url, made.url):
        base = place(client.base_url)
        raise HttpError(f"url {place(made.url)!r}: {config.connection} is for {base}: its credentials stay there")
    return made


def check(with_: Mapping[str, Any]) -> Faults:
    """Whether the connection is one for requests, and whether it is known where the request goes."""
    url, _ = constant_text(with_.get("url"), "")
    if url is not None and with_.get("connection") is None and not url.lower().startswith(("http://", "https://")):
        return [(("url",), "expected http://HOST or https://HOST, or a connection with a base_url")]
    return check_connection(with_, ("http",))


NODE_TYPE: Final = FunctionType(
    name="http.request",
    summary="Makes a request over HTTP.",
    config=HttpRequestConfig,
    call=request,
    check=check,
    output="status, headers (names in lower case), body, url (after redirections), seconds",
    gives=object_of("headers", "body", status=SINGLE, url=SINGLE, seconds=SINGLE),
)
