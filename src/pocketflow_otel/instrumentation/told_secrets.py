"""Masks secrets that the program has told in spans of others: of clients whose servers repeat a key, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Status, StatusCode

from pocketflow_otel.capture import told

if TYPE_CHECKING:
    from collections.abc import Mapping


def mask_told(span: Any) -> None:
    """Masks them in a span that is about to end: its name, attributes, events and status.

    Args:
        span: A span of the SDK's. What other spans say of themselves is left as it is.
    """
    if not told.is_anything_known():
        return
    name = told.mask(span.name)
    if name != span.name:
        span.update_name(name)
    if changed := _masked(span.attributes or {}):
        span.set_attributes(changed)
    status = span.status
    if status.status_code is StatusCode.ERROR and status.description:
        description = told.mask(status.description)
        if description != status.description:
            span.set_status(Status(StatusCode.ERROR, description))
    for event in span.events:
        if changed := _masked(event.attributes or {}):
            # The SDK has no way to change an event, and a dict is what exporters read as well.
            event._attributes = {**event.attributes, **changed}  # noqa: SLF001


def _masked(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes in which there is something to mask, masked."""
    return {name: shown for name, value in attributes.items() if (shown := _shown(value)) != value}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return told.mask(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return type(value)(_shown(item) for item in value) if isinstance(value, list | tuple) else value
    return value
