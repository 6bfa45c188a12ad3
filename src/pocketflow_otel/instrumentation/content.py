"""Content on its way into spans and log records: bounded by the one encoder, cleaned by the one redactor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.capture import encoding, redaction
from pocketflow_otel.capture.encoding import Encoded
from pocketflow_otel.capture.reading import read_store
from pocketflow_otel.capture.seen import NOTHING_SEEN

if TYPE_CHECKING:
    from pocketflow_otel.capture.output import Printed
    from pocketflow_otel.capture.seen import SeenSecrets

# Numbers of fewer digits than a secret that is remembered.
_ITEMS_WITH_CONTENT: Final = 1000
_ITEMS_WITHOUT: Final = 64
_NO_SECRET: Final = 100_000
_SHORT: Final = 256
_MOST_SHORT: Final = 256
_SIZED: Final = (list, tuple, dict, set, frozenset, str, bytes, range)


def encode(visit: Any, value: Any, key: str | None) -> Encoded:
    """A value as bounded JSON text.

    Args:
        visit: The visit it belongs to.
        value: The value.
        key: The name it stands under, which may tell that it is a secret.
    """
    tracing = visit.tracing
    kind = type(value)
    if (kind is int or kind is str) and (key is None or not tracing.safe_name(key)[1]):
        if kind is int and -_NO_SECRET < value < _NO_SECRET:
            return Encoded(str(value), truncated=False)  # counters are what changes most often
        if kind is str and len(value) <= _SHORT and not visit.seen.known:
            return _short_text(visit, value)
    return encoding.encode(value, tracing.max_value_bytes, tracing.redactor, visit.seen, key)


def _short_text(visit: Any, value: str) -> Encoded:
    """A text that is no secret by its name, in a trace that has none: what a node returns is often stored as well."""
    tracing = visit.tracing
    known: Encoded | None = tracing.short_texts.get(value)
    if known is None:
        known = encoding.encode(value, tracing.max_value_bytes, tracing.redactor, visit.seen)
        if not (visit.seen.known or tracing.redactor.extended):
            if len(tracing.short_texts) >= _MOST_SHORT:
                tracing.short_texts.clear()
            tracing.short_texts[value] = known
    return known


def params(visit: Any, values: Any) -> dict[str, Any]:
    """Params as attributes, for a visit or round of which values are recorded."""
    if type(values) is not dict or not values or not visit.place.policy.values.on_spans:
        return {}
    text = encode(visit, values, None)
    if text.truncated:
        visit.shortened(semconv.PARAMS)
    return {semconv.PARAMS: text.text}


def key_name(visit: Any, key: object) -> str:
    """A store key fit to be shown."""
    name: str = visit.tracing.safe(key)
    return visit.seen.mask(name) if visit.seen.known else name


def masked(seen: SeenSecrets, attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes with the secrets met so far masked in their texts."""
    return {key: seen.mask(value) if type(value) is str else value for key, value in attributes.items()}


def known_size(value: Any) -> int | None:
    """How many items a value holds, where that takes no code of the user's, and nothing from an iterator."""
    for kind in _SIZED:
        if issubclass(type(value), kind):
            return kind.__len__(value)
    return 0 if value is None else None


def public_store(store: Any) -> dict[Any, Any]:
    """What a store holds under names that do not begin with an underscore."""
    held = read_store(store) or {}
    return {key: value for key, value in held.items() if not (type(key) is str and key.startswith("_"))}


def remember(visit: Any, value: Any) -> None:
    """Notes the secrets in a value, so that they are masked wherever else they turn up in the trace."""
    if value is None or visit.seen is NOTHING_SEEN:
        return
    held = read_store(value) if value is visit.store else value
    if held:
        redaction.remember(held, visit.tracing.redactor, visit.seen)


def remember_changed(visit: Any, key: object, value: Any) -> None:
    """Notes the secrets in a new value of the store: without content not far inside it."""
    budget = _ITEMS_WITH_CONTENT if visit.place.policy.any_content else _ITEMS_WITHOUT
    redaction.remember({key: value} if type(key) is str else value, visit.tracing.redactor, visit.seen, budget)


def tell_printed(visit: Any, streams: dict[str, Printed], attributes: dict[str, Any]) -> None:
    """Writes what was printed, and how much, into a span's attributes."""
    outlet = visit.place.policy.output
    for stream, printed in streams.items():
        name = semconv.STDOUT if stream == "stdout" else semconv.STDERR
        attributes[name + semconv.BYTES_SUFFIX] = printed.bytes
        attributes[name + semconv.LINES_SUFFIX] = printed.lines
        if outlet is None:
            continue
        tracing = visit.tracing
        text = encoding.printed(
            printed.head, printed.tail, printed.dropped, tracing.max_value_bytes, tracing.redactor, visit.seen
        )
        if outlet.on_spans:
            attributes[name] = text.text
            if text.truncated:
                visit.shortened(name)
        if outlet.on_events:
            tracing.log_content(semconv.LOG_NODE_OUTPUT, {name: text.text}, visit.context)


def tell_io(visit: Any, values: dict[str, Encoded], attributes: dict[str, Any]) -> None:
    """Writes inputs and outputs into a span's attributes."""
    outlet = visit.place.policy.io
    if outlet.on_spans:
        for name, value in values.items():
            attributes[name] = value.text
            attributes[_MIME_TYPES[name]] = semconv.MIME_JSON
            if value.truncated:
                visit.shortened(name)
    if outlet.on_events:
        texts = {name: value.text for name, value in values.items()}
        visit.tracing.log_content(semconv.LOG_NODE_IO, texts, visit.context)


_MIME_TYPES: Final = {
    semconv.INPUT_VALUE: semconv.INPUT_MIME_TYPE,
    semconv.OUTPUT_VALUE: semconv.OUTPUT_MIME_TYPE,
}
