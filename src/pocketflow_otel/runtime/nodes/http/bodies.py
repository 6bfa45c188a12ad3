"""The body of an answer: read up to a size, as JSON, text or bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from pocketflow_otel.runtime.nodes.http.errors import HttpBodyError

if TYPE_CHECKING:
    import httpx

Reading = Literal["auto", "json", "text", "bytes"]

_TEXTS: Final = ("xml", "javascript", "ecmascript", "x-www-form-urlencoded", "yaml", "csv", "graphql", "x-ndjson")
_BEGINNING: Final = 500


async def content_of(response: httpx.Response, most: int) -> bytes:
    """The body, decompressed.

    Raises:
        HttpBodyError: It is larger than ``most`` bytes. The rest is not fetched.
    """
    content = bytearray()
    async for piece in response.aiter_bytes(65_536):
        content += piece
        if len(content) > most:
            raise HttpBodyError(f"the body is larger than {most:,} bytes, which is as much as max_bytes allows")
    return bytes(content)


async def beginning_of(response: httpx.Response) -> str:
    """The first 500 characters of the body, in one line."""
    content = bytearray()
    async for piece in response.aiter_bytes(4096):
        content += piece
        if len(content) >= 4 * _BEGINNING:
            break
    text = " ".join(_text(bytes(content), response).split())
    return text if len(text) <= _BEGINNING else f"{text[:_BEGINNING]}…"


def read_as(content: bytes, response: httpx.Response, reading: Reading) -> Any:
    """The body's value.

    Raises:
        HttpBodyError: It is not JSON, where it should be.
    """
    kind = reading if reading != "auto" else _kind(response)
    if kind == "bytes":
        return content
    text = _text(content, response)
    if kind == "text":
        return text
    if reading == "auto" and not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        start = " ".join(text[:80].split())
        raise HttpBodyError(f"the body is not JSON: {error or 'nested too deeply'}; it begins with {start!r}") from None


def _kind(response: httpx.Response) -> Reading:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    last = kind.rpartition("/")[2].rpartition("+")[2]
    if last == "json":
        return "json"
    return "text" if kind.startswith("text/") or last in _TEXTS or not kind else "bytes"


def _text(content: bytes, response: httpx.Response) -> str:
    try:
        return content.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
