"""What a node gave, as others see it: immutable, and with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST: Final = 200
"""How deep the lists and dicts of an output may be nested: whoever shows or saves one goes into all of them."""

ContentType = Literal["text", "object", "table", "bytes"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """An output of a node.

    Attributes:
        id: Its own id: the run's, the node's and the visit's.
        producer: The node.
        content_type: ``text``, ``bytes``, ``table``, or ``object`` for everything else.
        body: The output. Lists and dicts in it are copies of the node's: what it does to its own later changes nothing.
        meta: What else is known of it.
        time: When it was made, in seconds since 1970.
    """

    id: str
    producer: str
    content_type: ContentType
    body: Any
    meta: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    time: float = 0.0


def content_type(body: object) -> ContentType:
    """Which content a value is. Its type tells: nothing is asked of the value itself."""
    kind = type(body)
    if issubclass(kind, str):
        return "text"
    if issubclass(kind, bytes | bytearray | memoryview):
        return "bytes"
    return "table" if issubclass(kind, Table) else "object"


def copied(value: Any) -> Any:
    """A value whose dicts, lists, tuples and sets are new ones, at every depth; anything else in it is the same.

    Raises:
        ValueError: It holds itself, or is nested deeper than `DEEPEST`.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    return _copied(value, kind, ())


_SCALARS = frozenset({str, int, float, bool, type(None), bytes})


def _copied(value: Any, kind: type, around: tuple[int, ...]) -> Any:
    if kind is not dict and kind is not list and kind is not tuple and kind is not set:
        return value
    if id(value) in around:
        raise ValueError("a value that holds itself can't be handed to other nodes")
    if len(around) == DEEPEST:
        raise ValueError(f"a value that is nested more than {DEEPEST} deep can't be handed to other nodes")
    inside = (*around, id(value))
    if kind is dict:
        return {
            key: item if type(item) in _SCALARS else _copied(item, type(item), inside) for key, item in value.items()
        }
    return kind(item if type(item) in _SCALARS else _copied(item, type(item), inside) for item in value)
