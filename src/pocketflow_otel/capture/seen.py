"""The secrets met so far in one trace, masked wherever they turn up again."""

from __future__ import annotations

import base64
import json
import re
import string
import threading
from typing import TYPE_CHECKING, Final

from pocketflow_otel.capture.secret_values import MASK, Span, compiled, is_placeholder, replaced, words
from pocketflow_otel.late import importing

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 8192
"""Characters of the longest text that is remembered."""
_SHORTEST: Final = 6
_MOST: Final = 1000
# Shorter ones are masked only where they are not a part of a longer word.
_CERTAIN: Final = 12

# Values that secrets are given while nobody cares about them, or by mistake, and that stand in every log.
_COMMON: Final = words(
    "access admin administrator anonymous api-key api_key apikey author authorization basic bearer change-me "
    "change_me changeme client cookie cookies credential credentials database debug default development disabled "
    "docker dummy enabled example guest language localhost message messages mongodb mysql oauth2 openai passphrase "
    "passwd password passwords postgres postgresql private production prompt public python query question rabbitmq "
    "readonly request response result results secret secrets server service session staging static string system "
    "testing token tokens unused user username value values 12345 123456 1234567 12345678 123456789 1234567890 "
    "test123 user123"
)
_PLAIN: Final = r"[A-Za-z0-9_.-]+"
_RUN_OF_LETTERS: Final = r"[A-Za-z0-9]+"
# No letter or digit stands before a word, unless it belongs to an escape sequence of printed text.
_WORD_BEGINS: Final = r"(?:(?<!\w)|(?<=\\[abfnrtv0])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4}))"
_WORD_ENDS: Final = r"(?!\w)"

# Base64 of what is remembered has so long a run of these.
_BASE64_RUN: Final = b"b" * _CERTAIN
_BASE64: Final = bytes(
    ord("b" if chr(code) in string.ascii_letters + string.digits + "+/=_-" else " ") for code in range(256)
)


class SeenSecrets:
    """Remembers secret texts and masks them in others. Threads may share one; reading takes no lock.

    Texts of fewer than 6 or more than 8192 characters, words that everyone uses (``password``, ``default``) and
    placeholders are not remembered; nor is anything after the first 1000 texts.

    Attributes:
        known: Whether there are any. Asked several times at every visit, so no method.
        longest: Length of the longest.
    """

    __slots__ = ("__weakref__", "_lock", "_secrets", "_texts", "known", "longest")

    def __init__(self) -> None:
        self._texts: set[str] = set()
        # Replaced as a whole, never changed, so that readers need no lock.
        self._secrets: tuple[_Secret, ...] = ()
        self._lock = threading.RLock()
        self.known = False
        self.longest = 0

    def add(self, text: str) -> None:
        """Remembers a secret text."""
        text = text[: LONGEST + 1].strip()
        if text in self._texts or not _is_telling(text):
            return
        secret = _Secret(text)
        with self._lock:
            if text in self._texts or len(self._texts) >= _MOST:
                return
            self._texts.add(text)
            self._secrets = (*self._secrets, secret)
            self.longest = max(self.longest, secret.longest)
            self.known = True

    @property
    def texts(self) -> list[str]:
        """What is remembered."""
        return [secret.text for secret in self._secrets]

    def adopt(self, others: SeenSecrets) -> None:
        """Remembers all that others have remembered, however many these are."""
        with self._lock:
            new = tuple(secret for secret in others._secrets if secret.text not in self._texts)
            if new:
                self._texts.update(secret.text for secret in new)
                self._secrets = (*self._secrets, *new)
                self.longest = max(self.longest, *(secret.longest for secret in new))
                self.known = True

    def forget_all_but(self, newest: int) -> None:
        """Forgets those that were remembered first, where there are more than so many."""
        with self._lock:
            if len(self._secrets) > newest:
                self._secrets = self._secrets[-newest:]
                self._texts = {secret.text for secret in self._secrets}

    def after_fork(self) -> None:
        """Takes a lock of its own in a child, where the parent's may be held by a thread that is not there."""
        self._lock = threading.RLock()

    def find(self, text: str) -> list[Span]:
        """Where remembered secrets stand in a text, also quoted for URLs, escaped, or in base64."""
        secrets = self._secrets
        if not secrets:
            return []
        spans: list[Span] = []
        for secret in secrets:
            if secret.mark in text:
                spans += secret.find(text)
        if _BASE64_RUN in text.encode("ascii", "replace").translate(_BASE64):
            for secret in secrets:
                spans += secret.find_base64(text)
        return spans

    def mask(self, text: str) -> str:
        """The text with a mask in place of every remembered secret."""
        spans = self.find(text)
        return replaced(text, spans) if spans else text

    def unfinished(self, text: str) -> int:
        """Where a secret may begin of which the end of the text holds only a part; the text's length if none does."""
        begins = len(text)
        for secret in self._secrets:
            for spelling in (*secret.spellings, *secret.base64):
                place = text.find(spelling[0], max(0, len(text) - len(spelling) + 1), begins)
                while place >= 0 and not spelling.startswith(text[place:]):
                    place = text.find(spelling[0], place + 1, begins)
                begins = begins if place < 0 else place
        return begins

    def cut_at_end(self, text: str, known: int) -> int:
        """Where a secret begins that the end of the text cuts in two after more than `known` characters."""
        places = (
            place
            for spelling in self._long_spellings(known)
            if (place := text.rfind(spelling[:known])) >= 0 and spelling.startswith(text[place:])
        )
        return min(places, default=len(text))

    def cut_at_start(self, text: str, known: int) -> int:
        """Where a secret ends that the start of the text cuts in two before more than `known` characters."""
        places = (
            place + known
            for spelling in self._long_spellings(known)
            if (place := text.find(spelling[-known:])) >= 0 and spelling.endswith(text[: place + known])
        )
        return max(places, default=0)

    def _long_spellings(self, known: int) -> Iterator[str]:
        if self.longest > known:
            for secret in self._secrets:
                if secret.longest > known:
                    yield from (spelling for spelling in (*secret.spellings, *secret.base64) if len(spelling) > known)


