"""Names of nodes and items: none has two meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.checking.inputs import STORE_KEY
from pocketflow_otel.runtime.documents.model import RESERVED_NAMES, MapConfig

if TYPE_CHECKING:
    from collections.abc import Container

    from pocketflow_otel.runtime.documents.checking.subject import Subject
    from pocketflow_otel.runtime.documents.loaded import Scope
    from pocketflow_otel.runtime.documents.places import Path


def check_names(subject: Subject, scope: Scope, around: Container[str]) -> None:
    """Checks the names that a scope brings.

    Args:
        subject: The document.
        scope: The scope.
        around: The names that may be used where its nodes stand, their own not among them.
    """
    for name in scope.nodes:
        _check(subject, scope.path_of(name), f"the node {name!r}", name, around)
    for name, body in scope.bodies.items():
        config = body.config
        if not isinstance(config, MapConfig):
            continue
        path = (*scope.path_of(name), "with", "as")
        what = f"the item {config.as_!r}"
        if body.scope is not None and config.as_ in body.scope.nodes:
            subject.findings.at_value(path, f"{what} has the name of a node inside: give it another name by 'as'")
        hint = ": give it another name by 'as'"
        _check(subject, path, what, config.as_, scope.nodes if config.as_ in scope.nodes else around, hint)


def _check(subject: Subject, path: Path, what: str, name: str, around: Container[str], hint: str = "") -> None:
    if name == STORE_KEY:
        subject.findings.at_key(path, f"{STORE_KEY!r} is where the store tells of the run: another name is needed")
    elif name in RESERVED_NAMES:
        reserved = ", ".join(sorted(RESERVED_NAMES))
        subject.findings.at_key(path, f"{name!r} has a meaning of its own; no node or item is called {reserved}")
    elif name in around:
        subject.findings.at_key(path, f"{what} hides what is called so outside{hint}")
