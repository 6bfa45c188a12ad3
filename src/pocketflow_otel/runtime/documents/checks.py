"""The second look at a document: whether its parts fit together, and to the node types there are."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.checking.bodies import check_bodies
from pocketflow_otel.runtime.documents.checking.by_action import check_by_action
from pocketflow_otel.runtime.documents.checking.by_data import check_by_data
from pocketflow_otel.runtime.documents.checking.configs import check_configs
from pocketflow_otel.runtime.documents.checking.connections import check_connections, meant_connections
from pocketflow_otel.runtime.documents.checking.inputs import check_inputs
from pocketflow_otel.runtime.documents.checking.mappings import check_mappings
from pocketflow_otel.runtime.documents.checking.named import check_named_nodes
from pocketflow_otel.runtime.documents.checking.naming import check_names
from pocketflow_otel.runtime.documents.checking.references import Sight, check_outputs, check_references
from pocketflow_otel.runtime.documents.checking.retries import check_default_retry, check_retries
from pocketflow_otel.runtime.documents.checking.subject import Subject
from pocketflow_otel.runtime.documents.checking.takeovers import check_takeovers
from pocketflow_otel.runtime.documents.checking.types import Types
from pocketflow_otel.runtime.documents.faults import Fault, InvalidDocument
from pocketflow_otel.runtime.documents.findings import Findings
from pocketflow_otel.runtime.documents.graph import Uses, brought_by
from pocketflow_otel.runtime.documents.loading import load_in_part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.documents.graph import Unreadable
    from pocketflow_otel.runtime.documents.loaded import Loaded, Scope
    from pocketflow_otel.runtime.documents.places import Path as InDocument
    from pocketflow_otel.runtime.registry.registry import Registry

MOST_NODES: Final = 50_000
"""Nodes of a document and of those that it names: a few small files that name one another twice make millions."""


def check(loaded: Loaded, registry: Registry, *, allow_shell: bool = True) -> list[Fault]:
    """All that keeps a document, and the documents it names, from being run.

    Modules that it names as node types are imported.

    Args:
        loaded: The document.
        registry: The node types there are.
        allow_shell: Whether the run allows commands.

    Returns:
        What is wrong, in the order of files and lines; nothing if it can be run.
    """
    faults: dict[Fault, None] = {}
    if loaded.count_nodes() > MOST_NODES:
        told = f"with the documents it names, each as often as it is named, it has more than {MOST_NODES:,} nodes"
        return [Fault(loaded.file, 0, 0, "", told)]
    for one in _all_documents(loaded):
        faults.update(dict.fromkeys(_check_document(one, registry, allow_shell=allow_shell)))
    return sorted(faults)


def load_checked(
    source: str | Path | Mapping[str, Any], registry: Registry, *, name: str | None = None, allow_shell: bool = True
) -> Loaded:
    """Loads and checks a document.

    Args:
        source: As of `loading.load`.
        registry: The node types there are.
        name: As of `loading.load`.
        allow_shell: Whether the run allows commands.

    Raises:
        InvalidDocument: With all that is wrong: with its parts, and, as far as they are right, with how they fit.
    """
    loaded, faults = load_in_part(source, name=name)
    if loaded is not None:
        faults = [*faults, *check(loaded, registry, allow_shell=allow_shell)]
    if loaded is None or faults:
        raise InvalidDocument(dict.fromkeys(faults))
    return loaded


def faults_of(source: str | Path | Mapping[str, Any], registry: Registry, *, allow_shell: bool = True) -> list[Fault]:
    """All that is wrong with a document: as `load_checked`, without an error."""
    try:
        load_checked(source, registry, allow_shell=allow_shell)
    except InvalidDocument as error:
        return list(error.faults)
    return []


def _all_documents(loaded: Loaded) -> list[Loaded]:
    found: list[Loaded] = []
    waiting = [loaded]
    while waiting:
        one = waiting.pop()
        if any(one is known for known in found):
            continue
        found.append(one)
        for scope in one.scopes():
            waiting.extend(body.workflow for body in scope.bodies.values() if body.workflow is not None)
    return found


def _check_document(loaded: Loaded, registry: Registry, *, allow_shell: bool) -> Findings:
    findings = Findings(loaded.file, loaded.places)
    findings.unsound.update(loaded.unsound)

    def told(path: InDocument, error: Unreadable) -> None:
        findings.within(path, error.offset, error.message, error.near)

    types = Types(registry, loaded.base)
    uses = Uses(types.expressions, told)
    doubtful = {path[:length] for path in loaded.unsound for length in range(1, len(path) + 1)}
    subject = Subject(
        loaded, types, uses, findings, allow_shell, meant_connections(loaded.document.connections), doubtful
    )
    check_inputs(subject)
    check_connections(subject)
    check_default_retry(subject)
    _check_scope(subject, loaded.scope, ChainMap())
    check_outputs(subject, check_references(subject, loaded.scope, Sight()))
    return findings


def _check_scope(subject: Subject, scope: Scope, around: ChainMap[str, None]) -> None:
    check_names(subject, scope, around)
    check_configs(subject, scope)
    check_retries(subject, scope)
    check_mappings(subject, scope)
    meant = subject.meant[scope.path] = check_named_nodes(subject, scope)
    check_takeovers(subject, meant or scope)
    check_bodies(subject, scope)
    if meant is not None and not subject.loaded.unsound:
        # What is missing would seem to lead nowhere, or to come from nowhere.
        if scope.by_action:
            check_by_action(subject, meant, scope)
        else:
            check_by_data(subject, meant)
    names = around.new_child(dict.fromkeys(scope.nodes))
    for body in scope.bodies.values():
        if body.scope is not None:
            brought = brought_by(body) - {"index", *body.scope.nodes}
            _check_scope(subject, body.scope, names.new_child(dict.fromkeys(brought)))
