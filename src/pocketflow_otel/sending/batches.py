"""Batches of spans, each small enough for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.sending.messages import Group, GroupedSpan

MOST_SPANS: Final = 1_000
MOST_BYTES: Final = 3 * 1024 * 1024
"""Of protobuf. gRPC servers take 4 MiB by default; as JSON the same is up to three times as long, and HTTP servers take
20 MiB (the Collector) or more."""

# What one message costs inside another: its field's number, and a length of up to 4 bytes.
_FRAME_BYTES: Final = 5


def batches(
    spans: Iterable[GroupedSpan], most_spans: int = MOST_SPANS, most_bytes: int = MOST_BYTES
) -> Iterator[list[GroupedSpan]]:
    """Puts spans together, in their order.

    Args:
        spans: The spans.
        most_spans: How many there may be in a batch.
        most_bytes: How long a batch's request may be. A span that is longer than that is a batch of its own.
    """
    batch: list[GroupedSpan] = []
    groups: set[Group] = set()
    size = 0
    for span in spans:
        more = _size(span, groups)
        if batch and (len(batch) >= most_spans or size + more > most_bytes):
            yield batch
            batch, groups, size = [], set(), 0
            more = _size(span, groups)
        batch.append(span)
        groups.add(span.group)
        size += more
    if batch:
        yield batch


def _size(span: GroupedSpan, groups: set[Group]) -> int:
    """The bytes by which a span makes a request longer, at most."""
    own = span.span.ByteSize() + _FRAME_BYTES
    if span.group in groups:
        return own
    return own + len(span.group.resource_spans) + len(span.group.scope_spans) + 2 * _FRAME_BYTES
