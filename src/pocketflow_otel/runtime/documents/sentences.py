"""Says in a sentence what a model finds wrong with a part of a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.fields import fields_at
from pocketflow_otel.runtime.documents.model import CONNECTION_PATTERN, NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from pocketflow_otel.runtime.documents.places import Path

    Near = Callable[[str, Iterable[str]], str | None]

_LONGEST: Final = 60
_LONGEST_INT: Final = 1024  # bits: Python itself refuses to write numbers of 4300 digits


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a part.

    Attributes:
        path: Where, inside the part.
        message: What is wrong, and what was expected.
        of_key: Whether it is about the key, not the value.
        near: The nearest valid name, if any.
        is_unknown: Whether it is about a field that there is not.
        missing: The field that is missing, if it is about that.
    """

    path: Path
    message: str
    of_key: bool = False
    near: str | None = None
    is_unknown: bool = False
    missing: str | None = None


def complaints(details: Iterable[ErrorDetails], part: Any, model: type[BaseModel], near: Near) -> list[Complaint]:
    """What a model finds wrong. Where a value may be of several kinds and is of none, that is one complaint.

    Args:
        details: What the model's error tells.
        part: What it looked at.
        model: The model.
        near: Finds the nearest of some names.
    """
    groups: dict[tuple[Path, str], list[ErrorDetails]] = {}
    for detail in details:
        kind = detail["type"] if detail["type"] in _OF_KEYS else "value"
        path, of_key = _located(detail, part)
        groups.setdefault((path, "key" if of_key else kind), []).append(detail)
    found = [_complaint(path, kind, group, model, near) for (path, kind), group in groups.items()]
    return _once(found)


def _once(found: list[Complaint]) -> list[Complaint]:
    """Without those of fields that are missing because their name is misspelt."""
    misspelt = {(*one.path[:-1], one.near) for one in found if one.is_unknown and one.near is not None}
    return [one for one in found if one.missing is None or (*one.path, one.missing) not in misspelt]


_OF_CHOICES: Final = frozenset({"literal_error", "enum"})
_OF_BOOLEANS: Final = frozenset({"bool_type", "bool_parsing"})
_OF_KEYS: Final = frozenset({"missing", "extra_forbidden"})


def _located(detail: ErrorDetails, part: Any) -> tuple[Path, bool]:
    """The path of what a detail is about, and whether it is the key. Names of the kinds of a union are left out."""
    path: list[str | int] = []
    for step in detail["loc"]:
        if step == "[key]":
            return tuple(path), True
        if _has(part, step):
            path.append(step)
            part = part[step]
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return tuple(path), False


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _complaint(path: Path, kind: str, details: list[ErrorDetails], model: type[BaseModel], near: Near) -> Complaint:
    if kind == "missing":
        return Complaint(path[:-1], f"the field {path[-1]!r} is missing", of_key=True, missing=str(path[-1]))
    if kind == "extra_forbidden":
        fields = fields_at(model, path[:-1])
        name = str(path[-1])
        return Complaint(path, unknown_field(name, fields), of_key=True, near=near(name, fields), is_unknown=True)
    value = details[0]["input"]
    if kind == "key":
        return Complaint(path, f"expected {_expected_of_all(details)} as a key, not {shown(value)}", of_key=True)
    own = [message for detail in details if (message := _own_words(detail))]
    if own:
        return Complaint(path, "; ".join(dict.fromkeys(own)))
    secret = _is_secret(path) and not all(detail["type"] in _OF_BOOLEANS for detail in details)
    message = f"expected {_expected_of_all(details)}, not {'this' if secret else shown(value)}{_hint(details, value)}"
    return Complaint(path, message, near=near(value, _choices(details)) if isinstance(value, str) else None)


def unknown_field(name: str, fields: Iterable[str]) -> str:
    """Says that a field is unknown, and which there are."""
    listed = ", ".join(fields)
    return (
        f"{name[:_LONGEST]!r} is no field here; there are {listed}"
        if listed
        else f"{name[:_LONGEST]!r}: there are no fields here"
    )


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _LONGEST_INT:
        return "a huge number"
    text = repr(value) if isinstance(value, str | int | float) else f"a Python {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_secret(path: Path) -> bool:
    from pocketflow_otel.capture.secret_names import is_secret_name

    return any(is_secret_name(step) for step in path if isinstance(step, str))


def _own_words(detail: ErrorDetails) -> str | None:
    """What a validator of the model's has said."""
    if detail["type"] in {"value_error", "assertion_error"}:
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    return None


def _expected_of_all(details: Iterable[ErrorDetails]) -> str:
    return one_of(dict.fromkeys(phrase for detail in details for phrase in _expected(detail)))


def one_of(phrases: Iterable[str]) -> str:
    """``a, b or c``."""
    *first, last = phrases
    return f"{', '.join(first)} or {last}" if first else last


_KINDS: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "path_type": "a path",
    "none_required": "null",
}
_PATTERNS: Final[dict[str, str]] = {
    NAME_PATTERN: "a name (letters, digits and _, no digit first, at most 64)",
    CONNECTION_PATTERN: "a connection's name (family.alias, as in openai.main)",
}
_BOUNDS: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than": lambda ctx: f"more than {_number(ctx['gt'])}",
    "greater_than_equal": lambda ctx: f"at least {_number(ctx['ge'])}",
    "less_than": lambda ctx: f"less than {_number(ctx['lt'])}",
    "less_than_equal": lambda ctx: f"at most {_number(ctx['le'])}",
    "multiple_of": lambda ctx: f"a multiple of {_number(ctx['multiple_of'])}",
    "too_short": lambda ctx: f"at least {_entries(ctx['min_length'])}",
    "too_long": lambda ctx: f"at most {_entries(ctx['max_length'])}",
    "string_too_short": lambda ctx: (
        "a text that is not empty" if ctx["min_length"] == 1 else f"a text of at least {ctx['min_length']} characters"
    ),
    "string_too_long": lambda ctx: f"a text of at most {ctx['max_length']} characters",
    "string_pattern_mismatch": lambda ctx: _PATTERNS.get(ctx["pattern"], f"a text like {ctx['pattern']}"),
}


def _expected(detail: ErrorDetails) -> list[str]:
    kind = detail["type"]
    if kind in _OF_CHOICES:
        return [repr(choice) for choice in _choices([detail])]
    if kind in _KINDS:
        return [_KINDS[kind]]
    if kind in _BOUNDS:
        return [_BOUNDS[kind](detail.get("ctx", {}))]
    return [detail["msg"].removeprefix("Input should be ").removeprefix("Value should be ")]


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _entries(number: int) -> str:
    return f"{number} entry" if number == 1 else f"{number} entries"


def _hint(details: list[ErrorDetails], value: Any) -> str:
    wants_text = any(detail["type"] == "string_type" for detail in details)
    if wants_text and isinstance(value, int | float):
        return ": put it in quotes"
    wants_list = any(detail["type"] == "list_type" for detail in details)
    return f": write [{value}]" if wants_list and isinstance(value, str) and len(value) <= _LONGEST else ""


def _choices(details: Iterable[ErrorDetails]) -> list[str]:
    """The choices, which stand in a message as ``'a', 'b' or 'c'``."""
    listed = (str(detail["ctx"]["expected"]) for detail in details if detail["type"] in _OF_CHOICES)
    return [part.strip("'") for expected in listed for part in expected.replace(" or ", ", ").split(", ")]
