"""Reads single members of dicts and objects by name, without running code of the program.

Whatever a node returns or stores passes through here, so what can hold nothing of interest has to be seen fast.
"""

from __future__ import annotations

import sys
from abc import ABCMeta
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from pocketflow_otel.capture.inspection import bases, class_attributes, module_name
from pocketflow_otel.capture.instances import SlotDescriptor, attributes_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Members = dict[str, Any]

_MOST_MEMBERS: Final = 64
# Where pydantic keeps what a vendor sent beyond the declared fields; LiteLLM keeps the usage itself there.
_EXTRA: Final = "__pydantic_extra__"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the instances of a class hold their attributes."""

    attributes: Callable[[object], Any]
    slots: Mapping[str, Callable[[object], Any]]


_layouts: Final[WeakKeyDictionary[type, _Layout | None]] = WeakKeyDictionary()


def members_of(value: Any, names: Mapping[str, str]) -> Members:
    """The members of a dict or an object that have one of some names.

    Args:
        value: Anything at all. Items of a dict count, but not of one of a subclass. Instances of the standard library's
            classes, mocks among them, have no members; nor has what holds more than 64, which no response does.
        names: The names to look for, and what to call each in the answer.

    Returns:
        The members by name, empty for most values.
    """
    if type(value) is dict:
        return _named(value, names)
    layout = _layout_of(type(value))
    if layout is None:
        return {}
    members = _named(layout.attributes(value), names)
    for name, read in layout.slots.items():
        try:
            if name == _EXTRA:
                members = _named(read(value), names) | members
            elif name in names:
                members[names[name]] = read(value)
        except AttributeError:
            continue  # a slot that was never set
    return members


def _named(held: Any, names: Mapping[str, str]) -> Members:
    if type(held) is not dict or len(held) > _MOST_MEMBERS:
        return {}
    # Copied in one call in C: another thread may change it meanwhile. Gone through rather than asked, because a key
    # of the program's own class could be compared with a name.
    return {names[name]: member for name, member in held.copy().items() if type(name) is str and name in names}


def _layout_of(kind: type) -> _Layout | None:
    if type(kind) is not type and not _is_compared_by_identity(type(kind)):
        return None
    try:
        return _layouts[kind]
    except KeyError:
        layout = _layouts[kind] = _lay_out(kind)
        return layout


def _is_compared_by_identity(meta: type) -> bool:
    # What finds a class in a table is its metaclass's, which a program may have written. So may be a metaclass's own.
    return meta is ABCMeta or (type(meta) is type and _has_no_comparison(meta))


@lru_cache(maxsize=64)
def _has_no_comparison(meta: type) -> bool:
    own = [class_attributes(base) for base in bases(meta) if base is not type and base is not object]
    return not any("__hash__" in attributes or "__eq__" in attributes for attributes in own)


def _lay_out(kind: type) -> _Layout | None:
    if kind is SimpleNamespace:
        return _Layout(SimpleNamespace.__dict__["__dict__"].__get__, {})
    root = module_name(kind).partition(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return None
    slots = {
        name: slot.__get__
        for base in reversed(bases(kind))
        for name, slot in class_attributes(base).items()
        if type(slot) is SlotDescriptor
    }
    return _Layout(attributes_reader(kind), slots)
