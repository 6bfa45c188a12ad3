"""What the operators and functions of conditions do to JSON values, within bounds.

Texts are short, and nothing here makes more than 1,000,000 characters or items, or whole numbers of more than 4,096
bits: so time and memory have bounds too. Sequences are not multiplied, texts not formatted.
"""

from __future__ import annotations

import ast
import math
import operator
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.expressions.errors import UnusableValue
from pocketflow_otel.runtime.expressions.json_values import as_text, kind_of
from pocketflow_otel.runtime.expressions.transforms import greatest, integer, least, length, number, text_of, total

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BITS: Final = 4096
MOST_ITEMS: Final = 1_000_000


def item_of(value: Any, key: Any) -> Any:
    """An item of a list, text or object, or a slice of a list or text.

    Raises:
        UnusableValue: There is none.
    """
    kind = type(key)
    try:
        if kind is str and type(value) is dict:
            return value[key]
        if kind in {int, slice} and type(value) in {list, str}:
            return value[key]
    except (LookupError, TypeError, ValueError):
        raise UnusableValue(f"there is no [{_shown(key)}] in this {kind_of(value)}") from None
    raise UnusableValue(f"[{_shown(key)}] can't be looked up in a value of type {kind_of(value)}")


def _shown(key: Any) -> str:
    return ascii(key)[:60] if type(key) in {str, int} else kind_of(key)


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _numbers(sign: str, left: Any, right: Any) -> None:
    if not (_is_number(left) and _is_number(right)):
        raise UnusableValue(f"{sign} takes two numbers, not {kind_of(left)} and {kind_of(right)}")


def _bounded(result: Any) -> Any:
    kind = type(result)
    if kind is int and result.bit_length() > MOST_BITS:
        raise UnusableValue(f"a result has more than {MOST_BITS} bits")
    if kind is float and not math.isfinite(result):
        raise UnusableValue("a result is no finite number")
    if kind is complex:
        raise UnusableValue("a result is no real number")
    return result


def _arithmetic(sign: str, apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def bounded(left: Any, right: Any) -> Any:
        _numbers(sign, left, right)
        try:
            # A number that data brought may be as long as it likes: its product would take as long.
            return _bounded(apply(_bounded(left), _bounded(right)))
        except ZeroDivisionError:
            raise UnusableValue(f"{sign} can't divide by zero") from None
        except OverflowError:
            raise UnusableValue(f"the result of {sign} is too large") from None

    return bounded


def _power(base: Any, exponent: Any) -> Any:
    whole = type(base) is int and type(exponent) is int
    if whole and base.bit_length() * abs(exponent) > MOST_BITS and abs(base) > 1:
        raise UnusableValue(f"a result has more than {MOST_BITS} bits")
    return base**exponent


def _add(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is not type(right) or kind not in {str, list}:
        return _add_numbers(left, right)
    if len(left) + len(right) > MOST_ITEMS:
        raise UnusableValue(f"a result has more than {MOST_ITEMS:,} characters or items")
    return left + right


def _add_numbers(left: Any, right: Any) -> Any:
    if not (_is_number(left) and _is_number(right)):
        raise UnusableValue(
            f"+ takes two numbers, two texts or two lists, not {kind_of(left)} and {kind_of(right)}; "
            "text(…) makes a text of any value"
        )
    return _PLUS(left, right)


_PLUS: Final = _arithmetic("+", operator.add)


def _ordered(sign: str, apply: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        if (_is_number(left) and _is_number(right)) or (type(left) is str and type(right) is str):
            return apply(left, right)
        raise UnusableValue(f"{sign} takes two numbers or two texts, not {kind_of(left)} and {kind_of(right)}")

    return compared


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same; true and 1 are not.

    Raises:
        UnusableValue: They are nested too deeply.
    """
    if (type(left) is bool) is not (type(right) is bool):
        return False
    try:
        return bool(left == right)
    except RecursionError:
        raise UnusableValue("the values are nested too deeply to be compared") from None


def _contains(item: Any, container: Any) -> bool:
    kind = type(container)
    if kind is str and type(item) is str:
        return item in container
    if kind is list:
        return any(equal(item, each) for each in container)
    if kind is dict:
        return type(item) is str and item in container
    raise UnusableValue(
        f"in takes a text and a text, or anything and a list or an object, not {kind_of(item)} and {kind_of(container)}"
    )


def _negated(value: Any) -> Any:
    if not _is_number(value):
        raise UnusableValue(f"- takes a number, not {kind_of(value)}")
    return -value


def truth(value: Any) -> bool:
    """A boolean.

    Raises:
        UnusableValue: It is none: nothing else counts as true or false.
    """
    if type(value) is bool:
        return value
    raise UnusableValue(f"true or false was expected, not a value of type {kind_of(value)}; compare it with something")


OPERATORS: Final[dict[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: _add,
    ast.Sub: _arithmetic("-", operator.sub),
    ast.Mult: _arithmetic("*", operator.mul),
    ast.Div: _arithmetic("/", operator.truediv),
    ast.FloorDiv: _arithmetic("//", operator.floordiv),
    ast.Mod: _arithmetic("%", operator.mod),
    ast.Pow: _arithmetic("**", _power),
    ast.USub: _negated,
    ast.UAdd: lambda value: -_negated(value),
    ast.Not: lambda value: not truth(value),
    ast.Eq: equal,
    ast.NotEq: lambda left, right: not equal(left, right),
    ast.Lt: _ordered("<", operator.lt),
    ast.LtE: _ordered("<=", operator.le),
    ast.Gt: _ordered(">", operator.gt),
    ast.GtE: _ordered(">=", operator.ge),
    ast.In: _contains,
    ast.NotIn: lambda item, container: not _contains(item, container),
}
"""The operators there are."""


def _round(value: Any, digits: Any = 0) -> int | float:
    return round(number(value), max(-300, min(integer(digits), 300))) if digits else round(number(value))


def _of_list_or_arguments(apply: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *values: apply(values[0] if len(values) == 1 else list(values))


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda value: abs(number(value)),
    "ends_with": lambda text, end: text_of(text).endswith(text_of(end)),
    "integer": integer,
    "length": length,
    "lower": lambda text: text_of(text).lower(),
    "max": _of_list_or_arguments(greatest),
    "min": _of_list_or_arguments(least),
    "number": number,
    "round": _round,
    "starts_with": lambda text, start: text_of(text).startswith(text_of(start)),
    "sum": total,
    "text": as_text,
    "trim": lambda text: text_of(text).strip(),
    "upper": lambda text: text_of(text).upper(),
}
"""The functions there are, besides ``exists`` and ``default``, which take a path."""

ARGUMENTS: Final[dict[str, tuple[int, int]]] = {
    **dict.fromkeys(FUNCTIONS, (1, 1)),
    "default": (2, 2),
    "ends_with": (2, 2),
    "exists": (1, 1),
    "max": (1, 100),
    "min": (1, 100),
    "round": (1, 2),
    "starts_with": (2, 2),
}
"""How many arguments each function takes, from and to."""
