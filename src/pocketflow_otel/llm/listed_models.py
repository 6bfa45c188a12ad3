"""Which model of genai-prices' data a call's provider and model mean.

A wrong price is worse than none. genai-prices looks a model up among those of a provider, or guesses the provider from
the model's name; but the provider that telemetry tells is often that of the client library, whose calls went to another
server, and the weights of many models are served by anybody, at any price. So a name counts without its provider only
where nobody but its vendor serves models of that name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

_REMEMBERED: Final = 1024

_SPELLINGS: Final = {
    "anthropic": ("anthropic-vertex",),
    "aws": ("amazon", "amazon-bedrock", "aws-bedrock", "bedrock", "bedrock-converse"),
    "azure": ("az-ai-inference", "az-ai-openai", "azure-ai", "azure-ai-inference", "azure-ai-openai", "azure-openai"),
    "cloudflare": ("cloudflare-workers-ai", "workers-ai"),
    "fireworks": ("fireworks-ai",),
    "google": (
        "gcp-gemini",
        "gcp-gen-ai",
        "gcp-vertex-ai",
        "gemini",
        "google-genai",
        "google-generativeai",
        "google-gla",
        "google-vertex",
        "google-vertexai",
        "vertex-ai",
        "vertexai",
    ),
    "mistral": ("mistral-ai", "mistralai"),
    "moonshotai": ("moonshot", "moonshot-ai"),
    "openai": ("openai-chat", "openai-responses"),
    "together": ("together-ai", "togetherai"),
    "voyageai": ("voyage", "voyage-ai"),
    "x-ai": ("xai",),
    "zai": ("z-ai",),
}
"""How ``gen_ai.provider.name``, ``gen_ai.system``, OpenInference and LiteLLM spell genai-prices' ids, as `_plain`."""

_IDS: Final = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}

_SPOKEN_BY_OTHERS: Final = frozenset({"openai", "anthropic"})
"""Clients that reach many servers: these vendors' protocols are everybody's."""

_SOLE_SERVERS: Final = frozenset({"openai", "anthropic", "google", "x-ai"})
"""Vendors whose models, by the names genai-prices recognises them by, cost the same wherever they are served."""

_VENDORS_OWN_NAME: Final = re.compile(r"-latest$|^deepseek-(?:chat|reasoner)$")
"""Names that the API of a vendor of open weights has, and the weights have not."""

_NOT_SOLD: Final = {"openai": "gpt-oss"}
"""How models begin that a vendor gives away, and sells no calls of: genai-prices lists these at a router's price."""

_ROUTES: Final = frozenset(
    {"azure", "bedrock", "fireworks-ai", "gemini", "groq", "mistral", "openrouter", "together-ai", "vertex-ai", "xai"}
)
"""What stands before a model's name for LiteLLM, and is neither OpenRouter's nor Hugging Face's name of a vendor."""

_GOOGLE_RESOURCE: Final = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/")
_BEDROCK_ID: Final = re.compile(r"^(?:[a-z-]+\.)?(?:ai21|[a-z]+)\.[a-z0-9.-]+:\d+$|^arn:aws[a-z-]*:bedrock:")


def provider_id(name: str | None) -> str | None:
    """One spelling for all of a provider's names.

    Args:
        name: As telemetry has it: ``gcp.vertex_ai``, ``google``, ``mistralai``.

    Returns:
        genai-prices' id of the provider, with hyphens only, where it is one that it knows; else the name in lower case,
        with hyphens only.
    """
    if name is None:
        return None
    plain = _plain(name)
    return _IDS.get(plain, plain) or None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.strip().lower())


class ListedModels:
    """The models of one state of genai-prices' data, found by what calls tell of them."""

    def __init__(self, snapshot: DataSnapshot) -> None:
        self.snapshot: Final = snapshot
        self._providers = {_plain(provider.id): provider for provider in snapshot.providers}
        self._not_sold = {
            id(model)
            for vendor, beginning in _NOT_SOLD.items()
            for model in (self._providers[vendor].models if vendor in self._providers else ())
            if model.id.startswith(beginning)
        }
        # Bounded, unlike the memory of genai-prices' own lookup, which this goes round.
        self._find = lru_cache(_REMEMBERED)(self._search)

    def find(self, provider: str | None, model: str) -> tuple[Provider, ModelInfo] | None:
        """Finds a model; what was found is remembered.

        Args:
            provider: Who served it, by any of its usual names; None where that is not known.
            model: Its name, as vendors, clouds and routers return it.

        Returns:
            Whose price it has, and the model; None where no price is certain.
        """
        return self._find(provider, model)

    def _search(self, provider: str | None, model: str) -> tuple[Provider, ModelInfo] | None:
        for listed, name in self._candidates(provider_id(provider), model.strip().lower()):
            found = listed.find_model(name, all_providers=self.snapshot.providers)
            if found is not None and id(found) not in self._not_sold:
                return listed, found
        return None

    def _candidates(self, server: str | None, model: str) -> Iterator[tuple[Provider, str]]:
        name = _GOOGLE_RESOURCE.sub("", model)
        prefix, _, rest = name.partition("/")
        if _BEDROCK_ID.match(name.removeprefix("bedrock/")):
            server = "aws"
        served_by = self._providers.get(server or "")
        if served_by is not None:
            yield served_by, name
            if rest and provider_id(prefix) == server:
                yield served_by, rest
        if rest and (_plain(prefix) in _ROUTES or server == "litellm"):
            route = self._providers.get(provider_id(prefix) or "")
            if route is not None:
                yield route, rest
        if served_by is None or server in _SPOKEN_BY_OTHERS:
            yield from self._by_name_alone(name)

    def _by_name_alone(self, name: str) -> Iterator[tuple[Provider, str]]:
        prefix, _, rest = name.rpartition("/")
        for vendor, provider in self._providers.items():
            if prefix and provider_id(prefix) != vendor:
                continue
            if provider.model_match is None or not provider.model_match.is_match(rest):
                continue
            if vendor in _SOLE_SERVERS or (not prefix and _VENDORS_OWN_NAME.search(rest)):
                yield provider, rest
