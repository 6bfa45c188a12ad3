"""What a run went on without, told to people: nodes that others stand in for, and items of maps."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from pocketflow_otel.figures import count, first_few

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.runtime.running.records import NodeRecord


def lacking(records: Iterable[NodeRecord]) -> str:
    """What a run that is degraded went on without.

    Args:
        records: Its visits, in the order in which they ended.

    Returns:
        ``something else stands in for a, b; 1 of 3 items of each failed``.
    """
    replaced: dict[str, None] = {}
    failed: Counter[str] = Counter()
    items: Counter[str] = Counter()
    failing: dict[tuple[str, tuple[int, ...]], set[int]] = defaultdict(set)
    for record in records:
        if record.at and record.status == "failed":
            failing[record.node.rpartition(".")[0], record.at[:-1]].add(record.at[-1])
        failed_inside = failing.pop((record.node, record.at), set())
        if record.status != "degraded":
            continue
        if record.error is not None:
            replaced[record.node] = None
        else:
            failed[record.node] += len(failed_inside)
            items[record.node] += len(record.output) if isinstance(record.output, list) else 0
    stand_ins = [f"something else stands in for {first_few(list(replaced))}"] if replaced else []
    return "; ".join([*stand_ins, *(_items(name, number, items[name]) for name, number in failed.items())])


def _items(name: str, failed: int, items: int) -> str:
    if not failed:
        # What the map makes of an item may fail, too: no node has.
        return f"items of {name} failed"
    whole = f"{failed:,} of {count(items, 'item')}" if items >= failed else count(failed, "item")
    return f"{whole} of {name} failed"
