"""Connections: whether their settings are right, and whether nodes name such as there are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.checking.references import check_use
from pocketflow_otel.runtime.documents.faults import listed, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.graph import Use
    from pocketflow_otel.runtime.documents.places import Path

_NAMED: Final = re.compile(r"@([a-z][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]{0,63})")


def check_connections(subject: Subject) -> None:
    """Checks what a document says of its connections."""
    from pocketflow_otel.runtime.connections.settings import check_settings
    from pocketflow_otel.runtime.expressions.references import syntax_errors

    for name, settings in subject.loaded.document.connections.items():
        path: Path = ("connections", name)
        if (errors := syntax_errors(settings)) != []:
            for error in errors:
                subject.findings.within((*path, *error.path), error.offset, error.message, error.near)
            continue
        foreign = {use.path for use in subject.uses.of_value(settings, path) if _check_setting(subject, use)}
        for at, message, near in check_settings(name, settings):
            if (*path, *at) not in foreign:
                subject.findings.at_key((*path, *at), message, near)


def _check_setting(subject: Subject, use: Use) -> bool:
    """Checks a reference in a connection's settings; whether it refers to what these don't know."""
    from pocketflow_otel.runtime.connections.settings import HEADS
    from pocketflow_otel.runtime.documents.checking.references import Sight

    head = use.reference.head
    if head in HEADS:
        check_use(subject, use, Sight(special=frozenset(HEADS)))
        return False
    message = f"${{{use.reference.text}}}: settings of connections refer to env and inputs only"
    subject.findings.at_use(use, message, subject.findings.near(head, HEADS))
    return True


def check_named(subject: Subject, value: Any, path: Path) -> None:
    """Checks the connections that a node names: in a field ``connection``, or of a family that is declared.

    Args:
        subject: The document.
        value: What the node is given.
        path: Where that stands.
    """
    declared = subject.loaded.document.connections
    for at, text in _texts(value, path):
        found = _NAMED.fullmatch(text)
        if found is None or found[1] in subject.connections:
            continue
        if at[-1] == "connection" or found[1].partition(".")[0] in _families(subject.connections):
            there = f"; there are {listed(f'@{name}' for name in declared)}" if declared else ""
            near = subject.findings.near(found[1], declared)
            subject.findings.at_value(at, f"there is no connection {text}{there}", near and f"@{near}")


@lru_cache(maxsize=8)
def _families(connections: frozenset[str]) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in connections)


def meant_connections(declared: Iterable[str]) -> frozenset[str]:
    """The connections that are declared; of a family that there is not, under the one that was probably meant, too.

    That there is no such family is told where they are declared.
    """
    declared = frozenset(declared)
    if not declared:
        return declared
    from pocketflow_otel.runtime.connections.families import Families

    families = Families().names()
    unknown = [name for name in declared if name.partition(".")[0] not in families]
    near = {family: nearest(family, families) for family in _families(frozenset(unknown))}
    meant = (f"{near[name.partition('.')[0]]}.{name.partition('.')[2]}" for name in unknown)
    return declared.union(meant)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
