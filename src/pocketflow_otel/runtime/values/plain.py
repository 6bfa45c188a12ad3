"""Values as JSON can hold them: for results, for events, for whoever looks."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import numbers
import sys
import uuid
from collections import deque
from decimal import Decimal
from pathlib import PurePath
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.values.cells import json_value
from pocketflow_otel.runtime.values.envelope import DEEPEST
from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What a result puts around an output.
_ROUND_IT: Final = 16
# Python writes no number of more than 4,300 digits, and reads none.
_MOST_BITS: Final = 14_000
_LONGEST_RANGE: Final = 100_000


def plain(value: Any, lost: list[str] | None = None) -> Any:
    """A value as JSON can hold it.

    A table becomes its first rows; bytes become text where they are; decimals a number where that says the same, else
    text; other numbers those of Python; dates, times, paths and UUIDs text; durations seconds; members of enumerations
    their values; arrays of numpy and other collections lists; dataclasses and pydantic's models objects. Anything else
    is told by type and size.

    Args:
        value: Anything at all. What it is, its type tells; no value is asked for what it holds but those named above.
        lost: Is given the types of what was told by type and size only.
    """
    return _Plain([] if lost is None else lost).told(value, DEEPEST + _ROUND_IT)


class _Plain:
    def __init__(self, lost: list[str]) -> None:
        self._lost = lost

    def told(self, value: Any, deep: int) -> Any:
        kind = type(value)
        for scalar, tell in _SCALARS.items():
            if issubclass(kind, scalar):
                return tell(value)
        if deep == 0:
            return self._shape(value)
        if issubclass(kind, dict):
            return {_key(key): self.told(item, deep - 1) for key, item in dict.items(value)}
        for collection in _COLLECTIONS:
            if issubclass(kind, collection):
                return [self.told(item, deep - 1) for item in collection.__iter__(value)]
        try:
            simpler = _simpler(value, kind)
        except Exception:  # noqa: BLE001 - the value's own code, and the rest is to be told
            return self._shape(value)
        return self.told(simpler, deep - 1)

    def _shape(self, value: Any) -> str:
        self._lost.append(type.__getattribute__(type(value), "__name__"))
        return shape(value)


def _simpler(value: Any, kind: type) -> Any:
    """What a value holds that has methods of its own to tell it.

    Raises:
        TypeError: It has none that are known here.
    """
    for base, tell in _TOLD.items():
        if issubclass(kind, base):
            return tell(value)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.ndarray):
        return value.tolist()
    raise TypeError(kind)


def _integer(value: int) -> int | str:
    number = int.__int__(value)
    return number if number.bit_length() <= _MOST_BITS else hex(number)


def _float(value: float) -> float | str:
    number = float.__float__(value)
    return number if math.isfinite(number) else str(number)


def _few(numbers: range) -> list[int]:
    if len(numbers) > _LONGEST_RANGE:
        raise ValueError(len(numbers))
    return list(numbers)


# A subclass of these may be the program's, whose own methods are not asked.
_SCALARS: Final[Mapping[type, Callable[[Any], Any]]] = {
    NoneType: lambda value: value,
    bool: lambda value: value,
    str: str.__str__,
    int: _integer,
    float: _float,
}
_COLLECTIONS: Final[tuple[Any, ...]] = (list, tuple, set, frozenset, deque)
_TOLD: Final[Mapping[type, Callable[[Any], Any]]] = {
    Decimal: json_value,
    dt.timedelta: json_value,
    dt.date: lambda value: value.isoformat(),
    dt.time: lambda value: value.isoformat(),
    PurePath: str,
    uuid.UUID: str,
    enum.Enum: lambda value: value.value,
    numbers.Integral: int,
    numbers.Real: float,
    range: _few,
    Table: lambda value: value.preview(),
    BaseModel: lambda value: value.model_dump(mode="json"),
    bytes: bytes.decode,
    bytearray: bytearray.decode,
}


def _key(key: Any) -> str:
    if issubclass(type(key), str):
        return str.__str__(key)
    try:
        return str(key)
    except Exception:  # noqa: BLE001 - the key's own code, and the result is to be told
        return shape(key)
