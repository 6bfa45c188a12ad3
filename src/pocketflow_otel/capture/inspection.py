"""Reads the insides of any value without running the program's code.

Nothing here calls a method, property or hook that a program can define: types come from ``type()``, their names and
bases from ``type``'s own descriptors, and contents from the C-level methods of the built-in base. Every function is
bounded by what it is asked for, whatever the size of the value, and consumes nothing.
"""

from __future__ import annotations

import itertools
import sys
import types
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST_NAME: Final = 64

_mro_of: Final[Callable[[type], tuple[type, ...]]] = type.__dict__["__mro__"].__get__
_name_of: Final[Callable[[type], str]] = type.__dict__["__name__"].__get__
_module_of: Final[Callable[[type], object]] = type.__dict__["__module__"].__get__
_class_dict_of: Final[Callable[[type], types.MappingProxyType[str, Any]]] = type.__dict__["__dict__"].__get__
_exception_dict: Final = BaseException.__dict__["__dict__"]
_exception_args: Final[Callable[[BaseException], object]] = BaseException.__dict__["args"].__get__
_namespace_dict: Final = types.SimpleNamespace.__dict__["__dict__"]


class _Plain:
    """Shows what Python puts into a class for its instances' attributes."""


# The descriptor that a `class` statement makes. One of an extension type may run anything: wrapt's asks the wrapped.
_PLAIN_DICT_DOC: Final = _Plain.__dict__["__dict__"].__doc__

# Standard library classes whose attributes are data; those of others (locks, queues, sockets) are machinery.
_DATA_MODULES: Final = frozenset({"argparse", "collections", "types"})

_ITERATORS: Final[tuple[tuple[type, Callable[[Any], Iterator[Any]]], ...]] = (
    (list, list.__iter__),
    (tuple, tuple.__iter__),
    (set, set.__iter__),
    (frozenset, frozenset.__iter__),
    (deque, deque.__iter__),
)


def bases(kind: type) -> tuple[type, ...]:
    """The method resolution order of a class, the class itself first."""
    return _mro_of(kind)


def class_attributes(kind: type) -> types.MappingProxyType[str, Any]:
    """What one class defines itself."""
    return _class_dict_of(kind)


def class_name(kind: type) -> str:
    """The name of a class, printable and at most 64 characters long."""
    name = _name_of(kind)[:_LONGEST_NAME]
    return name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)


def module_name(kind: type) -> str:
    """The module a class says it comes from, empty if it says nothing sensible."""
    try:
        module = _module_of(kind)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def dict_items(value: dict[Any, Any], limit: int) -> list[tuple[Any, Any]]:
    """The first items of a dict, whatever its subclass overrides."""
    # One call in C: another thread cannot change the dict in between.
    return list(itertools.islice(dict.items(value), limit))


def elements(value: Any, limit: int) -> list[Any] | None:
    """The first elements of a list, tuple, set or deque, or None for anything else."""
    for kind, iterate in _ITERATORS:
        if issubclass(type(value), kind):
            return list(itertools.islice(iterate(value), limit))
    return None


def named_fields(value: tuple[Any, ...]) -> tuple[str, ...] | None:
    """The field names of a named tuple, or None for another tuple."""
    for base in bases(type(value)):
        fields = class_attributes(base).get("_fields")
        if type(fields) is tuple and len(fields) == tuple.__len__(value):
            return fields if all(type(field) is str for field in fields) else None
    return None


def exception_arguments(error: BaseException) -> tuple[Any, ...]:
    """The arguments of an exception."""
    arguments = _exception_args(error)
    return arguments if type(arguments) is tuple else ()


def attributes(value: Any, limit: int) -> list[tuple[Any, Any]] | None:
    """The first instance attributes of an object, from its ``__dict__`` and its slots.

    Args:
        value: Any object.
        limit: How many attributes at most.

    Returns:
        Names and values, or None where the object has none that can be read without running code: instances of the
        standard library's classes, extension types, proxies, classes that define their own ``__dict__``.
    """
    kind = type(value)
    root = module_name(kind).partition(".")[0]
    if root in sys.stdlib_module_names and root not in _DATA_MODULES and root != "__main__":
        return None
    descriptor = None
    slots: list[tuple[str, Any]] = []
    for base in bases(kind):
        own = class_attributes(base)
        if "__slots__" in own:
            slots += [item for item in own.items() if type(item[1]) is types.MemberDescriptorType]
        found = own.get("__dict__")
        if found is None:
            continue
        if not _is_plain(found):
            return None
        descriptor = descriptor or found
    items = []
    if descriptor is not None:
        attributes = descriptor.__get__(value)
        items = dict_items(attributes, limit) if issubclass(type(attributes), dict) else []
    for name, slot in slots[: max(0, limit - len(items))]:
        try:
            items.append((name, slot.__get__(value)))
        except AttributeError:
            continue  # a slot that was never set
    return items if descriptor is not None or slots else None


def _is_plain(descriptor: object) -> bool:
    if descriptor is _exception_dict or descriptor is _namespace_dict:
        return True
    return type(descriptor) is types.GetSetDescriptorType and descriptor.__doc__ == _PLAIN_DICT_DOC
