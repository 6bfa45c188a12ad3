"""Parts of secrets: what a library leaves of one that it cuts, or takes to pieces, before anybody could mask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.capture.secret_values import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator

# Half of a shorter one is a word like others.
_SHORTEST: Final = 12
_BLOCKS: Final = 4


class Parts:
    """Masks what is at least the half of a secret. Threads may share one; reading takes no lock."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[_Blocks, ...] = ()

    def add(self, secret: str) -> None:
        """Remembers a secret."""
        if len(secret) >= _SHORTEST:
            self._known = (*self._known, _Blocks(secret))

    def mask(self, text: str) -> str:
        """The text with a mask in place of each half, or more, of a secret."""
        spans = [span for secret in self._known for span in secret.found(text)]
        return replaced(text, spans) if spans else text


class _Blocks:
    """A secret in four blocks: whatever is the half of it holds one of them."""

    __slots__ = ("_blocks", "_least", "_secret")

    def __init__(self, secret: str) -> None:
        size = len(secret) // _BLOCKS
        self._secret = secret
        self._least = max(8, len(secret) // 2)
        self._blocks = [(start, secret[start : start + size]) for start in range(0, len(secret) - size + 1, size)]

    def found(self, text: str) -> Iterator[tuple[int, int]]:
        for offset, block in self._blocks:
            place = text.find(block)
            while place >= 0:
                begins, ends = self._around(text, place, offset, len(block))
                is_telling = ends - begins >= self._least
                if is_telling:
                    yield begins, ends
                # A secret may repeat itself: the block may stand at another of its places.
                place = text.find(block, ends if is_telling else place + 1)

    def _around(self, text: str, place: int, offset: int, size: int) -> tuple[int, int]:
        """From where to where a text and the secret are the same around a place."""
        secret, begins, ends = self._secret, place, place + size
        before, after = offset, offset + size
        while begins and before and text[begins - 1] == secret[before - 1]:
            begins, before = begins - 1, before - 1
        while ends < len(text) and after < len(secret) and text[ends] == secret[after]:
            ends, after = ends + 1, after + 1
        return begins, ends
