"""Masks secrets: by the names they stand under, by their shape, and wherever one that was masked turns up again."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture import secret_names
from pocketflow_otel.capture.assignments import find_assignments
from pocketflow_otel.capture.containers import is_one_of
from pocketflow_otel.capture.inspection import attributes, dict_items, elements, named_fields
from pocketflow_otel.capture.secret_shapes import find_shapes
from pocketflow_otel.capture.secret_values import MASK, Span, compiled, merged, replaced, words
from pocketflow_otel.capture.seen import LONGEST, SeenSecrets
from pocketflow_otel.capture.text_classes import classify
from pocketflow_otel.late import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MASK", "Redactor", "SeenSecrets", "remember"]

_LONGEST_NAME: Final = 256
_MOST_NAMES: Final = 4096
_MOST_ITEMS: Final = 1000
_LONGEST_INT: Final = 256
_PAIR: Final = 2
_SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes, bytearray})
# What stands under these is no secret, though it stands in what is one: a host among credentials.
_ORDINARY_NAMES: Final = words(
    "alg algorithm audience created_at database db domain email endpoint environment expires expires_at expires_in "
    "expiry host hostname id issuer kind label method mode name path port provider realm region scheme scope scopes "
    "service status tenant type uri url user user_name username version"
)
_STRUCTURED: Final = ("[", "(", "{")
_QUOTED_VALUE: Final = r"[\"']([^\"'\n]{6,8192}+)[\"'](?!\s?:)"


class Redactor:
    """Masks what may not be shown.

    Args:
        patterns: Regular expressions of more to mask, in texts and among the names of secrets.
        hook: Called last with a text and the key it stands under, or None; returns what may be shown. A text whose hook
            raises, or returns anything but a text, is masked as a whole.
    """

    def __init__(self, patterns: Sequence[str] = (), hook: Callable[[str, str | None], str] | None = None) -> None:
        self._patterns = tuple(re.compile(pattern) for pattern in patterns)
        self._hook = hook
        self._names: dict[str, bool] = {}
        self._is_name = re.compile(r"-{0,2}\w+(?:[ .-]\w+){0,2}\Z").match
        self.extended: Final = bool(self._patterns or hook)

    def is_secret_name(self, name: str) -> bool:
        """Whether a value under this name is a secret, whatever it is."""
        name = name[:_LONGEST_NAME]
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            known = self._names[name] = secret_names.is_secret_name(name) or any(
                pattern.search(name) for pattern in self._patterns
            )
        return known

    def is_name_of_secret(self, text: str) -> bool:
        """Whether a text is nothing but such a name, and so may name what stands beside it: a sentence does not."""
        return self._is_name(text) is not None and self.is_secret_name(text)

    def text(self, text: str, seen: SeenSecrets | None = None, key: str | None = None) -> str:
        """The text with a mask in place of every secret.

        Args:
            text: Any text.
            seen: The secrets met so far in this trace: these are masked too, and what is found is added.
            key: The name the text stands under.

        Returns:
            The text to show. Masking it once more changes nothing.
        """
        seen = SeenSecrets() if seen is None else seen
        if key is not None and text and self.is_secret_name(key):
            self.learn(text, seen)
            return MASK
        shown = self._mask_found(text, seen)
        if self.extended:
            shown = self._mask_extended(shown, seen, key)
        # What was found in one place may stand elsewhere in the same text.
        return seen.mask(shown) if shown is not text else shown

    def finds(self, text: str, seen: SeenSecrets | None = None) -> bool:
        """Whether there is anything to mask in a text."""
        return self.extended or bool((seen is not None and seen.find(text)) or self._spans(text))

    def learn(self, text: str, seen: SeenSecrets) -> None:
        """Remembers a secret, and what is secret within it, such as the password in a connection string."""
        self._remember_found(text, seen)
        for start, end in self._spans(text):
            self._remember_found(text[start:end], seen)

    def _spans(self, text: str) -> list[Span]:
        classes = classify(text)
        return [*find_shapes(text, classes), *find_assignments(text, classes, self.is_secret_name)]

    def _mask_found(self, text: str, seen: SeenSecrets) -> str:
        known = seen.find(text)
        found = self._spans(text)
        if not known and not found:
            return text
        for start, end in merged(found) if found else ():
            self._remember_found(text[start:end], seen)
        return replaced(text, known + found)

    def _remember_found(self, secret: str, seen: SeenSecrets) -> None:
        for spelling in _decoded(secret):
            seen.add(spelling)
        if secret.startswith(_STRUCTURED):
            for match in compiled(_QUOTED_VALUE).finditer(secret):
                seen.add(match[1])

    def _mask_extended(self, text: str, seen: SeenSecrets, key: str | None) -> str:
        def masked(match: re.Match[str]) -> str:
            seen.add(match[0])
            return MASK if match[0] else ""

        for pattern in self._patterns:
            # What is masked already is left alone, so that masking twice is masking once.
            text = MASK.join(pattern.sub(masked, piece) for piece in text.split(MASK))
        if self._hook is None:
            return text
        try:
            shown = self._hook(text, key)
        except Exception:  # noqa: BLE001 - a hook that fails has not said what may be shown
            return MASK
        return shown if type(shown) is str else MASK


def remember(
    value: Any, redactor: Redactor, seen: SeenSecrets, budget: int = _MOST_ITEMS, *, secret: bool = False
) -> None:
    """Remembers every secret that stands under a secret's name anywhere in a value.

    Args:
        value: Anything; dicts, lists, tuples, sets and the attributes of objects are looked into.
        redactor: Tells the names of secrets.
        seen: Where to remember them.
        budget: How many items to look at.
        secret: Whether the value itself stands under a secret's name.
    """
    looked_at: set[int] = set()
    waiting: deque[tuple[Any, bool]] = deque([(value, secret)])
    while waiting and budget > 0:
        value, secret = waiting.popleft()
        budget -= 1
        text = _secret_text(value) if secret else None
        if text is not None:
            redactor.learn(text, seen)
            continue
        if is_one_of(type(value), _SCALARS) or id(value) in looked_at:
            continue
        looked_at.add(id(value))
        waiting.extend(_inside(value, secret, redactor, max(0, budget - len(waiting))))


def _inside(value: Any, secret: bool, redactor: Redactor, limit: int) -> Iterator[tuple[Any, bool]]:
    named = _named(value, limit)
    if named is None:
        items = elements(value, limit) or []
        pair = len(items) == _PAIR and type(items[0]) is str and redactor.is_name_of_secret(items[0])
        yield from ((item, secret or pair) for item in (items[1:] if pair else items))
        return
    for name, item in named:
        if type(name) is not str:
            yield item, secret
        elif redactor.is_secret_name(name):
            yield item, True
        else:
            yield item, secret and name.lower() not in _ORDINARY_NAMES


def _named(value: Any, limit: int) -> list[tuple[Any, Any]] | None:
    kind = type(value)
    if issubclass(kind, dict):
        return dict_items(value, limit)
    if issubclass(kind, tuple) and (fields := named_fields(value)):
        return list(zip(fields, elements(value, limit) or (), strict=False))
    return attributes(value, limit) if elements(value, 0) is None else None


def _secret_text(value: Any) -> str | None:
    kind = type(value)
    if issubclass(kind, str):
        return str.__getitem__(value, slice(LONGEST + 1))
    if issubclass(kind, bytes):
        return bytes.__getitem__(value, slice(LONGEST + 1)).decode("utf-8", "replace")
    if issubclass(kind, bytearray):
        return bytearray.__getitem__(value, slice(LONGEST + 1)).decode("utf-8", "replace")
    if issubclass(kind, int) and kind is not bool and int.bit_length(value) <= _LONGEST_INT:
        return int.__repr__(value)
    return None


def _decoded(secret: str) -> Iterator[str]:
    """A secret as it was found, and as it is without the escapes of JSON, a printed string or a URL."""
    yield secret[: LONGEST + 1]
    if len(secret) > LONGEST:
        return
    if "%" in secret:
        with importing:
            from urllib.parse import unquote

        yield unquote(secret)
    while "\\" in secret:
        try:
            plain = json.loads(f'"{secret}"' if "\\'" not in secret else '"{}"'.format(secret.replace("\\'", "'")))
        except ValueError:
            return
        yield plain
        secret = plain
