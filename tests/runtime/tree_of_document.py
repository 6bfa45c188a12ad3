"""Compares a run's trace with its document and its result: a span for each visit, below the right one, and no other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pocketflow_otel.runtime import ClassType, Registry
from pocketflow_otel.traces.reader import Span, StatusCode, Trace

Names = tuple[str, ...]
HOLDERS = ("map", "parallel", "workflow")


@dataclass(frozen=True)
class Visit:
    """A visit of a node, as a result and a trace tell it alike.

    Attributes:
        path: The names of the nodes around it, and its own.
        at: The numbers of the items that it belongs to.
        number: Which visit, in its flow's run.
    """

    path: Names
    at: tuple[int, ...]
    number: int


def check_tree(document: Mapping[str, Any], base: Path, result: Mapping[str, Any], trace: Trace) -> None:
    """Asserts that a trace holds the tree of a document, as far as it ran.

    Args:
        document: The document.
        base: Its folder.
        result: What came of the run, as ``result.json`` has it.
        trace: The run's trace.
    """
    (root,) = trace.roots()
    assert root.name == f"invoke_workflow {document['workflow']}"
    nodes = dict(nodes_by_path(document["nodes"], base))
    types = {path: node["type"] for path, node in nodes.items()}
    # What was skipped, or is over a cap on visits, never began.
    records = [record for record in (*result["nodes"], *result["undone"]) if record["seconds"] > 0]
    told = {visit_of(record): record for record in records}
    spans = list(visits_in(trace, root))
    shown, ran = Counter(visit for visit, _ in spans), Counter[Visit]()
    for record in records:
        ran[visit_of(record)] += spans_of(record, types[path_of(record)], base)
    assert (shown - ran, ran - shown) == ({}, {})
    for visit, span in spans:
        operation = "invoke_workflow" if types[visit.path] in HOLDERS else "invoke_node"
        assert span.name == f"{operation} {visit.path[-1]}"
        assert span.finished
        check_iterations(types[visit.path], trace.children(span))
        if ran[visit] == 1:
            check_outcome(told[visit], span)


def spans_of(record: Mapping[str, Any], kind: str, base: Path) -> int:
    """How many spans a visit has: functions try within their one span, everything else is run anew for each try."""
    again: int = record.get("attempts", 1)
    return again if again > 1 and (kind in HOLDERS or is_class(kind, base)) else 1


def is_class(kind: str, base: Path) -> bool:
    return ":" in kind and isinstance(Registry().get(kind, base), ClassType)


def check_outcome(record: Mapping[str, Any], span: Span) -> None:
    """Asserts that a node's span tells the same as its record."""
    if record["status"] == "succeeded":
        assert span.status.code is not StatusCode.ERROR, span
    if record["status"] == "failed":
        # An action is looked up in the edges when the node is over.
        unrouted = span.attributes.get("pocketflow.action.unrouted", False)
        assert unrouted or span.status.code is StatusCode.ERROR, (record, span)
    if "attempts" in record:
        # PocketFlow's own retries, of a class, are told by spans alone.
        assert span.attributes["pocketflow.attempts"] == record["attempts"]
    for name in ("cpu_seconds", "memory_bytes", "read_bytes", "written_bytes"):
        # Spans leave out what is little.
        assert span.attributes.get(f"pocketflow.node.{name}") in (None, record.get(name, 0))
    counted = {f"pocketflow.node.count.{name}": count for name, count in record.get("counts", {}).items()}
    assert {name: span.attributes.get(name) for name in counted} == counted


def check_iterations(kind: str, children: Sequence[Span]) -> None:
    """Asserts that a map has an iteration for each item that was begun, and other nodes have none."""
    numbers = [span.attributes.get("pocketflow.batch.index", 0) for span in children if span.name == "iteration"]
    assert sorted(numbers) == list(range(len(numbers)))
    assert kind == "map" or numbers == []


def path_of(record: Mapping[str, Any]) -> Names:
    return tuple(record["node"].split("."))


def visit_of(record: Mapping[str, Any]) -> Visit:
    return Visit(path_of(record), tuple(record.get("at", ())), record["visit"])


def visits_in(trace: Trace, span: Span, path: Names = (), at: tuple[int, ...] = ()) -> Iterator[tuple[Visit, Span]]:
    """The visits below a span, with their spans."""
    for child in trace.children(span):
        if child.name == "iteration":
            index = child.attributes.get("pocketflow.batch.index", 0)
            yield from visits_in(trace, child, path, (*at, index))
        elif child.name.startswith("invoke_"):
            inner = (*path, child.name.partition(" ")[2])
            yield Visit(inner, at, child.attributes["pocketflow.node.visit"]), child
            yield from visits_in(trace, child, inner, at)
        else:
            assert not list(visits_in(trace, child)), f"a node is below {child.name}"


def nodes_by_path(
    nodes: Mapping[str, Any], base: Path, around: Names = ()
) -> Iterator[tuple[Names, Mapping[str, Any]]]:
    """All nodes, those inside others and of other documents too."""
    for name, node in nodes.items():
        path, config = (*around, name), node.get("with", {})
        yield path, node
        if node["type"] not in HOLDERS:
            continue
        if "path" in config:
            other = base / config["path"]
            inner = yaml.safe_load(other.read_text(encoding="utf-8"))["nodes"]
            yield from nodes_by_path(inner, other.parent, path)
        else:
            yield from nodes_by_path(config["do"], base, path)
