"""Nodes that are ordered by what they refer to and need: whether each can ever run, and which run side by side."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.checking.cycles import Reachability, cycles, shown_cycle
from pocketflow_otel.runtime.documents.checking.mappings import written_keys
from pocketflow_otel.runtime.documents.graph import Dependencies, dependencies, helpers

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.places import Path


def check_by_data(subject: Subject, scope: Scope) -> None:
    """Checks a scope that has no edges."""
    if scope.start is not None:
        message = "'start' has no meaning here: without edges, nodes run when what they refer to is there"
        subject.findings.at_key((*scope.path, "start"), message)
    served = helpers(scope)
    for name in scope.nodes:
        _check_needs(subject, scope, name, served)
        if name not in served:
            _check_fields(subject, scope, name)
    waits = {name: one for name, one in dependencies(scope, subject.uses).items() if name not in served}
    _check_joins(subject, scope, waits)
    before = {name: [other for other in one.all if other in waits] for name, one in waits.items()}
    found = list(cycles(before))
    for cycle in found:
        _told_cycle(subject, scope, cycle)
    _check_takeovers(subject, scope, served, before)
    if not found:
        _check_writers(subject, scope, before)


def _check_fields(subject: Subject, scope: Scope, name: str) -> None:
    if "visits" in scope.nodes[name].model_fields_set:
        message = "'visits' has no meaning here: without edges, a node runs once"
        subject.findings.at_key((*scope.path_of(name), "visits"), message)


def _check_needs(subject: Subject, scope: Scope, name: str, served: dict[str, list[str]]) -> None:
    findings = subject.findings
    seen: set[str] = set()
    for number, need in enumerate(scope.nodes[name].needs):
        path: Path = (*scope.path_of(name), "needs", number)
        if need in served:
            findings.at_value(path, f"{need!r} takes over from {served[need][0]!r}: need that one")
        elif need in seen:
            findings.at_value(path, f"{need!r} stands here twice")
        seen.add(need)


def _check_joins(subject: Subject, scope: Scope, waits: dict[str, Dependencies]) -> None:
    for name, one in waits.items():
        node = scope.nodes[name]
        if node.join == "all":
            continue
        path = scope.path_of(name)
        if not one.hard:
            subject.findings.at_value((*path, "join"), f"join {node.join} speaks of 'needs', and there are none")
        elif isinstance(node.join, int) and node.join > len(one.hard):
            message = f"{node.join} nodes can't succeed: 'needs' names {len(one.hard)}"
            subject.findings.at_value((*path, "join"), message)
        for use in subject.uses.leading_out(scope, name):
            if use.reference.head in scope.nodes and use.reference.head != name and not use.reference.optional:
                message = f"with join {node.join}, {use.reference.head!r} may be missing: give a default (??)"
                subject.findings.at_use(use, message)


def _told_cycle(subject: Subject, scope: Scope, cycle: list[str]) -> None:
    path = scope.path_of(cycle[0])
    if len(cycle) == 2:  # noqa: PLR2004
        message = "the node waits for itself; in 'action' its output is ${output}"
    else:
        message = f"these nodes wait for one another: {shown_cycle(cycle)}, each for the one before it"
    subject.findings.at_key(path, message)


def _check_takeovers(
    subject: Subject, scope: Scope, served: dict[str, list[str]], before: dict[str, list[str]]
) -> None:
    """Checks that what takes over refers to nothing that may not have run by then."""
    reach = Reachability(before) if served else None
    for helper, names in served.items():
        for use in subject.uses.leading_out(scope, helper):
            head = use.reference.head
            if reach is None or use.reference.optional or head not in before:
                continue
            for name in names:
                is_undone = head == name and scope.nodes[name].undo == helper
                if not is_undone and not (name in before and reach.leads(name, head)):
                    subject.findings.at_use(use, _not_there(head, helper, name))


def _not_there(head: str, helper: str, name: str) -> str:
    if head == name:
        return f"{name!r} has failed when {helper!r} takes over, and gave nothing; ${{error.message}} tells why"
    return (
        f"{head!r} need not have run when {helper!r} takes over from {name!r}: give a default, or let {name!r} need it"
    )


def _check_writers(subject: Subject, scope: Scope, before: dict[str, list[str]]) -> None:
    """Checks that of two nodes that write a key, one comes before the other."""
    writers: dict[str, dict[str, Path]] = {}
    for name in before:
        for key, at in written_keys(subject, scope.nodes[name], scope.path_of(name)):
            writers.setdefault(key, {}).setdefault(name, at)
    contested = {key: names for key, names in writers.items() if len(names) > 1}
    if not contested:
        return
    order = list(TopologicalSorter(before).static_order())
    number = {name: index for index, name in enumerate(order)}
    place = {name: index for index, name in enumerate(scope.nodes)}
    for key, names in contested.items():
        in_order = sorted(names, key=number.__getitem__)
        for name, other in _unordered(in_order, order[number[in_order[0]] :], before):
            first, second = sorted((name, other), key=place.__getitem__)
            message = f"{first!r} writes the key {key!r} too, and may run at the same time: let one need the other"
            subject.findings.at_value(names[second], message)


def _unordered(writers: list[str], order: list[str], before: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Neighbours among writers of which none waits for the other, in an order in which nodes may run.

    The last writer before each node is known when the nodes are gone through in order: if it is not a writer's
    neighbour, the two are not ordered.
    """
    number = {name: index for index, name in enumerate(writers)}
    last: dict[str, int] = {}
    found = []
    for name in order:
        latest = max((max(last.get(one, -1), number.get(one, -1)) for one in before[name]), default=-1)
        last[name] = latest
        if name in number and latest != number[name] - 1:
            found.append((writers[number[name] - 1], name))
    return found
