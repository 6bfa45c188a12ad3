"""What ``| name`` does to a value in a reference."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.expressions.errors import UnusableValue
from pocketflow_otel.runtime.expressions.json_values import as_text, compact_json, json_copy, kind_of
from pocketflow_otel.runtime.values.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DIGITS: Final = 1000
"""How many characters a text may have that is read as a number."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A transform.

    Attributes:
        apply: Takes the value and the arguments.
        summary: What it does.
        arguments: The types of its arguments.
        required: How many of them have to be given.
    """

    apply: Callable[..., Any]
    summary: str
    arguments: tuple[type, ...] = ()
    required: int = 0


def elements(value: Any, limit: int | None = None) -> list[Any]:
    """The items of a list, or the rows of a table as objects; the first so many of them.

    Raises:
        UnusableValue: It is none.
    """
    for base in (list, tuple):
        if issubclass(type(value), base):
            return list(islice(base.__iter__(value), limit))
    if type(value) is Table:
        return Table.json_rows(value, limit)
    raise UnusableValue(f"a list was expected, not a value of type {kind_of(value)}")


def text_of(value: Any) -> str:
    """The text that a value is.

    Raises:
        UnusableValue: It is none.
    """
    if issubclass(type(value), str):
        return str.__add__(value, "")
    raise UnusableValue(f"a text was expected, not a value of type {kind_of(value)}")


def number(value: Any) -> int | float:
    """A number, or the one that a text tells.

    Raises:
        UnusableValue: It is none.
    """
    value = json_copy(value)
    if type(value) in {int, float}:
        return value  # type: ignore[no-any-return]
    if type(value) is bool:
        return int(value)
    text = text_of(value).strip()
    for read in (int, float):
        try:
            if len(text) <= MOST_DIGITS:
                return read(text)
        except ValueError:
            continue
    raise UnusableValue("a number was expected; this text is none")


def integer(value: Any) -> int:
    """A whole number, or the one that a text tells.

    Raises:
        UnusableValue: It is none, or it has a fraction.
    """
    found = number(value)
    if type(found) is float and not found.is_integer():
        raise UnusableValue("a whole number was expected, not one with a fraction")
    return int(found)


def length(value: Any) -> int:
    """How many characters, items, rows or keys there are.

    Raises:
        UnusableValue: It is neither text nor list nor object.
    """
    for base in (str, list, tuple, dict, bytes):
        if issubclass(type(value), base):
            return int(base.__len__(value))
    if type(value) is Table:
        return value.rows
    raise UnusableValue(f"a value of type {kind_of(value)} has no length: texts, lists, tables and objects have one")


def total(value: Any) -> int | float:
    """The sum of a list's numbers.

    Raises:
        UnusableValue: It holds what is no number.
    """
    return sum(map(number, elements(value)))


def least(value: Any) -> Any:
    """The least item of a list."""
    return sorted_items(_some(value))[0]


def greatest(value: Any) -> Any:
    """The greatest item of a list."""
    return sorted_items(_some(value))[-1]


def sorted_items(value: Any) -> list[Any]:
    """A list in order.

    Raises:
        UnusableValue: It holds other than only numbers, or only texts.
    """
    items: list[Any] = json_copy(elements(value))
    kinds = {kind_of(item) for item in items}
    if len(kinds) > 1 or not kinds <= {"number", "text"}:
        raise UnusableValue(f"only numbers, or only texts, have an order; the list holds {', '.join(sorted(kinds))}")
    return sorted(items)


def boolean(value: Any) -> bool:
    """True or false, or the one that a text or a number tells.

    Raises:
        UnusableValue: It is none.
    """
    if type(value) is bool:
        return value
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    found = known.get(as_text(value).strip().lower())
    if found is None:
        raise UnusableValue("true or false was expected: also yes, no, on, off, 1 and 0 are understood")
    return found


def _some(value: Any, limit: int | None = None) -> list[Any]:
    items = elements(value, limit)
    if not items:
        raise UnusableValue("the list is empty")
    return items


def _from_json(value: Any) -> Any:
    try:
        return json.loads(text_of(value))
    except (ValueError, RecursionError) as error:
        raise UnusableValue(f"the text is no JSON: {error}") from None


def _as_json(value: Any) -> str:
    return compact_json(json_copy(value))


def _object(value: Any) -> Any:
    if issubclass(type(value), dict):
        return value
    raise UnusableValue(f"an object was expected, not a value of type {kind_of(value)}")


def _unique(value: Any) -> list[Any]:
    # By their JSON, so that objects can be told apart too, and 1 from true.
    found: dict[str, Any] = {}
    for item in elements(value):
        found.setdefault(_as_json(item), item)
    return list(found.values())


def _flat(value: Any) -> list[Any]:
    flat: list[Any] = []
    for item in elements(value):
        flat += elements(item) if kind_of(item) == "list" else [item]
    return flat


def _indent(value: Any, width: int) -> str:
    first, *others = text_of(value).split("\n")
    return "\n".join([first, *(" " * min(width, 100) + line if line else line for line in others)])


def _bullets(value: Any, mark: str = "- ") -> str:
    return "\n".join(mark + as_text(item) for item in elements(value))


def _split(value: Any, separator: str) -> list[str]:
    if not separator:
        raise UnusableValue("split needs a text to split at")
    return text_of(value).split(separator)


def _chunks(value: Any, size: int) -> list[list[Any]]:
    items = elements(value)
    if size < 1:
        raise UnusableValue("a chunk has at least one item")
    return [items[start:end] for start, end in pairwise([*range(0, len(items), size), len(items)])]


def _rounded(value: Any, digits: int = 0) -> int | float:
    rounded = round(number(value), max(-300, min(digits, 300)))
    return int(rounded) if digits <= 0 else rounded


TRANSFORMS: Final[dict[str, Transform]] = {
    "boolean": Transform(boolean, "True or false from what tells so: yes, no, on, off, 1, 0."),
    "bullets": Transform(_bullets, "A list as lines of text, each behind a dash or another mark.", (str,)),
    "chunks": Transform(_chunks, "A list as a list of lists of at most so many items.", (int,), 1),
    "compact": Transform(
        lambda value: [item for item in elements(value) if item is not None],
        "A list without its nulls, such as items of a map that failed leave.",
    ),
    "first": Transform(lambda value: _some(value, 1)[0], "The first item of a list."),
    "flat": Transform(_flat, "A list of lists as one list."),
    "from_json": Transform(_from_json, "The value that a JSON text holds."),
    "indent": Transform(
        _indent, "A text whose lines, but for the first, stand so many spaces to the right.", (int,), 1
    ),
    "integer": Transform(integer, "A whole number, also from text."),
    "join": Transform(
        lambda value, separator="": separator.join(map(as_text, elements(value))),
        "The items of a list as one text, with another text between them.",
        (str,),
    ),
    "json": Transform(_as_json, "A value as JSON text."),
    "keys": Transform(lambda value: list(dict.keys(_object(value))), "The keys of an object."),
    "last": Transform(lambda value: _some(value)[-1], "The last item of a list."),
    "length": Transform(length, "How many characters, items, rows or keys there are."),
    "lines": Transform(lambda value: text_of(value).splitlines(), "A text as a list of its lines."),
    "lower": Transform(lambda value: text_of(value).lower(), "A text in small letters."),
    "max": Transform(greatest, "The greatest item of a list."),
    "min": Transform(least, "The least item of a list."),
    "number": Transform(number, "A number, also from text."),
    "reverse": Transform(lambda value: elements(value)[::-1], "A list from its end to its beginning."),
    "round": Transform(_rounded, "A number, rounded to so many digits.", (int,)),
    "rows": Transform(elements, "A table as a list of objects."),
    "sort": Transform(sorted_items, "A list of numbers or of texts in order."),
    "split": Transform(_split, "A text as a list of what stands between another text.", (str,), 1),
    "sum": Transform(total, "The sum of a list of numbers."),
    "text": Transform(as_text, "A value as text: null as nothing, lists and objects as JSON."),
    "trim": Transform(lambda value: text_of(value).strip(), "A text without the space around it."),
    "unique": Transform(_unique, "A list with every item once."),
    "upper": Transform(lambda value: text_of(value).upper(), "A text in capitals."),
    "values": Transform(lambda value: list(dict.values(_object(value))), "The values of an object."),
}
"""All transforms by name."""
