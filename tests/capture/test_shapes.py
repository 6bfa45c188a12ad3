from __future__ import annotations

import collections
import decimal
import enum
import threading
from typing import Any

import pytest

from corpora.zoo import ONE_SHOT, ZOO, consumed
from pocketflow_otel.capture.shapes import shape


class Text(str):
    __slots__ = ()


class Named(dict[str, int]):
    def __len__(self) -> int:
        raise AssertionError


class Word(str, enum.Enum):  # noqa: UP042 - programs for older Pythons write it so
    A = "aaa"


def library_type(name: str, module: str, **attributes: Any) -> type:
    return type(name, (), {"__module__": module, **attributes})


def library_property(value: object, module: str) -> property:
    def getter(_: object) -> object:
        return value

    getter.__module__ = module
    return property(getter)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 1204, "str[1204]"),
        ("", "str[0]"),
        (b"0123456789", "bytes[10]"),
        (bytearray(3), "bytearray[3]"),
        ([0] * 12, "list[12]"),
        ({1: 1, 2: 2, 3: 3}, "dict[3]"),
        ({1, 2}, "set[2]"),
        (frozenset({1}), "frozenset[1]"),
        ((1, 2), "tuple[2]"),
        (collections.deque([1, 2, 3]), "deque[3]"),
        (collections.OrderedDict(a=1), "OrderedDict[1]"),
        (range(7), "range[7]"),
        (range(10**30), "range"),
        (7, "int"),
        (7.5, "float"),
        (True, "bool"),
        (None, "None"),
        (decimal.Decimal(1), "Decimal"),
        (Text("abc"), "Text[3]"),
        (Named(a=1), "Named[1]"),
        (Word.A, "Word[3]"),
        (threading.Lock(), "lock"),
        (int, "type"),
        (ValueError("x"), "ValueError"),
    ],
)
def test_names_type_and_size(value: object, expected: str) -> None:
    assert shape(value) == expected


@pytest.mark.parametrize(
    ("name", "module", "attribute", "extent", "expected"),
    [
        ("DataFrame", "pandas.core.frame", "shape", (100, 3), "DataFrame[100x3]"),
        ("Series", "pandas.core.series", "shape", (10,), "Series[10]"),
        ("DataFrame", "polars.dataframe.frame", "shape", (5, 2), "DataFrame[5x2]"),
        ("ndarray", "numpy", "shape", (3, 4), "ndarray[3x4]"),
        ("ndarray", "numpy", "shape", (), "ndarray[]"),
        ("Tensor", "torch", "shape", (2, 3), "Tensor[2x3]"),
        ("Table", "pyarrow.lib", "shape", (7, 1), "Table[7x1]"),
        ("Image", "PIL.Image", "size", (640, 480), "Image[640x480]"),
        ("ndarray", "numpy", "shape", (3, "4"), "ndarray"),
        ("ndarray", "numpy", "shape", [3, 4], "ndarray"),
        ("ndarray", "numpy", "shape", (1 << 100,), "ndarray"),
        ("DataFrame", "myapp.pandas", "shape", (100, 3), "DataFrame"),
        ("Frame", "pandas.core.frame", "shape", (100, 3), "Frame"),
    ],
)
def test_extent_of_other_libraries_types(name: str, module: str, attribute: str, extent: object, expected: str) -> None:
    in_class = library_type(name, module, **{attribute: extent})()
    by_property = library_type(name, module, **{attribute: library_property(extent, module)})()
    in_instance = library_type(name, module)()
    setattr(in_instance, attribute, extent)
    assert (shape(in_class), shape(by_property), shape(in_instance)) == (expected, expected, expected)


def test_subclass_of_a_librarys_type_has_its_extent() -> None:
    base = library_type("DataFrame", "pandas.core.frame", shape=library_property((2, 3), "pandas.core.frame"))
    assert shape(type("GeoDataFrame", (base,), {"__module__": "geopandas"})()) == "GeoDataFrame[2x3]"


@pytest.mark.parametrize("hook", ["shape", "index", "__len__", "__getattribute__", "__torch_function__"])
def test_subclass_with_hooks_of_its_own_is_only_named(hook: str) -> None:
    def raising(*_: object) -> None:
        raise AssertionError

    base = library_type("DataFrame", "pandas.core.frame", shape=library_property((2, 3), "pandas.core.frame"))
    assert shape(type("Mine", (base,), {"__module__": "mine", hook: property(raising)})()) == "Mine"


def test_getter_from_elsewhere_is_not_called() -> None:
    assert shape(library_type("ndarray", "numpy", shape=library_property((2,), "myapp"))()) == "ndarray"


def test_extent_in_a_slot() -> None:
    value = library_type("ndarray", "numpy", __slots__=("shape",))()
    value.shape = (2, 3)
    assert shape(value) == "ndarray[2x3]"


def test_class_without_a_module() -> None:
    lost = eval("type('Lost', (), {})()", {"__builtins__": {"type": type}})
    assert shape(lost) == "Lost"
    assert shape(type("Odd", (), {"__module__": 7})()) == "Odd"


def test_getter_that_fails_leaves_the_name() -> None:
    def failing(_: object) -> None:
        raise RuntimeError

    failing.__module__ = "numpy"
    assert shape(library_type("ndarray", "numpy", shape=property(failing))()) == "ndarray"


def test_class_names_are_short_and_printable() -> None:
    assert shape(type("N" * 1000, (), {})()) == "N" * 64
    assert shape(type("a\nb\u202e", (), {})()) == "a?b?"


@pytest.mark.parametrize("name", ZOO)
def test_any_value_has_a_shape(name: str) -> None:
    value = ZOO[name]()
    text = shape(value)
    assert text
    assert len(text) < 100
    assert text.encode()


@pytest.mark.parametrize("name", ONE_SHOT)
def test_nothing_is_consumed(name: str) -> None:
    value = ZOO[name]()
    shape(value)
    assert not consumed(value)
