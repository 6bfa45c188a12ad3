"""Cycles of a graph, and what can be reached in it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Graph = Mapping[str, Sequence[str]]
    """Of each node, those that it leads to."""


class Reachability:
    """Which nodes of a graph lead to which. It takes a bit for each two groups of nodes that lead to one another.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: Graph) -> None:
        self._group: dict[str, int] = {}
        self._reached: list[int] = []
        # A group comes after all that it leads to.
        for number, names in enumerate(groups(graph)):
            self._group.update(dict.fromkeys(names, number))
            reached = 1 << number if _is_cycle(names, graph) else 0
            for other in {self._group[after] for name in names for after in graph[name]} - {number}:
                reached |= self._reached[other] | 1 << other
            self._reached.append(reached)

    def leads(self, name: str, other: str) -> bool:
        """Whether one or more steps lead from a node to another, or back to itself."""
        return bool(self._reached[self._group[name]] >> self._group[other] & 1)


def groups(graph: Graph) -> Iterator[list[str]]:
    """Nodes that lead to one another, the groups that others lead to first.

    Tarjan's algorithm: https://en.wikipedia.org/wiki/Tarjan%27s_strongly_connected_components_algorithm
    """
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    done: set[str] = set()
    path: list[str] = []
    for start in graph:
        waiting = [] if start in number else [(start, iter(graph[start]))]
        while waiting:
            name, following = waiting[-1]
            if name not in number:
                number[name] = lowest[name] = len(number)
                path.append(name)
            after = next((one for one in following if one not in done), None)
            if after is None:
                waiting.pop()
                if waiting:
                    around = waiting[-1][0]
                    lowest[around] = min(lowest[around], lowest[name])
                if lowest[name] == number[name]:
                    group = [path.pop()]
                    while group[-1] != name:
                        group.append(path.pop())
                    done.update(group)
                    yield group
            elif after in number:
                lowest[name] = min(lowest[name], number[after])
            else:
                waiting.append((after, iter(graph[after])))


def cycles(before: Graph) -> Iterator[list[str]]:
    """Of each group of nodes that wait for one another a cycle, from its first node in the order of the graph to it.

    Args:
        before: Of each node, those that come before it.
    """
    order = {name: number for number, name in enumerate(before)}
    found = [names for names in groups(before) if _is_cycle(names, before)]
    for names in sorted(found, key=lambda names: min(map(order.__getitem__, names))):
        yield _shortest(min(names, key=order.__getitem__), set(names), before)


def _is_cycle(names: Sequence[str], graph: Graph) -> bool:
    return len(names) > 1 or names[0] in graph[names[0]]


def _shortest(first: str, names: set[str], before: Graph) -> list[str]:
    """The shortest way from a node back to it."""
    after: dict[str, str] = {}
    waiting = deque([first])
    while first not in after:
        name = waiting.popleft()
        for one in before[name]:
            if one in names and one not in after:
                after[one] = name
                waiting.append(one)
    way = [first, after[first]]
    while way[-1] != first:
        way.append(after[way[-1]])
    return way


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
