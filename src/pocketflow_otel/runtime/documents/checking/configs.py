"""Types of nodes, and what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pocketflow_otel.runtime.documents.checking.closing import closed
from pocketflow_otel.runtime.documents.checking.connections import check_named
from pocketflow_otel.runtime.documents.graph import may_refer
from pocketflow_otel.runtime.documents.sentences import complaints
from pocketflow_otel.runtime.registry.node_types import FunctionType, HolderType
from pocketflow_otel.runtime.registry.registry import NodeTypeError

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.model import Node
    from pocketflow_otel.runtime.documents.places import Path
    from pocketflow_otel.runtime.registry.node_types import NodeType


def check_configs(subject: Subject, scope: Scope) -> None:
    """Checks for each node of a scope that there is its type, that the run allows it, and that ``with`` fits it."""
    for name, node in scope.nodes.items():
        path = scope.path_of(name)
        kind = subject.types.get(node.type)
        if isinstance(kind, NodeTypeError):
            subject.findings.at_value((*path, "type"), kind.message, kind.near)
            subject.doubtful.add(path)
            continue
        _check_allowed(subject, node, kind, path)
        check_named(subject, node.with_, (*path, "with"))
        if not isinstance(kind, HolderType):
            _check_config(subject, node, kind, (*path, "with"))


def _check_allowed(subject: Subject, node: Node, kind: NodeType, path: Path) -> None:
    if isinstance(kind, FunctionType) and kind.permission == "shell" and not subject.allow_shell:
        message = f"{node.type} runs commands, and this run does not allow that: --allow-shell does"
        subject.findings.at_value((*path, "type"), message)


def _check_config(subject: Subject, node: Node, kind: NodeType, path: Path) -> None:
    given = _unescaped(node.with_)
    unreadable = {error[0] for error in _unreadable(subject, node)}
    try:
        closed(kind.config).model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False)
        for complaint in complaints(details, given, kind.config, subject.findings.near):
            if not complaint.of_key and _is_open(given, complaint.path, unreadable):
                continue
            subject.doubtful.add(path[:-1])
            add = subject.findings.at_key if complaint.of_key else subject.findings.at_value
            add((*path, *complaint.path), complaint.message, complaint.near)
    except Exception as error:  # noqa: BLE001 - a validator that expects values meets references
        if not may_refer(given):
            subject.findings.at_value(path, f"{node.type} can't take this: {type(error).__name__}: {error}")
    if isinstance(kind, FunctionType) and kind.check is not None and path[:-1] not in subject.doubtful:
        _check_by_type(subject, node, kind, path)
        _check_functions(subject, node, kind, path)


def _check_functions(subject: Subject, node: Node, kind: FunctionType, path: Path) -> None:
    for field in kind.functions:
        target = node.with_.get(field)
        if isinstance(target, str) and not may_refer(target) and (error := subject.types.why_not_called(target)):
            subject.findings.at_value((*path, field), error.message, error.near)


def _check_by_type(subject: Subject, node: Node, kind: FunctionType, path: Path) -> None:
    try:
        found = kind.check(node.with_) if kind.check else []
    except Exception as error:  # noqa: BLE001 - a plug-in's check is no part of ours
        found = [((), f"the check of {node.type} fails: {type(error).__name__}: {error}")]
    for at, message, *offset in found:
        if offset:
            subject.findings.within((*path, *at), offset[0], message)
        else:
            subject.findings.at_value((*path, *at), message)


def _unreadable(subject: Subject, node: Node) -> list[tuple[Path, str]]:
    """Texts that can't be read as what they are: told elsewhere, where references are looked at."""
    expressions = subject.types.expressions(node.type)
    if not expressions:
        return []
    from pocketflow_otel.runtime.expressions.config import config_errors

    return [(error.path, error.message) for error in config_errors(node.with_, expressions)]


def _is_open(given: Any, path: Path, unreadable: set[Path]) -> bool:
    """Whether what a value will be is known only when the node runs."""
    if path in unreadable:
        return True
    value = given
    for step in path:
        value = value[step]
    return bool(path) and may_refer(value)


def _unescaped(value: Any) -> Any:
    """The value with ``${`` for ``$${`` in texts that hold no references."""
    if isinstance(value, str):
        if "$${" not in value:
            return value
        from pocketflow_otel.runtime.expressions.references import ReferenceSyntaxError, parse

        try:
            template = parse(value)
        except ReferenceSyntaxError:
            return value
        return template.value if template.is_constant else value
    if isinstance(value, dict):
        return {key: _unescaped(item) for key, item in value.items()} if may_refer(value) else value
    return [_unescaped(item) for item in value] if isinstance(value, list) and may_refer(value) else value
