"""Keys of the store: which node reads and writes which, and whether two get into each other's way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.checking.inputs import STORE_KEY
from pocketflow_otel.runtime.documents.sentences import shown
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.model import Node
    from pocketflow_otel.runtime.documents.places import Path


def check_mappings(subject: Subject, scope: Scope) -> None:
    """Checks what each node of a scope reads and writes."""
    for name, node in scope.nodes.items():
        path = scope.path_of(name)
        kind = subject.type_of(node)
        for field, mapping in (("reads", node.reads), ("writes", node.writes)):
            if mapping and kind is not None and not isinstance(kind, ClassType):
                message = f"only PocketFlow classes have {field!r}; {node.type} is none: it is given values in 'with'"
                subject.findings.at_key((*path, field), message)
        _check_reads(subject, node, path)
        _check_twice(subject, node, path)
        for key, at in written_keys(subject, node, path):
            _check_key(subject, scope, name, key, at)
    if not scope.path:
        for name in scope.nodes.keys() & subject.loaded.document.inputs.keys():
            message = f"the input {name!r} has this name too, and both are keys of the store"
            subject.findings.at_key(scope.path_of(name), message)


def _check_reads(subject: Subject, node: Node, path: Path) -> None:
    for key, source in node.reads.items():
        if not isinstance(source, str) or not source:
            message = f"expected a key of the store, or a reference, not {shown(source)}"
            subject.findings.at_value((*path, "reads", key), message)


def _check_twice(subject: Subject, node: Node, path: Path) -> None:
    first: dict[str, str] = {}
    for key, target in node.writes.items():
        if target in first:
            message = f"{first[target]!r} is written to the key {target!r} of the store already"
            subject.findings.at_value((*path, "writes", key), message)
        first.setdefault(target, key)


def _check_key(subject: Subject, scope: Scope, name: str, key: str, at: Path) -> None:
    if key == STORE_KEY:
        subject.findings.at_value(at, f"the key {STORE_KEY!r} of the store tells of the run, and is not written")
    elif not key:
        subject.findings.at_value(at, "expected a key of the store, not an empty text")
    elif key in scope.nodes and key != name:
        subject.findings.at_value(at, f"the key {key!r} of the store is that of the node {key!r}")
    elif not scope.by_action and not scope.path and key in subject.loaded.document.inputs:
        subject.findings.at_value(at, f"the key {key!r} of the store is that of the input {key!r}")


def written_keys(subject: Subject, node: Node, path: Path) -> Iterator[tuple[str, Path]]:
    """The keys of the store that a node writes, as far as the document tells, and where it tells so."""
    for key, target in node.writes.items():
        yield target, (*path, "writes", key)
    kind = subject.type_of(node)
    if isinstance(kind, FunctionType) and kind.writes_store:
        for field, value in node.with_.items():
            for key in value if isinstance(value, dict) else ():
                yield key, (*path, "with", field, key)
