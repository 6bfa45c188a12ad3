"""Connections of the family ``openai``: OpenAI, or any server that speaks as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, SecretStr

from pocketflow_otel.runtime.connections.clients import Clients
from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part, Seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    import openai

_NO_KEY: Final = "none"


class OpenAISettings(Part):
    """An API.

    Attributes:
        base_url: Where it is; OpenAI's own where it is not said.
        api_key: The key; not needed by every server.
        organization: The organization that is billed.
        project: The project that is billed.
        timeout: Seconds that an answer may take.
        headers: Sent with every request.
    """

    base_url: str = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    organization: str | None = None
    project: str | None = None
    timeout: Seconds = 600.0
    headers: dict[str, str] = Field(default={})


class OpenAIConnection(Clients["openai.OpenAI", "openai.AsyncOpenAI"]):
    """Clients for one API. They try nothing again: the run does."""

    def __init__(self, settings: OpenAISettings, _: Path) -> None:
        super().__init__()
        try:
            import httpx
            import openai
        except ImportError:
            raise RuntimeError("the package openai is missing: pip install 'pocketflow-otel[llm]'") from None
        # What is no URL is refused here, where what is said of it is masked.
        httpx.URL(settings.base_url)
        self._openai = openai
        self._arguments: dict[str, Any] = {
            "base_url": settings.base_url,
            # The client would take one from the environment by itself, and refuse to be made without any.
            "api_key": _NO_KEY if settings.api_key is None else settings.api_key.get_secret_value(),
            "organization": settings.organization,
            "project": settings.project,
            "timeout": settings.timeout,
            "default_headers": settings.headers,
            "max_retries": 0,
        }

    def _make(self) -> openai.OpenAI:
        return self._openai.OpenAI(**self._arguments)

    def _make_async(self) -> openai.AsyncOpenAI:
        return self._openai.AsyncOpenAI(**self._arguments)

    def _end(self, client: openai.AsyncOpenAI) -> Awaitable[None]:
        return client.close()


FAMILY: Final = Family(
    name="openai",
    summary="OpenAI, or any server that speaks as it does.",
    config=OpenAISettings,
    open=OpenAIConnection,
    needs={"openai": "llm"},
)