class _Nothing(SeenSecrets):
    __slots__ = ()

    def add(self, text: str) -> None:
        """Remembers nothing: every scope that records nothing shares this."""

    def adopt(self, others: SeenSecrets) -> None:
        """Remembers nothing, likewise."""


NOTHING_SEEN: Final[SeenSecrets] = _Nothing()
"""What stands for the secrets of a trace that is not recorded."""


class _Secret:
    """One secret and the spellings it may be printed in."""

    __slots__ = ("_pattern", "base64", "longest", "mark", "spellings", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        # Stands unchanged in all spellings but base64, so one look tells most texts from those to search.
        self.mark = max(compiled(_RUN_OF_LETTERS).findall(text), key=len, default="")
        self.spellings = _spellings(text)
        self.base64 = _base64_spellings(text)
        self.longest = max(map(len, (*self.spellings, *self.base64)))
        self._pattern = None if len(text) >= _CERTAIN else "|".join(map(_whole_word, self.spellings))

    def find(self, text: str) -> Iterator[Span]:
        if self._pattern is not None:
            yield from (match.span() for match in compiled(self._pattern).finditer(text))
            return
        for spelling in self.spellings:
            place = text.find(spelling)
            while place >= 0:
                yield place, place + len(spelling)
                place = text.find(spelling, place + len(spelling))

    def find_base64(self, text: str) -> Iterator[Span]:
        for spelling in self.base64:
            if spelling in text:
                # The characters beside it hold some of its bits too.
                beside = rf"[\w+/-]{{0,2}}{re.escape(spelling)}[\w+/-]{{0,2}}={{0,2}}"
                yield from (match.span() for match in re.finditer(beside, text))


def _is_telling(text: str) -> bool:
    if not _SHORTEST <= len(text) <= LONGEST or MASK in text or text in MASK:
        return False
    return text.lower() not in _COMMON and len(set(text)) > 1 and not is_placeholder(text)


def _whole_word(spelling: str) -> str:
    begins = _WORD_BEGINS if spelling[0].isalnum() or spelling[0] == "_" else ""
    ends = _WORD_ENDS if spelling[-1].isalnum() or spelling[-1] == "_" else ""
    return begins + re.escape(spelling) + ends


def _spellings(text: str) -> tuple[str, ...]:
    if compiled(_PLAIN).fullmatch(text):
        return (text,)
    with importing:
        from urllib.parse import quote, quote_plus

    escaped = json.dumps(text)[1:-1]
    unescaped = json.dumps(text, ensure_ascii=False)[1:-1]
    spellings = {
        text,
        quote(text, errors="replace"),
        quote(text, safe="", errors="replace"),
        quote_plus(text, errors="replace"),
        escaped,
        unescaped,
        json.dumps(escaped)[1:-1],
        json.dumps(unescaped, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        repr(unescaped)[1:-1],
        ascii(text)[1:-1],
        text.replace("\n", "\r\n"),
        re.sub("//+", "/", text),  # in a path
    }
    return tuple(sorted(spellings, key=len, reverse=True))


def _base64_spellings(text: str) -> tuple[str, ...]:
    data = text.encode("utf-8", "surrogatepass")
    spellings = set()
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):
        coded = base64.b64encode(b"\0" * shift + data).decode("ascii")
        # The last character before the padding also holds bits of what comes after, where something does.
        kept = coded.rstrip("=")
        inner = kept[skipped : len(kept) - (len(kept) < len(coded))]
        spellings |= {inner, inner.replace("+", "-").replace("/", "_")}
    return tuple(sorted(spellings, key=len, reverse=True))
