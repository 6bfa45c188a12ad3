"""Values as JSON knows them: copied, put into text, and called by names that people know.

Nothing here calls a method of a value that is not one of Python's own types: what a program put into an object stays
untouched.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.expressions.errors import UnusableValue
from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST: Final = 100
"""How deep lists and dicts may be nested."""

_AS_THEY_ARE: Final = frozenset({str, int, float, bool, type(None)})


def kind_of(value: Any) -> str:
    """What people call a value: ``text``, ``number``, ``list``…; the name of its type for anything else."""
    if value is None:
        return "null"
    kind = type(value)
    if kind is bool:
        return "boolean"
    for base, name in ((str, "text"), (int, "number"), (float, "number"), (dict, "object"), (list, "list")):
        if issubclass(kind, base):
            return name
    if kind is Table:
        return "table"
    return "list" if issubclass(kind, tuple) else type.__getattribute__(kind, "__name__")


def as_text(value: Any) -> str:
    """A value as it stands inside a text: a text as it is, null as nothing, anything else as compact JSON.

    Raises:
        UnusableValue: It holds what JSON does not know.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    copy = json_copy(value, _leaf_as_text)
    return copy if type(copy) is str else compact_json(copy)


def compact_json(copy: Any) -> str:
    """A JSON copy as JSON in one line.

    Raises:
        UnusableValue: It holds a number of too many digits.
    """
    try:
        return json.dumps(copy, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise UnusableValue("a number has too many digits to be written") from None


def json_copy(value: Any, leaf: Callable[[Any], Any] | None = None) -> Any:
    """A copy of a value that is made of nothing but dicts with texts as keys, lists, texts, numbers, booleans and null.

    Args:
        value: Any value. Tuples become lists, tables lists of objects; dates, times, UUIDs and paths become texts.
        leaf: Turns what JSON does not know into what it knows, or raises `UnusableValue`.

    Raises:
        UnusableValue: It holds what JSON does not know, or itself, or is nested too deeply.
    """
    return _copied(value, leaf or _leaf_as_number, DEEPEST)


def _copied(value: Any, leaf: Callable[[Any], Any], room: int) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if room == 0:
        raise UnusableValue(f"a value is nested more than {DEEPEST} deep, or holds itself")
    if issubclass(kind, dict):
        return {_key(key): _copied(item, leaf, room - 1) for key, item in dict.items(value)}
    for base in (list, tuple):
        if issubclass(kind, base):
            return [_copied(item, leaf, room - 1) for item in base.__iter__(value)]
    if kind is Table:
        return Table.json_rows(value)
    return _plain(value, leaf)


def _plain(value: Any, leaf: Callable[[Any], Any]) -> Any:
    kind = type(value)
    if issubclass(kind, str):
        return str.__add__(value, "")
    if issubclass(kind, int):
        return int.__add__(value, 0)
    if issubclass(kind, float):
        return float.__mul__(value, 1.0)
    return leaf(value)


def _key(key: Any) -> str:
    if type(key) is str:
        return key
    kind = type(key)
    if issubclass(kind, str):
        return str.__add__(key, "")
    if kind in _AS_THEY_ARE:
        return json.dumps(key)
    raise UnusableValue(f"a key of an object has to be a text; this one is of type {kind_of(key)}")


def _leaf_as_text(value: Any) -> Any:
    return _leaf(value, str)


def _leaf_as_number(value: Any) -> Any:
    return _leaf(value, _number)


def _leaf(value: Any, decimal: Callable[[Any], Any]) -> Any:
    from decimal import Decimal
    from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
    from uuid import UUID

    kind = type(value)
    if kind is Decimal:
        return decimal(value)
    if kind in {datetime, date, time}:
        return kind.isoformat(value)
    if kind in {UUID, PosixPath, PurePosixPath, WindowsPath, PureWindowsPath}:
        return str(value)
    raise UnusableValue(
        f"a value of type {kind_of(value)} can't be used here: texts, numbers, booleans, null, lists and objects can"
    )


def _number(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
