"""What checks of documents need to know of a text that may hold references."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketflow_otel.runtime.registry.node_types import Finding

Faults = list["Finding"]
"""What is wrong: where in ``with``, and a sentence."""


def holds_references(value: Any) -> bool:
    """Whether there are references anywhere in a value, as a document has it."""
    from pocketflow_otel.runtime.expressions.references import ReferenceSyntaxError, parse

    try:
        return bool(parse(value).references)
    except ReferenceSyntaxError:
        return True


def constant_text(value: Any, sentence: str) -> tuple[str | None, str | None]:
    """The text that a value is for good, and what is wrong where it holds references.

    Args:
        value: As the document has it.
        sentence: What to say of references in it.

    Returns:
        The text, or None where it is none or holds references; the sentence where it does.
    """
    if not isinstance(value, str):
        return None, None
    if holds_references(value):
        return None, sentence
    from pocketflow_otel.runtime.expressions.references import parse

    return parse(value).value, None
