"""References: what a path such as ``fetch.rows[0].name`` names, and how it is followed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.expressions.errors import MissingValue
from pocketflow_otel.runtime.expressions.json_values import kind_of
from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

Steps = tuple[str | int, ...]

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Reference:
    """A path that stands somewhere in a document.

    Attributes:
        head: What it begins with: a node, ``inputs``, ``env``…
        steps: Keys and list indexes that lead on from there; negative indexes count from the end.
        optional: Whether something else stands for it where it is missing.
        text: The path as it is written.
        at: Where it stands in the structure that was parsed.
        offset: The character of that text at which it begins, from 0; the same reference may stand there again.
    """

    head: str
    steps: Steps
    optional: bool
    text: str
    at: tuple[str | int, ...] = ()
    offset: int = field(default=0, compare=False)


class Lookup(Protocol):
    """Gives what a reference begins with."""

    def __call__(self, head: str) -> Any:
        """The value: a node's output itself, a dict of inputs, or a `Namespace`.

        Raises:
            MissingValue: There is none (yet).
        """


class Namespace(ABC):
    """Values by name that are not simply a dict: steps of references go through it."""

    __slots__ = ()

    @abstractmethod
    def item(self, key: str) -> Any:
        """What goes by a name.

        Raises:
            MissingValue: Nothing does.
        """


def follow(value: Any, steps: Steps, text: str) -> Any:
    """Goes from a value through keys of dicts and indexes of lists; attributes are never looked at.

    Args:
        value: Where to begin.
        steps: The keys and indexes.
        text: The path as it is written, for messages.

    Raises:
        MissingValue: A step leads nowhere.
    """
    for step in steps:
        kind = type(value)
        if kind is dict and step in value:
            value = value[step]
        elif issubclass(kind, Namespace) and type(step) is str:
            value = value.item(step)
        else:
            value = _taken(value, step, text)
    return value


def _taken(value: Any, step: str | int, text: str) -> Any:
    kind = type(value)
    if issubclass(kind, dict):
        if dict.__contains__(value, step):
            return dict.__getitem__(value, step)
        raise missing_key(step, (key for key in dict.__iter__(value) if type(key) is str), text)
    for base in (list, tuple):
        if issubclass(kind, base):
            return _indexed(base, value, step, text)
    if kind is Table and type(step) is int:
        return _indexed(list, Table.json_rows(value, step + 1 if step >= 0 else None), step, text, value.rows)
    raise MissingValue(f"{text} has no value: {step!r} is looked up in a value of type {kind_of(value)}")


def _indexed(
    base: type[list[Any] | tuple[Any, ...]], value: Any, step: str | int, text: str, length: int | None = None
) -> Any:
    if type(step) is not int:
        raise MissingValue(f"{text} has no value: {step!r} is looked up in a list, which has numbers from 0")
    length = base.__len__(value) if length is None else length
    if -length <= step < length:
        return base.__getitem__(value, step)
    raise MissingValue(f"{text} has no value: there is no [{step}] in a list of {length}")


def missing_key(key: str | int, keys: Iterable[str], text: str) -> MissingValue:
    """The error for a key that an object does not have."""
    there = list(keys)
    listed = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
    having = f"its keys are {listed}" if there else "it is empty"
    near = nearest(key, there) if type(key) is str else None
    return MissingValue(f"{text} has no value: the object has no key {key!r}; {having}", near)
