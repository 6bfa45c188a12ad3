"""What is known beforehand of what nodes give: which steps of references can lead anywhere in it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from pocketflow_otel.runtime.documents.faults import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.runtime.expressions.paths import Steps

_SINGLE: Final = frozenset({str, int, float, bool, bytes, type(None)})
_JSON_SINGLE: Final = frozenset({"string", "integer", "number", "boolean", "null"})
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value is made of. None in place of one stands for a value of which nothing is known.

    Attributes:
        kind: What it is.
        fields: Of an object: all that it may have, by name.
        item: Of a list: what its items are made of.
    """

    kind: Literal["object", "list", "single value"]
    fields: Mapping[str, Shape | None] = field(default_factory=dict)
    item: Shape | None = None


SINGLE: Final = Shape("single value")


def object_of(*names: str, **shapes: Shape | None) -> Shape:
    """An object.

    Args:
        names: Fields of which no more is known.
        shapes: Fields of which more is.
    """
    return Shape("object", {**dict.fromkeys(names), **shapes})


def list_of(item: Shape | None = None) -> Shape:
    """A list."""
    return Shape("list", item=item)


@dataclass(frozen=True, slots=True)
class Misstep:
    """A step that leads nowhere.

    Attributes:
        step: The step.
        number: Which of the steps it is, from 0.
        shape: What it would lead into.
    """

    step: str | int
    number: int
    shape: Shape

    @property
    def names(self) -> Iterable[str]:
        """The steps that lead further."""
        return self.shape.fields

    @property
    def message(self) -> str:
        """Why it leads nowhere."""
        if self.shape.kind == "object":
            return f"has no field {self.step!r}; there are {listed(self.shape.fields) or 'none'}"
        if self.shape.kind == "list":
            return f"is a list, which has numbers from 0, and no {self.step!r}"
        return f"is a single value, and has no {self.step!r}"


def misstep(shape: Shape | None, steps: Steps) -> Misstep | None:
    """The first of some steps that leads nowhere for sure; None if there is none."""
    for number, step in enumerate(steps):
        if shape is None:
            return None
        if shape.kind == "object" and step in shape.fields:
            shape = shape.fields[str(step)]
        elif shape.kind == "list" and isinstance(step, int):
            shape = shape.item
        else:
            return Misstep(step, number, shape)
    return None


def either(one: Shape | None, other: Shape | None) -> Shape | None:
    """What is known of a value that is of one shape or of another."""
    if one is None or other is None:
        return None
    if other.kind == SINGLE.kind:
        return one  # no step leads into the other
    if one.kind == SINGLE.kind:
        return other
    if one.kind != other.kind:
        return None
    if one.kind == "list":
        return list_of(either(one.item, other.item))
    both = one.fields.keys() & other.fields.keys()
    shapes = {name: either(one.fields[name], other.fields[name]) for name in both}
    return Shape(one.kind, {**one.fields, **other.fields, **shapes})


def of_value(value: Any) -> Shape | None:
    """The shape of a value as a document has it: what is known of it whatever its references become."""
    if isinstance(value, dict):
        return Shape("object", {key: of_value(item) for key, item in value.items()})
    if isinstance(value, list):
        return Shape("list")
    return None if isinstance(value, str) and "${" in value else SINGLE


def of_annotation(annotation: Any, deep: int = _DEEPEST) -> Shape | None:
    """The shape of what a function is annotated to return: of texts, numbers, lists and typed dicts."""
    if isinstance(annotation, type) and annotation in _SINGLE:
        return SINGLE
    if is_typeddict(annotation):
        return _of_typed_dict(annotation, deep)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        # Null has no steps at all: what leads further is what the rest is made of.
        rest = [one for one in arguments if one is not type(None)]
        return of_annotation(rest[0], deep) if len(rest) == 1 else None
    if origin is list and deep:
        return list_of(of_annotation(arguments[0], deep - 1))
    return None


def _of_typed_dict(annotation: Any, deep: int) -> Shape | None:
    try:
        hints = get_type_hints(annotation)
    except (NameError, TypeError, AttributeError):
        hints = dict.fromkeys(annotation.__annotations__, Any)
    return Shape("object", {name: of_annotation(hint, deep - 1) if deep else None for name, hint in hints.items()})


def of_json_schema(schema: Any) -> Shape | None:
    """The shape of what a JSON Schema describes."""
    if not isinstance(schema, Mapping):
        return None
    kind, properties = schema.get("type"), schema.get("properties")
    if kind == "object" and isinstance(properties, Mapping) and schema.get("additionalProperties") is False:
        return None if "patternProperties" in schema else Shape("object", _each(properties))
    if kind == "array":
        return list_of(of_json_schema(schema.get("items")))
    return SINGLE if isinstance(kind, str) and kind in _JSON_SINGLE else None


def _each(properties: Mapping[str, Any]) -> dict[str, Shape | None]:
    return {name: of_json_schema(one) for name, one in properties.items()}
