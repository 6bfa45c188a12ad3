"""Errors that are worth another try: whether their names are spelled as those that there are."""

from __future__ import annotations

import builtins
import sys
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime import errors as errors_of_runs
from pocketflow_otel.runtime.registry import docstrings
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.model import Node, Retry
    from pocketflow_otel.runtime.documents.places import Path

# Nobody can know all errors that a node's code may raise: only what must be a slip is told.
_MOST_SLIPS: Final = 2
_LETTERS_BY_SLIP: Final = 3
_ENDING: Final = "error"
_MANY: Final = 100


def check_retries(subject: Subject, scope: Scope) -> None:
    """Checks the errors that nodes of a scope name."""
    for name, node in scope.nodes.items():
        _check(subject, node.retry, (*scope.path_of(name), "retry"), [node])


def check_default_retry(subject: Subject) -> None:
    """Checks the errors that a document's defaults name: those of any node will do."""
    document = subject.loaded.document
    nodes = [node for scope in subject.loaded.scopes() for node in scope.nodes.values()]
    _check(subject, document.defaults.retry, ("defaults", "retry"), nodes)


def _check(subject: Subject, retry: Retry | None, path: Path, nodes: list[Node]) -> None:
    if retry is None or not retry.on:
        return
    by_type = {node.type: node for node in nodes}
    raised = {name for node in by_type.values() for name in _raised_by(subject, node)}
    there = raised | _names_in(vars(builtins)) | _names_in(vars(errors_of_runs))
    imported: frozenset[str] | None = None
    for index, name in enumerate(retry.on[:_MANY]):
        if name in there or "." in name:
            continue
        imported = _names_of_all() if imported is None else imported
        if name not in imported and (near := _meant(name, there)) is not None:
            message = f"no error is called {name!r}, so there would never be another try"
            subject.findings.at_value((*path, "on", index), message, near)


def _raised_by(subject: Subject, node: Node) -> Iterator[str]:
    """The errors that a type is known to raise: its function's docstring tells them, or its module has them."""
    kind = subject.type_of(node)
    if isinstance(kind, FunctionType | ClassType):
        done_by = kind.call if isinstance(kind, FunctionType) else kind.make
        yield from docstrings.errors(done_by)
        yield from _in_module(getattr(done_by, "__module__", ""))
    if ":" in node.type:
        yield from _in_module(node.type.partition(":")[0])


def _in_module(name: str) -> frozenset[str]:
    module = sys.modules.get(name)
    return frozenset() if module is None else _names_in(vars(module))


def _names_in(names: dict[str, Any]) -> frozenset[str]:
    return frozenset(
        name for name, thing in [*names.items()] if isinstance(thing, type) and issubclass(thing, Exception)
    )


def _names_of_all() -> frozenset[str]:
    """The names of all errors that any module has that was imported."""
    found: set[type] = set()
    waiting: list[type] = [Exception]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting += type.__subclasses__(kind)
    return frozenset(kind.__name__ for kind in found)


def _meant(name: str, names: Iterable[str]) -> str | None:
    """The name of which another one is a slip; None where it may well be the name of something else."""
    slips = {other: found for other in names if (found := _slips(name.casefold(), other.casefold())) is not None}
    return min(slips, key=lambda other: (slips[other], other), default=None)


def _slips(name: str, other: str) -> int | None:
    """How many letters are missing, wrong or too many; None where these are too many to be slips."""
    if name.endswith(_ENDING) and other.endswith(_ENDING):
        name, other = name.removesuffix(_ENDING), other.removesuffix(_ENDING)
    most = min(_MOST_SLIPS, len(name) // _LETTERS_BY_SLIP)
    if abs(len(name) - len(other)) > most:
        return None
    pieces = SequenceMatcher(None, name, other, autojunk=False).get_opcodes()
    slips = sum(
        max(end - at, end_of_other - of_other) for tag, at, end, of_other, end_of_other in pieces if tag != "equal"
    )
    return slips if slips <= most else None
