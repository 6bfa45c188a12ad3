"""Reads the attributes of an instance as they stand in it, without running code of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture.inspection import bases, class_attributes

if TYPE_CHECKING:
    from collections.abc import Callable


class _Plain:
    __slots__ = ("__dict__", "slot")


_DICT: Final = type(_Plain.__dict__["__dict__"])
# Extension types have descriptors of the same kind that may run anything: wrapt's asks what it wraps. What a class
# statement makes is told from them by what it says of itself.
_DICT_DOC: Final = _Plain.__dict__["__dict__"].__doc__
SlotDescriptor: Final = type(_Plain.__dict__["slot"])

Attributes = dict[str, Any]


def attributes_reader(kind: type) -> Callable[[object], Attributes]:
    """A function that reads the attributes of a class's instances: their own dict, not a copy; empty without one."""
    for base in bases(kind):
        descriptor = class_attributes(base).get("__dict__")
        if descriptor is not None:
            safe = type(descriptor) is _DICT and descriptor.__doc__ == _DICT_DOC
            return descriptor.__get__ if safe else _no_attributes
    return _no_attributes


def instance_attributes(instance: object) -> Attributes:
    """An instance's attributes: its own dict, not a copy; empty where it has none that can be read safely."""
    return attributes_reader(type(instance))(instance)


def _no_attributes(_: object) -> Attributes:
    return {}
