"""What a scalar of YAML 1.2 means: its core schema, where ``yes`` is a text."""

from __future__ import annotations

import math
import re
from typing import Final

MAX_DIGITS: Final = 100
"""Whole numbers of more digits are refused: to read and to show them takes time that grows with their square."""

_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAY_BE_NUMBER: Final = frozenset("+-.0123456789")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


_TAGS: Final = "tag:yaml.org,2002:"
OF_CONTAINERS: Final[dict[type, str]] = {dict: f"{_TAGS}map", list: f"{_TAGS}seq"}
"""The tags that mappings and lists have anyway."""
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    f"{_TAGS}int": (int,),
    f"{_TAGS}float": (float, int),
    f"{_TAGS}bool": (bool,),
    f"{_TAGS}null": (type(None),),
}


class ScalarError(ValueError):
    """A scalar that stands for no value which a document may hold."""


def resolve(text: str) -> str | float | bool | None:
    """The value of a scalar that stands without quotes.

    Raises:
        ScalarError: It is a number that is too large, or none that JSON knows.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _MAY_BE_NUMBER:
        return text
    if _DECIMAL.fullmatch(text):
        return int(_short(text))
    if _BASED.fullmatch(text):
        return int(_short(text), 0)
    if _NOT_FINITE.fullmatch(text):
        raise ScalarError(f"{text} is no number that JSON knows; put it in quotes if it is a text")
    return _finite(text) if _FLOAT.fullmatch(text) else text


def tagged(tag: str, text: str) -> str | float | bool | None:
    """The value of a scalar with a tag: one of the core schema's, which may stand there as well as not.

    Raises:
        ScalarError: As of `resolve`; or it is none of that kind, or there is no such tag.
    """
    if tag in {"!", f"{_TAGS}str"}:
        return text
    kinds = _KINDS.get(tag)
    value = resolve(text) if kinds else None
    if kinds is None or type(value) not in kinds:
        raise ScalarError(f"the tag {tag} has no meaning here: write the value without it")
    return float(value) if tag.endswith("float") and value is not None else value


def _short(digits: str) -> str:
    if len(digits) > MAX_DIGITS:
        raise ScalarError(f"a number of {len(digits)} digits; at most {MAX_DIGITS} are read")
    return digits


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ScalarError(f"the number {text[:20]} is too large")
    return number
