"""What checks of documents need to know of a text that may hold references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pocketflow_otel.runtime.registry.node_types import Finding

Faults = list["Finding"]
"""What is wrong: where in ``with``, and a sentence."""


_CONNECTION: Final = re.compile(r"(@?)([a-z][a-z0-9_]*)\.\w+")


def check_connection(given: Mapping[str, Any], families: Sequence[str]) -> Faults:
    """What is wrong with the connection that a node names, as far as the document tells.

    Args:
        given: What the node is given.
        families: Those of ours that it can use. Families of other packages may be of use to it as well.
    """
    text, _ = constant_text(given.get("connection"), "")
    if text is None:
        return []
    from pocketflow_otel.runtime.connections.families import BUILT_IN

    named = _CONNECTION.fullmatch(text)
    if named is None or not named[1]:
        write = f"write '@{text}'" if named else f"such as '@{families[0]}.main'"
        return [(("connection",), f"expected @family.alias, not {text!r}: {write}")]
    if named[2] in BUILT_IN and named[2] not in families:
        of = f"the family {families[0]}" if len(families) == 1 else f"one of the families {', '.join(families)}"
        return [(("connection",), f"expected a connection of {of}, not {text}")]
    return []


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
