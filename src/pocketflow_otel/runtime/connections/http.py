"""Connections of the family ``http``: a server's base URL, headers and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, SecretStr, field_validator, model_validator

from pocketflow_otel.runtime.connections.clients import Clients
from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part, Seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    import httpx


class Basic(Part):
    """User and password.

    Attributes:
        user: The user.
        password: The password.
    """

    user: str
    password: SecretStr


class HttpSettings(Part):
    """A server.

    Attributes:
        base_url: What relative URLs of requests are added to.
        headers: Sent with every request.
        bearer: A token that is sent as ``Authorization: Bearer …``.
        basic: A user and a password that are sent as ``Authorization: Basic …``.
        timeout: Seconds that connecting, and each wait for data, may take.
        verify: Whether the server's certificate is checked; or a file with authorities to trust.
    """

    base_url: str = ""
    headers: dict[str, str] = Field(default={})
    bearer: SecretStr | None = None
    basic: Basic | None = None
    timeout: Seconds = 30.0
    verify: bool | str = True

    @field_validator("base_url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://", "${")):
            raise ValueError("expected http://HOST or https://HOST")
        return url

    @model_validator(mode="after")
    def _says_one_authorization(self) -> HttpSettings:
        given = [name for name in ("bearer", "basic") if getattr(self, name) is not None]
        given += [name for name in self.headers if name.lower() == "authorization"]
        if given[1:]:
            raise ValueError(f"expected one way to authorize, not {' and '.join(given)}")
        return self


class HttpConnection(Clients["httpx.Client", "httpx.AsyncClient"]):
    """Clients for one server."""

    def __init__(self, settings: HttpSettings, base: Path) -> None:
        super().__init__()
        self._arguments = _arguments(settings, base)

    def _make(self) -> httpx.Client:
        import httpx

        return httpx.Client(**self._arguments)

    def _make_async(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(**self._arguments)

    def _end(self, client: httpx.AsyncClient) -> Awaitable[None]:
        return client.aclose()


def _arguments(settings: HttpSettings, base: Path) -> dict[str, Any]:
    headers = dict(settings.headers)
    if settings.bearer is not None:
        headers["Authorization"] = f"Bearer {settings.bearer.get_secret_value()}"
    basic = settings.basic
    import httpx

    return {
        # Refused here, where what is said of it is masked.
        "base_url": httpx.URL(settings.base_url),
        "headers": headers,
        "auth": None if basic is None else (basic.user, basic.password.get_secret_value()),
        "timeout": settings.timeout,
        "verify": _verification(settings.verify, base),
    }


def _verification(verify: bool | str, base: Path) -> Any:
    if not isinstance(verify, str):
        return verify
    import ssl

    path = base / verify
    if not path.is_file():
        raise FileNotFoundError(f"verify: there is no file {path}")
    return ssl.create_default_context(cafile=str(path))


FAMILY: Final = Family(
    name="http",
    summary="A server that is spoken to over HTTP.",
    config=HttpSettings,
    open=HttpConnection,
)
