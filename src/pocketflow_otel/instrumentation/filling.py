"""Fills spans with attributes that are in order already, sparing the SDK a second look at each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes

if TYPE_CHECKING:
    from opentelemetry.trace import Span


def set_attributes(span: Span, attributes: dict[str, Any]) -> None:
    """Sets attributes of a span that is recorded.

    The SDK asks of every key and value what it is, makes tuples of lists, and cuts what is too long: for those of a
    visit in 5 µs, a third of what a whole span takes. Its container is filled directly where it is the one known here,
    with no limit that these attributes could meet. Any other span is asked in the usual way.

    Args:
        span: The span.
        attributes: Texts, numbers, bools and tuples of these, by names that are not empty.
    """
    try:
        held: Any = span._attributes  # type: ignore[attr-defined]  # noqa: SLF001 - the SDK has no other way to it
        if type(held) is BoundedAttributes and held.max_value_len is None:
            with held._lock:  # noqa: SLF001
                values, most = held._dict, held.maxlen  # noqa: SLF001
                if not held._immutable and (most is None or len(values) + len(attributes) <= most):  # noqa: SLF001
                    values.update(attributes)
                    return
    except AttributeError:  # not the SDK's, or of another version
        pass
    span.set_attributes(attributes)
