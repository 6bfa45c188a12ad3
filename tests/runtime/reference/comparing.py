"""Holds a run against what the reference interpreter says of its document."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from runtime.reference.expressions import heads
from runtime.reference.interpreter import HOLDERS, Reference
from runtime.reference.model import Identity
from runtime.reference.nodes_for_documents import Call


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def is_undo(name: str) -> bool:
    return name.rpartition(".")[2].startswith("u")


def check_run(reference: Reference, result: Any, calls: list[Call], parallel: int) -> None:
    check_outcome(reference, result)
    check_entries(reference, result)
    visits = calls_by_visit(reference, [call for call in calls if not is_undo(call.node)])
    check_calls(reference, visits)
    check_order(reference, visits)
    check_parallel(calls, parallel)
    check_items(reference.document["nodes"], calls)
    check_undone(reference, result, [call for call in calls if is_undo(call.node)])
    check_store(reference, result)


def check_outcome(reference: Reference, result: Any) -> None:
    if reference.may_reach_limit and result.status == "limit":
        return
    assert result.status == reference.status
    if reference.stop is None:
        assert result.outputs == reference.outputs
        assert result.error is None
    elif reference.status == "failed":
        expected = reference.may_fail if reference.doubtful else {reference.stop.node}
        assert result.error.node in expected


def check_entries(reference: Reference, result: Any) -> None:
    """All nodes that had to come to an end did so, as they had to, and no others."""
    told = Counter(
        (one.node, one.status, canonical(one.output))
        for one in result.nodes
        if one.status in ("succeeded", "degraded", "skipped") and not is_undo(one.node)
    )
    ended = [one for one in reference.entries if one.status != "failed"]
    possible = Counter((one.node, one.status, canonical(one.output)) for one in ended)
    possible += Counter(
        (one.node, one.unrouted, canonical(one.output)) for one in reference.entries if one.unrouted and not one.certain
    )
    certain = Counter((one.node, one.status, canonical(one.output)) for one in ended if one.certain)
    assert told - possible == Counter()
    assert certain - told == Counter()
    failed = Counter(one.node for one in reference.entries if one.status == "failed" and one.certain)
    assert failed - Counter(one.node for one in result.nodes if one.status == "failed") == Counter()


def calls_by_visit(reference: Reference, calls: list[Call]) -> dict[Identity, list[Call]]:
    """The calls of each visit; every call belongs to one."""
    left: dict[tuple[str, tuple[Any, ...]], list[Call]] = defaultdict(list)
    for call in calls:
        left[call.node, call.at].append(call)
    found: dict[Identity, list[Call]] = {}
    for visit in reference.visits:
        mine = left[visit.identity[:2]]
        if mine[: visit.calls]:
            found[visit.identity] = mine[: visit.calls]
        del mine[: visit.calls]
    assert [call for rest in left.values() for call in rest] == []
    return found


def check_calls(reference: Reference, visits: dict[Identity, list[Call]]) -> None:
    """Each visit called its node's code as often as it took, and no more."""
    for visit in reference.visits:
        calls = visits.get(visit.identity, [])
        if visit.certain:
            assert len(calls) == visit.calls, visit.identity
        assert all(call.ended is not None for call in calls)
        if len(calls) == visit.calls:
            expected = [False] * (visit.calls - 1) + [visit.succeeds]
            assert [call.succeeded for call in calls] == expected or not visit.certain


def check_order(reference: Reference, visits: dict[Identity, list[Call]]) -> None:
    """No visit began before what it waits for was over; one after the other, they came as they had to."""
    if reference.stops_at_once:
        began = sorted((calls[0].began, identity) for identity, calls in visits.items())
        assert [identity for _, identity in began] == [visit.identity for visit in reference.visits]
    for visit in reference.visits:
        if visit.identity not in visits:
            continue
        began = visits[visit.identity][0].began
        for one in visit.after:
            over = sum(all(ended_before(began, visits.get(each, [])) for each in group) for group in one.groups)
            assert over >= one.count, (visit.identity, one)


def ended_before(moment: int, calls: list[Call]) -> bool:
    """Whether these are over; what was never called, because something else had failed, is not waited for."""
    return all(call.ended is not None and call.ended < moment for call in calls)


def moments(calls: Iterable[Call]) -> list[tuple[int, int, Call]]:
    """When calls began (1) and ended (-1), in order."""
    calls = list(calls)
    found = [(call.began, 1, call) for call in calls]
    found += [(call.ended, -1, call) for call in calls if call.ended is not None]
    return sorted(found, key=lambda moment: moment[0])


def check_parallel(calls: list[Call], parallel: int) -> None:
    at_once = 0
    for _, change, _ in moments(calls):
        at_once += change
        assert at_once <= parallel


def check_items(nodes: dict[str, Any], calls: list[Call], depth: int = 0) -> None:
    """No map had more items in work at once than it may."""
    for spec in nodes.values():
        if spec["type"] not in HOLDERS:
            continue
        config = spec["with"]
        if spec["type"] == "map":
            inside = set(names_in(config["do"]))
            in_work: dict[tuple[Any, ...], Counter[Any]] = defaultdict(Counter)
            for _, change, call in moments(call for call in calls if call.node in inside):
                items = in_work[call.at[:depth]]
                items[call.at[depth]] += change
                assert sum(count > 0 for count in items.values()) <= config["parallel"]
        check_items(config["do"], calls, depth + (spec["type"] == "map"))


def names_in(nodes: dict[str, Any]) -> Iterator[str]:
    for name, spec in nodes.items():
        yield name
        if spec["type"] in HOLDERS:
            yield from names_in(spec["with"]["do"])


def check_undone(reference: Reference, result: Any, calls: list[Call]) -> None:
    """What had to be taken back was, once each, and what others had built on only after those."""
    taken = [(call.node, call.at, canonical(call.given)) for call in calls if call.succeeded]
    possible = [(one.node.rpartition(".")[2], one.at, canonical(one.gave)) for one in reference.undone if one.succeeds]
    if reference.stops_at_once:
        assert taken == possible
    elif not reference.doubtful:
        assert Counter(taken) == Counter(possible)
    elif not any(one.unrouted for one in reference.entries):
        assert Counter(taken) - Counter(possible) == Counter()


def check_store(reference: Reference, result: Any) -> None:
    """By action the store holds all that was put there; by data, what is still of use, and no output beyond that."""
    store = {key: value for key, value in result.store.items() if key != "_run"}
    flow, expected = reference.top.flow, reference.top.store
    if flow.edges:
        assert store == expected
        return
    assert {key: expected.get(key) for key in store} == store
    outputs = reference.document.get("outputs")
    if outputs and reference.stop is None:
        of_use = {head for head, _ in heads(outputs)} | {name for name, spec in flow.do.items() if "undo" in spec}
        assert set(flow.scheduled) & store.keys() <= of_use
