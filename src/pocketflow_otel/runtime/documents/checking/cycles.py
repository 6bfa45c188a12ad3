"""Cycles of a graph."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_MOST: Final = 20


def cycles(before: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Cycles that share no node, each from its first node in the order of the graph back to it.

    Args:
        before: Of each node, those that come before it.
    """
    left = {name: list(names) for name, names in before.items()}
    order = {name: number for number, name in enumerate(before)}
    for _ in range(_MOST):
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            found = list(error.args[1])[:-1]
            first = found.index(min(found, key=order.__getitem__))
            yield [*found[first:], *found[:first], found[first]]
            gone = set(found)
            left = {name: [one for one in names if one not in gone] for name, names in left.items() if name not in gone}
        else:
            return


def shown_cycle(names: list[str]) -> str:
    """``a → b → a``; a long one without its middle."""
    few = names if len(names) <= 12 else [*names[:6], f"… {len(names) - 12} more …", *names[-6:]]  # noqa: PLR2004
    return " → ".join(few)


def reachable(after: Mapping[str, Iterable[str]], start: Iterable[str]) -> set[str]:
    """All nodes that some lead to, these included.

    Args:
        after: Of each node, those that follow it.
        start: Where to begin.
    """
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(after.get(name, ()))
    return seen
