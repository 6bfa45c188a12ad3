"""Connections: whether their settings are right, and whether nodes name such as there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.checking.references import check_use
from pocketflow_otel.runtime.documents.faults import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.places import Path

_NAMED: Final = re.compile(r"@([a-z][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]{0,63})")


def check_connections(subject: Subject) -> None:
    """Checks what a document says of its connections."""
    from pocketflow_otel.runtime.connections.settings import HEADS, check_settings
    from pocketflow_otel.runtime.documents.checking.references import Sight

    for name, settings in subject.loaded.document.connections.items():
        path: Path = ("connections", name)
        found = check_settings(name, settings)
        for at, message, near in found:
            subject.findings.at_key((*path, *at), message, near)
        for use in () if found else subject.uses.of_value(settings, path):
            check_use(subject, use, Sight(special=frozenset(HEADS)))


def check_named(subject: Subject, value: Any, path: Path) -> None:
    """Checks the connections that a node names: in a field ``connection``, or of a family that is declared.

    Args:
        subject: The document.
        value: What the node is given.
        path: Where that stands.
    """
    declared = subject.loaded.document.connections
    families = {name.partition(".")[0] for name in declared}
    for at, text in _texts(value, path):
        found = _NAMED.fullmatch(text)
        if found is None or found[1] in declared:
            continue
        if at[-1] == "connection" or found[1].partition(".")[0] in families:
            there = f"; there are {listed(f'@{name}' for name in declared)}" if declared else ""
            near = subject.findings.near(found[1], declared)
            subject.findings.at_value(at, f"there is no connection {text}{there}", near and f"@{near}")


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
