"""The nodes of a document that ask people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pocketflow_otel.runtime.documents.loaded import Loaded
    from pocketflow_otel.runtime.documents.model import Node


def asking_nodes(document: Loaded) -> list[str]:
    """The nodes that ask, by name, those inside others with the names of these: ``outer.inner``."""
    return [name for name, _ in _asking(document)]


def misplaced(decisions: Mapping[str, str], document: Loaded) -> str | None:
    """What is wrong with decisions that are made beforehand, by node; None if nothing is."""
    asking = dict(_asking(document))
    for name, decision in decisions.items():
        if name not in asking:
            near = nearest(name, asking)
            there = f"there are {', '.join(asking)}" if asking else "the document has none"
            hint = f"; did you mean {near!r}?" if near else ""
            return f"{name!r} is no node of type approve: {there}{hint}"
        if (problem := _no_choice(asking[name], decision)) is not None:
            return f"{name}: {problem}"
    return None


def _no_choice(node: Node, decision: str) -> str | None:
    """What is wrong with a decision, as far as the choices are known before a run."""
    from pocketflow_otel.runtime.expressions.references import parse
    from pocketflow_otel.runtime.nodes.approval.question import Question
    from pocketflow_otel.runtime.nodes.approve import DEFAULT_CHOICES

    choices = parse(node.with_.get("choices", list(DEFAULT_CHOICES)))
    if not choices.is_constant:
        return None
    try:
        Question("", "", "", "", tuple(choices.value), takes_comment=False).choice(decision)
    except ValueError as error:
        return str(error)
    return None


def _asking(document: Loaded) -> Iterator[tuple[str, Node]]:
    return ((name, node) for name, node in document.all_nodes() if node.type == "approve")
