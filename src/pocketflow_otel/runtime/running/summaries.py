"""A run in figures: how long, how much at once, because of what, and what it cost."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from pocketflow_otel.runtime.running.records import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketflow_otel.budgets import Limits
    from pocketflow_otel.runtime.planning import PlannedDocument
    from pocketflow_otel.runtime.running.records import NodeRecord


def summary_of(
    document: PlannedDocument, records: Sequence[NodeRecord], seconds: float, spent: Limits, *, abandoned: int
) -> Summary:
    """Makes the summary of a run.

    Args:
        document: What was run.
        records: What is recorded of its visits.
        seconds: How long it took.
        spent: What calls of models used.
        abandoned: How many nodes were given up while they went on.
    """
    holders = {node.path for node in document.all_nodes() if node.is_holder}
    visits = [record for record in records if record.status != "skipped"]
    node_seconds = sum(record.seconds for record in visits if record.node not in holders)
    path = critical_path(records)
    return Summary(
        visits=len(visits),
        by_status=dict(Counter(record.status for record in records)),
        retries=sum(record.attempts - 1 for record in visits if record.attempts > 1),
        node_seconds=node_seconds,
        parallelism=node_seconds / seconds if seconds else 0.0,
        critical_path=tuple(record.node for record in path),
        critical_seconds=sum(record.seconds for record in path),
        tokens=spent.tokens or 0,
        usd=spent.usd or 0.0,
        abandoned_threads=abandoned,
    )


def critical_path(records: Sequence[NodeRecord]) -> list[NodeRecord]:
    """From the visit that ended last, back through those because of which each could begin; the first one first.

    Nodes inside others are left out, as these are told with them, and what was skipped took no time.
    """
    numbered = {
        record.number: record
        for record in records
        if record.role != "undo" and not record.at and "." not in record.node
    }
    visits = (record for record in numbered.values() if record.status != "skipped")
    last = max(visits, key=lambda record: record.started + record.seconds, default=None)
    path = []
    while last is not None:
        if last.status != "skipped":
            path.append(last)
        last = numbered.get(last.cause)
    return path[::-1]


@contextlib.contextmanager
def counting_calls(*, needed: bool) -> Iterator[None]:
    """Sees to it that tokens and money are counted: PocketFlow's instrumentation does that, and is there meanwhile.

    Args:
        needed: Whether they have to be, because they are limited.
    """
    if not needed:
        yield
        return
    from pocketflow_otel.instrumentation import PocketFlowInstrumentor

    instrumentor = PocketFlowInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        yield
        return
    instrumentor.instrument()
    try:
        yield
    finally:
        instrumentor.uninstrument()
