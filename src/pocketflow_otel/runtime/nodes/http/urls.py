"""URLs as they may be shown: without what gives access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.capture.redaction import MASK, Redactor

if TYPE_CHECKING:
    import httpx


def shown(url: httpx.URL) -> str:
    """A URL without user and password, and with a mask for each secret in its query."""
    is_secret = Redactor().is_secret_name
    if any(is_secret(name) for name in url.params):
        pairs = [(name, MASK if is_secret(name) else value) for name, value in url.params.multi_items()]
        url = url.copy_with(params=pairs)
    return str(url.copy_with(username=None, password=None, fragment=None) if url.userinfo else url)


def place(url: httpx.URL) -> str:
    """A URL without query and fragment, for messages."""
    return shown(url.copy_with(query=None, fragment=None))


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether two URLs lead to the same server by the same scheme."""
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
