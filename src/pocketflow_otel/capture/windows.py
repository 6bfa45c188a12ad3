"""Cuts text without cutting a secret in two.

A cut text is masked with some more characters than are shown, so that a secret across the cut is recognised as a whole;
then these are taken off again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.capture.secret_values import compiled

if TYPE_CHECKING:
    from pocketflow_otel.capture.redaction import Redactor, SeenSecrets

MARGIN: Final = 256
"""Characters beyond a cut that are masked and not shown. More of a secret than this is recognised by its beginning."""

_UNBROKEN: Final = r"[^\s\"'<>,;]*+"


def encodable(text: str) -> str:
    """The text with lone surrogates, which UTF-8 cannot hold, written as escapes."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def first_bytes(text: str, limit: int) -> str:
    """The beginning of a text, at most so many bytes of UTF-8."""
    text = text[: max(0, limit)]
    return text if text.isascii() else text.encode()[: max(0, limit)].decode("utf-8", "ignore")


def last_bytes(text: str, limit: int) -> str:
    """The end of a text, at most so many bytes of UTF-8."""
    text = text[-limit:]
    return text if text.isascii() else text.encode()[-limit:].decode("utf-8", "ignore")


def masked_head(text: str, redactor: Redactor, seen: SeenSecrets, key: str | None = None) -> str:
    """Masks a text whose end was cut off.

    Args:
        text: What is left, with `MARGIN` characters more than are wanted.
        redactor: Masks it.
        seen: The secrets met so far.
        key: The name the text stands under.

    Returns:
        The masked text without the margin: no secret that the cut went through shows.
    """
    shown = redactor.text(text[: seen.cut_at_end(text, MARGIN)], seen, key)
    return shown[: max(0, len(shown) - MARGIN)]


def masked_tail(text: str, redactor: Redactor, seen: SeenSecrets) -> str:
    """Masks a text whose beginning was cut off, as `masked_head` does with the end."""
    unbroken = compiled(_UNBROKEN).match(text)
    # The rest of a token has nothing to recognise it by.
    if unbroken and unbroken.end() > MARGIN:
        text = text[unbroken.end() :]
    return redactor.text(text[seen.cut_at_start(text, MARGIN) :], seen)[MARGIN:]
