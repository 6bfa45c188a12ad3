"""Holds a run against what the reference interpreter says of its document."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pocketflow_otel.runtime.running.showing import shown
from runtime.reference.expressions import heads
from runtime.reference.interpreter import Reference
from runtime.reference.model import Entry, Identity, Visit, nested
from runtime.reference.nodes_for_documents import Call
from runtime.reference.undoing import check_undo_order


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def is_undo(name: str) -> bool:
    return name.rpartition(".")[2].startswith("u")


def check_run(reference: Reference, result: Any, calls: list[Call], events: Sequence[Any], parallel: int) -> None:
    check_outcome(reference, result)
    check_entries(reference, result)
    visits = calls_by_visit(reference, [call for call in calls if not is_undo(call.node)])
    check_calls(reference, visits)
    check_order(reference, visits)
    check_parallel(calls, parallel)
    check_items(reference, events)
    check_undone(reference, [call for call in calls if is_undo(call.node)])
    check_undo_order(reference.workflow, result, events)
    check_store(reference, result)


def check_outcome(reference: Reference, result: Any) -> None:
    if reference.may_reach_limit and result.status == "limit":
        return
    assert result.status == reference.status
    if reference.stop is None:
        assert result.outputs == reference.outputs
        assert result.error is None
    elif reference.status == "failed":
        told = result.error.node, result.error.type.rpartition(".")[2]
        assert told in (reference.may_fail if reference.doubtful else {(reference.stop.node, reference.stop.type)})


def check_entries(reference: Reference, result: Any) -> None:
    """All nodes that had to come to an end did so, as they had to, and no others."""
    told = Counter(
        (one.node, one.status, canonical(one.output))
        for one in result.nodes
        if one.status in ("succeeded", "degraded", "skipped") and not is_undo(one.node)
    )
    possible = Counter(as_told(one, one.status) for one in reference.entries)
    possible += Counter(as_told(one, one.unrouted) for one in reference.entries if one.unrouted and not one.certain)
    certain = Counter(as_told(one, one.status) for one in reference.entries if one.certain and one.status != "failed")
    assert told - possible == Counter()
    assert certain - told == Counter()
    failed = Counter(one.node for one in reference.entries if one.status == "failed" and one.certain)
    assert failed - Counter(one.node for one in result.nodes if one.status == "failed") == Counter()


def as_told(entry: Entry, status: str) -> tuple[str, str, str]:
    return entry.node, status, canonical(shown(entry.output))


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
        assert all(call.ended is not None or call.goes_on for call in calls)
        if len(calls) == visit.calls:
            expected = [False] * (visit.calls - 1) + [visit.succeeds]
            assert [call.succeeded for call in calls] == expected or not visit.certain


def check_order(reference: Reference, visits: dict[Identity, list[Call]]) -> None:
    """No visit began before what it waits for was over; one after the other, they came as they had to."""
    if reference.stops_at_once:
        began = sorted((calls[0].began, identity) for identity, calls in visits.items())
        assert [identity for _, identity in began] == [visit.identity for visit in reference.visits]
    known = {identity: visits[identity] for identity in told_apart(reference) if identity in visits}
    for visit in reference.visits:
        if visit.identity not in known:
            continue
        began = known[visit.identity][0].began
        for one in visit.after:
            over = sum(all(ended_before(began, known.get(each, [])) for each in group) for group in one.groups)
            assert over >= one.count, (visit.identity, one)


def told_apart(reference: Reference) -> Iterator[Identity]:
    """The visits whose calls are known to be theirs: of several in one place, one may have been left out."""
    places: dict[tuple[str, tuple[Any, ...]], list[Visit]] = defaultdict(list)
    for visit in reference.visits:
        places[visit.identity[:2]].append(visit)
    for there in places.values():
        if len(there) == 1 or all(visit.certain for visit in there):
            yield from (visit.identity for visit in there)


def ended_before(moment: int, calls: list[Call]) -> bool:
    """Whether these are over; what was never called, because something else had failed, is not waited for."""
    return all(call.goes_on or (call.ended is not None and call.ended < moment) for call in calls)


def moments(calls: Iterable[Call]) -> list[tuple[int, int, Call]]:
    """When calls began (1) and ended (-1), in order."""
    calls = [call for call in calls if not call.goes_on]
    found = [(call.began, 1, call) for call in calls]
    found += [(call.ended, -1, call) for call in calls if call.ended is not None]
    return sorted(found, key=lambda moment: moment[0])


def check_parallel(calls: list[Call], parallel: int) -> None:
    at_once = 0
    for _, change, _ in moments(calls):
        at_once += change
        assert at_once <= parallel


def check_items(reference: Reference, events: Sequence[Any]) -> None:
    """No map had more items in work at once than it may."""
    maps = {path: spec["with"]["parallel"] for path, spec, _ in nested(reference.workflow) if spec["type"] == "map"}
    at_work: dict[tuple[str, tuple[int, ...]], set[tuple[str, tuple[int, ...]]]] = defaultdict(set)
    for event in events:
        around = [path for path in sorted(maps) if event.node.startswith(f"{path}.")]
        for depth, path in enumerate(around):
            nodes = at_work[path, event.at[:depth]]
            if event.kind == "node.started":
                nodes.add((event.node, event.at))
            elif event.kind == "node.finished":
                nodes.discard((event.node, event.at))
            assert len({at[depth] for _, at in nodes}) <= maps[path], path


def check_undone(reference: Reference, calls: list[Call]) -> None:
    """What had to be taken back was, once each; one by one, in the one order that there is."""
    done = reference.undone
    if reference.stops_at_once:
        assert [(call.node, call.at, call.given) for call in calls if call.succeeded] == [
            (one.node, one.at, {"gave": one.gave, "because": one.because}) for one in done if one.succeeds
        ]
        return
    taken = Counter((call.node, call.at, canonical(call.given["gave"])) for call in calls if call.succeeded)
    possible = Counter((one.node, one.at, canonical(one.gave)) for one in done if one.succeeds)
    certain = Counter((one.node, one.at, canonical(one.gave)) for one in done if one.succeeds and one.certain)
    if not any(one.unrouted for one in reference.entries):
        assert taken - possible == Counter()
        assert certain - taken == Counter()


def check_store(reference: Reference, result: Any) -> None:
    """By action the store holds all that was put there; by data, what is still of use, and no output beyond that."""
    if reference.may_reach_limit:
        return
    store = {key: value for key, value in result.store.items() if key != "_run"}
    flow, expected = reference.top.flow, reference.top.store
    if flow.edges:
        assert store == expected
        return
    assert {key: expected.get(key) for key in store} == store
    outputs = reference.workflow.document.get("outputs")
    if outputs and reference.stop is None:
        of_use = {head for head, _ in heads(outputs)} | {name for name, spec in flow.do.items() if "undo" in spec}
        assert set(flow.scheduled) & store.keys() <= of_use
