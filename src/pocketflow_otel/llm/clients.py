"""Which LLM clients a program uses whose calls nothing traces, and what would.

Token counts come from instrumentations of the clients themselves. A program whose clients have none gets a trace
without tokens, and should be told why.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from pocketflow_otel.llm.opened import writers

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class LlmClient:
    """A client library."""

    module: str
    """What a program imports."""
    distributions: frozenset[str]
    """The packages that an instrumentation of it names as what it instruments."""
    instrumentation: str
    """The package that traces its calls, as pip is to be asked for it."""
    own_scope: str | None = None
    """The instrumentation scope of the spans that it makes itself."""


_INSTRUMENTS: Final = "instruments"
"""The extra under which an instrumentation's package names what it instruments."""


def _client(module: str, instrumentation: str, *distributions: str, own_scope: str | None = None) -> LlmClient:
    return LlmClient(module, frozenset(distributions or [module]), instrumentation, own_scope)


BEDROCK: Final = _client("botocore", "opentelemetry-instrumentation-botocore", "botocore", "boto3", "aiobotocore")

CLIENTS: Final = (
    _client("openai", "pocketflow-otel[openai]"),
    # From 2.11 on it makes spans of its own, on the program's global provider.
    _client("anthropic", "pocketflow-otel[anthropic]", own_scope="com.anthropic.sdk.python"),
    _client("google.genai", "pocketflow-otel[google]", "google-genai"),
    _client("litellm", "openinference-instrumentation-litellm"),
    _client("mistralai", "opentelemetry-instrumentation-mistralai"),
    _client("cohere", "opentelemetry-instrumentation-cohere"),
    _client("groq", "opentelemetry-instrumentation-groq"),
    _client("ollama", "opentelemetry-instrumentation-ollama"),
    _client(
        "langchain_core",
        "opentelemetry-instrumentation-genai-langchain",
        "langchain",
        "langchain-core",
        "langchain-community",
    ),
    BEDROCK,
)


def instrumented_by(point: EntryPoint) -> LlmClient | None:
    """The client that an instrumentation is for, as its package's metadata tells: nothing is imported for it."""
    requirements = (point.dist.requires if point.dist is not None else None) or []
    packages = {_package(requirement) for requirement in requirements if _INSTRUMENTS in requirement}
    return next((client for client in CLIENTS if client.distributions & packages), None)


def uncovered() -> list[LlmClient]:
    """The clients that the program has imported and no active instrumentation covers."""
    covered = {name for point in entry_points(group="opentelemetry_instrumentor") for name in _covers(point)}
    return [
        client
        for client in CLIENTS
        if _is_used(client) and not client.distributions & covered and client.own_scope not in writers()
    ]


def switched_off() -> list[EntryPoint]:
    """The instrumentations that the environment switches off."""
    names = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    points = entry_points(group="opentelemetry_instrumentor") if names != {""} else ()
    return [point for point in points if "*" in names or point.name in names]


def notes() -> list[str]:
    """A sentence on the clients whose calls were not traced; none where there is nothing to say."""
    # What is switched off is meant to be.
    off = [instrumented_by(point) for point in switched_off()]
    missing = [client for client in uncovered() if client not in off]
    if not missing:
        return []
    names = ", ".join(client.module for client in missing)
    packages = " ".join(
        f"'{client.instrumentation}'" if "[" in client.instrumentation else client.instrumentation for client in missing
    )
    what_is_missing = "tokens that the program does not return or record are missing"
    return [f"calls through {names} were not traced; {what_is_missing}: pip install {packages}"]


def _package(requirement: str) -> str:
    """The package that a requirement names, however its versions are limited."""
    return re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0].lower().replace("_", "-")


def _is_used(client: LlmClient) -> bool:
    module = sys.modules.get(client.module)
    if client is not BEDROCK or module is None:
        return module is not None
    # Any AWS service brings botocore in; it makes a class for each that is called.
    base = getattr(sys.modules.get("botocore.client"), "BaseClient", object)
    return base is not object and any(cls.__name__ == "BedrockRuntime" for cls in base.__subclasses__())


def _covers(point: EntryPoint) -> Iterator[str]:
    # One that is active has been imported: by us, or by the program itself.
    instrumentor = getattr(sys.modules.get(point.module), point.attr, None)
    try:
        active = instrumentor() if instrumentor is not None else None
        if active is not None and active.is_instrumented_by_opentelemetry:
            for dependency in active.instrumentation_dependencies():
                yield _package(dependency)
    except Exception:  # noqa: BLE001 - an instrumentation is anybody's code; without its word it covers nothing
        return
