"""Names the type and size of a value: ``str[1204]``, ``list[12]``, ``DataFrame[100x3]``, ``Lock``."""

from __future__ import annotations

import types
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture.inspection import (
    attributes,
    bases,
    class_attributes,
    class_name,
    elements,
    module_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTHS: Final[tuple[tuple[type, Callable[[Any], int]], ...]] = (
    (str, str.__len__),
    (dict, dict.__len__),
    (list, list.__len__),
    (tuple, tuple.__len__),
    (set, set.__len__),
    (frozenset, frozenset.__len__),
    (bytes, bytes.__len__),
    (bytearray, bytearray.__len__),
    (deque, deque.__len__),
    (range, range.__len__),
)
# Asked for most often, and told by the type alone, with the length where it has one.
_KNOWN: Final[dict[type, tuple[str, Callable[[Any], int] | None]]] = {
    int: ("int", None),
    float: ("float", None),
    bool: ("bool", None),
    complex: ("complex", None),
    type(None): ("None", None),
    **{kind: (kind.__name__, length) for kind, length in _LENGTHS if kind is not range},
}

# Where other libraries' types keep their extent, by top-level package and class.
_EXTENTS: Final = {
    ("PIL", "Image"): "size",
    ("numpy", "ndarray"): "shape",
    ("pandas", "DataFrame"): "shape",
    ("pandas", "Index"): "shape",
    ("pandas", "Series"): "shape",
    ("polars", "DataFrame"): "shape",
    ("polars", "Series"): "shape",
    ("pyarrow", "Table"): "shape",
    ("torch", "Tensor"): "shape",
}
# A program's subclass that defines one of these may make the library's own code run the program's.
_HOOKS: Final = frozenset(
    {"shape", "size", "index", "columns", "height", "width", "__len__", "__getattr__", "__getattribute__"}
    | {"__torch_function__"}
)
_MOST_DIMENSIONS: Final = 8
_MOST_ATTRIBUTES: Final = 64
_LONGEST_INT: Final = 64


def shape(value: Any) -> str:
    """The type of a value and, where it has one that can be read without running the program's code, its size.

    Args:
        value: Anything at all.

    Returns:
        Class name and size: characters of a string, bytes, items of a container, extent of an array, table or image.
    """
    kind = type(value)
    known = _KNOWN.get(kind) if type(kind) is type else None
    if known is not None:
        name, length = known
        return name if length is None else f"{name}[{length(value)}]"
    try:
        return class_name(kind) + _size(value, kind)
    except Exception:  # noqa: BLE001 - a value's own library may fail on a half-built value: its name is enough
        return class_name(kind)


def _size(value: Any, kind: type) -> str:
    for base, length in _LENGTHS:
        if issubclass(kind, base):
            return f"[{length(value)}]"
    extent = _extent(value, kind)
    return "" if extent is None else f"[{extent}]"


def _extent(value: Any, kind: type) -> str | None:
    for base in bases(kind):
        package = module_name(base).partition(".")[0]
        attribute = _EXTENTS.get((package, class_name(base)))
        if attribute is not None:
            return _dimensions(_read(value, base, attribute, package))
        if not _HOOKS.isdisjoint(class_attributes(base)):
            return None
    return None


def _read(value: Any, kind: type, attribute: str, package: str) -> Any:
    for base in bases(kind):
        found = class_attributes(base).get(attribute)
        if isinstance(found, types.GetSetDescriptorType | types.MemberDescriptorType):
            return found.__get__(value)
        if type(found) is property:
            getter = found.fget
            # A stand-in that only borrows the library's name brings a getter of its own.
            if type(getter) is types.FunctionType and str(getter.__module__).partition(".")[0] == package:
                return getter(value)
            return None
        if found is not None:
            return found
    return dict(attributes(value, _MOST_ATTRIBUTES) or ()).get(attribute)


def _dimensions(extent: Any) -> str | None:
    if not issubclass(type(extent), tuple):
        return None
    numbers = elements(extent, _MOST_DIMENSIONS) or []
    if any(type(number) is not int or number.bit_length() > _LONGEST_INT for number in numbers):
        return None
    return "x".join(map(str, numbers))
