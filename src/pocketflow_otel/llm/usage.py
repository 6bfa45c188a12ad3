"""What one call of a model used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call of a model used, in tokens, however its vendor counts them.

    Vendors differ in what "input" holds; here every part is contained in its whole, as the GenAI conventions ask.

    Attributes:
        provider: Who served the call, as ``gen_ai.provider.name`` spells it; None where that is not known.
        model: The model that answered, or the one asked for where only that is known.
        input_tokens: All tokens read, cached ones among them.
        output_tokens: All tokens written, those of reasoning among them.
        cached_input_tokens: The part of the input that came from a cache.
        cache_write_tokens: The part of the input that was written to a cache.
        reasoning_tokens: The part of the output that was reasoning.
        input_audio_tokens: The part of the input that was audio.
        cached_audio_tokens: The part of the cached input that was audio.
        output_audio_tokens: The part of the output that was audio.
        response_id: The vendor's id of the answer: what tells two reports of one call from reports of two.
        cost_usd: What the call cost, where the one who reports it knows: then no price is looked up.
    """

    provider: str | None = None
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    cached_audio_tokens: int = 0
    output_audio_tokens: int = 0
    response_id: str | None = None
    cost_usd: float | None = None

    @property
    def total_tokens(self) -> int:
        """All tokens read and written."""
        return self.input_tokens + self.output_tokens
