"""Which beginnings of prompts a server has read before, and so would not charge in full."""

import threading
from collections.abc import Hashable, Iterator, Sequence
from typing import Final

_UNIT_TOKENS: Final = 16


class PromptCache:
    """Remembers how prompts began, for each model on its own. May be used by many threads at once.

    As at OpenAI, where a prompt's first 1,024 tokens count and then 128 at a time; here it is 16 at a time, because the
    demo's prompts are short: https://platform.openai.com/docs/guides/prompt-caching
    """

    def __init__(self) -> None:
        self._known: set[Hashable] = set()
        self._lock = threading.Lock()

    def read(self, model: str, tokens: Sequence[str]) -> int:
        """Reads a prompt, and remembers it.

        Args:
            model: The name of the model.
            tokens: Those of the whole prompt.

        Returns:
            How many tokens at its beginning were read before, a multiple of 16.
        """
        beginnings = list(_beginnings(model, tokens))
        with self._lock:
            cached = sum(beginning in self._known for beginning in beginnings)
            self._known.update(beginnings)
        return cached * _UNIT_TOKENS


def _beginnings(model: str, tokens: Sequence[str]) -> Iterator[Hashable]:
    """A hash for each beginning of a multiple of 16 tokens: known ones come first, for each contains the one before."""
    beginning = hash(model)
    for end in range(_UNIT_TOKENS, len(tokens) + 1, _UNIT_TOKENS):
        beginning = hash((beginning, tuple(tokens[end - _UNIT_TOKENS : end])))
        yield beginning
