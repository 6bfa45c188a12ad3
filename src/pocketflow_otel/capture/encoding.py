"""Renders any value of a user's program as bounded text: valid JSON for values, plain text for what was printed.

Nothing here raises, runs the program's code, consumes anything, or takes longer for a larger value.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from pocketflow_otel.capture.pruning import ELLIPSIS, Pruner, TooLargeError, WholePruner
from pocketflow_otel.capture.redaction import Redactor, SeenSecrets
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.windows import MARGIN, encodable, first_bytes, last_bytes, masked_head, masked_tail
from pocketflow_otel.guard import guard

_dumps: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode

# The first try is for the whole value. Pruning estimates what JSON will take; each further try has less room.
_TRIES: Final = 5
_SLACK: Final = 8
_CUT: Final = "\n… {} characters left out …\n"


class Encoded(NamedTuple):
    """What is recorded of a value.

    Attributes:
        text: At most as many bytes of UTF-8 as were asked for.
        truncated: Whether anything was left out.
    """

    text: str
    truncated: bool


def encode(
    value: Any, max_bytes: int, redactor: Redactor, seen: SeenSecrets | None = None, key: str | None = None
) -> Encoded:
    """Renders a value as JSON.

    What is left out is visible: ``"Once upon… 1204 more chars"``, ``["a", "… 12 more"]``, ``{"…": "12 more"}``. Objects
    are shown by their public attributes, ``{"<Document>": {"title": …}}``; what has no contents to show by its type.

    Args:
        value: Anything at all.
        max_bytes: The most bytes of JSON.
        redactor: Masks secrets.
        seen: The secrets met so far in this trace; those of this value are added.
        key: The name the value stands under.

    Returns:
        Valid JSON, whatever the value.
    """
    try:
        return _encoded(value, max_bytes, redactor, SeenSecrets() if seen is None else seen, key)
    except Exception:  # noqa: BLE001 - the value may be changing in another thread, or belong to a broken library
        guard.caught("rendering a value")
        return _fallback(value, max_bytes)


def _encoded(value: Any, max_bytes: int, redactor: Redactor, seen: SeenSecrets, key: str | None) -> Encoded:
    if key is not None and redactor.is_secret_name(key):
        node, size = Pruner(redactor, seen, masking=True).secret(value)
        return Encoded(_dumps(node), truncated=False) if size <= max_bytes else _fallback(value, max_bytes)
    room = max_bytes
    for attempt in range(_TRIES):
        try:
            node, truncated = _pruned(value, room, redactor, seen, key, whole=not attempt)
        except TooLargeError:
            continue
        text = _dumps(node)
        size = len(text) if text.isascii() else len(text.encode())
        if size <= max_bytes:
            return Encoded(text, truncated)
        if attempt:
            room = room * max_bytes // size - _SLACK
    return _fallback(value, max_bytes)


def _pruned(
    value: Any, room: int, redactor: Redactor, seen: SeenSecrets, key: str | None, *, whole: bool
) -> tuple[Any, bool]:
    kind = WholePruner if whole else Pruner
    pruner = kind(redactor, seen, masking=redactor.extended)
    node, _ = pruner.prune(value, room, key)
    if not redactor.extended and redactor.finds("\n".join(pruner.texts), seen):
        # Masks may be longer than what they stand for, so what fitted as a whole may no longer.
        pruner = kind(redactor, seen, masking=True)
        node, _ = pruner.prune(value, room, key)
    return node, pruner.truncated


def _fallback(value: Any, max_bytes: int) -> Encoded:
    text = _dumps(encodable(f"{ELLIPSIS} {shape(value)}"))
    return Encoded(text if len(text.encode()) <= max_bytes else '""', truncated=True)


def printed(
    head: str, tail: str, dropped: int, max_bytes: int, redactor: Redactor, seen: SeenSecrets | None = None
) -> Encoded:
    """Renders printed text, of which the middle is left out where it is too long.

    Args:
        head: The beginning.
        tail: The end, where it is not in the beginning.
        dropped: Characters between the two that were not kept. If there are any, `head` and `tail` each should have
            `MARGIN` characters more than half of `max_bytes`: what lies beside the gap is not shown.
        max_bytes: The most bytes of text.
        redactor: Masks secrets.
        seen: The secrets met so far in this trace.

    Returns:
        The text, or its beginning and end with a line in between that tells how much is missing.
    """
    try:
        return _printed(head, tail, dropped, max_bytes, redactor, SeenSecrets() if seen is None else seen)
    except Exception:  # noqa: BLE001 - a program's output must never be what stops it
        guard.caught("rendering printed text")
        return Encoded("", truncated=True)


def _printed(head: str, tail: str, dropped: int, max_bytes: int, redactor: Redactor, seen: SeenSecrets) -> Encoded:
    if not dropped:
        text = head + tail
        # More than this would be masked for nothing.
        kept = max_bytes + MARGIN
        if len(text) <= 2 * kept:
            whole = redactor.text(encodable(text), seen)
            return _joined(whole, whole, 0, max_bytes, len(whole))
        head, tail, dropped = text[:kept], text[-kept:], len(text) - 2 * kept
    shown_head = masked_head(encodable(head), redactor, seen)
    shown_tail = masked_tail(encodable(tail), redactor, seen)
    return _joined(shown_head, shown_tail, dropped + 2 * MARGIN, max_bytes, len(shown_head) + len(shown_tail))


def _joined(head: str, tail: str, dropped: int, max_bytes: int, length: int) -> Encoded:
    if not dropped and len(first_bytes(head, max_bytes)) == len(head):
        return Encoded(head, truncated=False)
    note = len(_CUT.format(dropped + length).encode())
    room = (max_bytes - note) // 2
    if room <= 0:
        return Encoded(first_bytes(head, max_bytes), truncated=True)
    head, tail = first_bytes(head, room), last_bytes(tail, room)
    return Encoded(head + _CUT.format(dropped + length - len(head) - len(tail)) + tail, truncated=True)


def plain(text: str, max_bytes: int, redactor: Redactor, seen: SeenSecrets | None = None) -> Encoded:
    """Renders a message or a name: masked, and cut at its end with ``…`` where it is too long.

    Args:
        text: The text.
        max_bytes: The most bytes of text.
        redactor: Masks secrets.
        seen: The secrets met so far in this trace.
    """
    seen = SeenSecrets() if seen is None else seen
    try:
        length = str.__len__(text)
        if length <= max_bytes:
            shown = redactor.text(encodable(str.__getitem__(text, slice(length))), seen)
        else:
            shown = masked_head(encodable(str.__getitem__(text, slice(max_bytes + MARGIN))), redactor, seen)
        kept = first_bytes(shown, max_bytes)
        if length <= max_bytes and len(kept) == len(shown):
            return Encoded(shown, truncated=False)
        room = max_bytes - len(ELLIPSIS.encode())
        return Encoded(first_bytes(shown, room) + ELLIPSIS if room >= 0 else "", truncated=True)
    except Exception:  # noqa: BLE001 - a message must never be what stops the program
        guard.caught("rendering a message")
        return Encoded("", truncated=True)


def safe_key(key: object, redactor: Redactor, seen: SeenSecrets | None = None) -> str:
    """Renders a key of the store, masked and at most 128 characters long: a text as it is, others by what they are."""
    try:
        return Pruner(redactor, SeenSecrets() if seen is None else seen, masking=True).key(key)
    except Exception:  # noqa: BLE001 - a key may be anything that has a hash
        guard.caught("rendering a key")
        return f"<{shape(key)}>"
