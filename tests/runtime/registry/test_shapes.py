"""What is known of outputs: which steps can lead anywhere, and never more than is certain."""

from typing import Annotated, Any, NotRequired, TypedDict

import pytest

from pocketflow_otel.runtime.registry.shapes import (
    SINGLE,
    either,
    list_of,
    misstep,
    object_of,
    of_annotation,
    of_json_schema,
    of_value,
)


class Page(TypedDict):
    title: str
    links: NotRequired[list["Page"]]


@pytest.mark.parametrize(
    ("annotation", "steps", "wrong"),
    [
        (Page, ("title",), None),
        (Page, ("titel",), "titel"),
        (Page, ("links", 0, "links", -1, "titel"), "titel"),
        (Page, ("title", "x"), "x"),
        (Page, (0,), 0),
        (Page | None, ("titel",), "titel"),
        (list[Page], ("title",), "title"),
        (list[Page], (3, "title"), None),
        (str, ("text",), "text"),
        (None, ("a",), None),
        (Any, ("a",), None),
        (dict, ("a",), None),
        (dict[str, int], ("a",), None),
        (Page | str, ("titel",), None),
        (Annotated[Any, []], ("a",), None),
        ("Page", ("titel",), None),
    ],
)
def test_annotations_tell_of_texts_numbers_lists_and_typed_dicts(annotation, steps, wrong):
    found = misstep(of_annotation(annotation), steps)

    assert (found and found.step) == wrong


@pytest.mark.parametrize(
    ("schema", "steps", "wrong"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, ("b",), "b"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, ("a", "b"), "b"),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, ("a", "b"), None),
        ({"type": "object", "properties": {"a": {}}}, ("b",), None),
        ({"type": "array", "items": {"type": "number"}}, (0, "x"), "x"),
        ({"type": ["object", "null"]}, ("x",), None),
        ({"anyOf": [{"type": "string"}]}, ("x",), None),
        (True, ("x",), None),
    ],
)
def test_json_schemas_tell_where_they_are_closed(schema, steps, wrong):
    found = misstep(of_json_schema(schema), steps)

    assert (found and found.step) == wrong


def test_of_a_value_references_are_open():
    shape = of_value({"a": {"b": "${x}"}, "c": ["${y}"], "d": 5})

    assert misstep(shape, ("a", "b", "anything")) is None
    assert misstep(shape, ("c", 0, "anything")) is None
    assert [misstep(shape, steps).step for steps in (("e",), ("a", "c"), ("d", 0))] == ["e", "c", 0]


def test_of_two_shapes_what_leads_into_either_leads_somewhere():
    one, other = object_of(a=SINGLE, b=SINGLE), object_of(b=object_of("x"), c=SINGLE)
    both = either(one, other)

    assert [misstep(both, steps) for steps in (("a",), ("b", "x"), ("c",))] == [None] * 3
    assert misstep(both, ("d",)).step == "d"
    assert either(one, SINGLE) == either(SINGLE, one) == one
    assert either(one, None) is either(one, list_of()) is None
