"""Renders values that hold no others: numbers, times, paths, members of enumerations, exceptions, classes."""

from __future__ import annotations

import math
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture.inspection import attributes, class_name, exception_arguments, module_name
from pocketflow_otel.capture.shapes import shape

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable

_LARGEST_INT: Final = 2**63
# Longer ones take the interpreter quadratic time to write out, and no one reads them.
_MOST_BITS: Final = 1024
_MOST_DECIMAL_BYTES: Final = 512
_MOST_ATTRIBUTES: Final = 64
_MOST_ARGUMENTS: Final = 8
_FUNCTIONS: Final = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def _decimal(value: Any) -> str:
    return str(value) if value.__sizeof__() <= _MOST_DECIMAL_BYTES else "<Decimal>"


def _moment(value: Any) -> str:
    # A time zone of the program's own would be asked for its offset.
    if value.tzinfo is not None and module_name(type(value.tzinfo)) not in ("datetime", "zoneinfo"):
        value = value.replace(tzinfo=None)
    return str(value.isoformat())


# By module and name: these modules are not imported for the sake of values that a program does not have.
_TEXTS: Final[dict[tuple[str, str], Callable[[Any], str]]] = {
    ("datetime", "date"): str,
    ("datetime", "datetime"): _moment,
    ("datetime", "time"): _moment,
    ("datetime", "timedelta"): str,
    ("decimal", "Decimal"): _decimal,
    ("pathlib", "PosixPath"): str,
    ("pathlib", "PurePosixPath"): str,
    ("pathlib", "PureWindowsPath"): str,
    ("pathlib", "WindowsPath"): str,
    ("uuid", "UUID"): str,
}


def integer(value: int) -> int | str:
    """An int as it is, or as text where it is too large for 64 bits."""
    if -_LARGEST_INT <= value < _LARGEST_INT:
        return value
    bits = value.bit_length()
    return str(value) if bits <= _MOST_BITS else f"int of {bits} bits"


def number(value: float) -> float | str:
    """A float as it is, or as text where JSON has no number for it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def member_text(value: enum.Enum) -> str:
    """A member of an enumeration as ``Color.RED``."""
    name = dict(attributes(value, _MOST_ATTRIBUTES) or ()).get("_name_")
    kind = class_name(type(value))
    return f"{kind}.{name}" if type(name) is str else f"<{kind}>"


def exception_text(error: BaseException, limit: int) -> str:
    """The class of an exception, and of the texts it was raised with at most `limit` characters each."""
    arguments = exception_arguments(error)[:_MOST_ARGUMENTS]
    text = ", ".join(argument[:limit] for argument in arguments if type(argument) is str)
    return f"{class_name(type(error))}: {text}" if text else f"<{class_name(type(error))}>"


def other_text(value: Any) -> str:
    """A value of any other kind as text: its own if it is a type of the standard library with one, else its type."""
    kind = type(value)
    key = module_name(kind), class_name(kind)
    if key[0] == "pathlib._local":
        key = "pathlib", key[1]
    render = _TEXTS.get(key)
    if render is not None and vars(sys.modules[key[0]]).get(key[1]) is kind:
        return render(value)
    if kind is complex or kind is range:
        return repr(value)
    if issubclass(kind, type):
        return f"<class {class_name(value)}>"
    text = shape(value)
    return text if text[-1:] == "]" else f"<{text}>"
