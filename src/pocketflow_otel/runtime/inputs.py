"""Inputs of a run as texts and files give them: turned into the kinds of values that the document asks for."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.files import UnreadableFile, read_text
from pocketflow_otel.runtime.documents.sentences import shown
from pocketflow_otel.runtime.documents.text import MAX_LENGTH, read
from pocketflow_otel.runtime.errors import InvalidInputs
from pocketflow_otel.runtime.planning import complete_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.documents.model import Input

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,1000}")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


def read_inputs(declared: Mapping[str, Input], given: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of a run, defaults included.

    Args:
        declared: What the document says of them.
        given: Values, such as those of a file.
        texts: Values as texts, which go before these. Each is turned into the declared kind of value: a list or object
            is read as JSON; where any value will do, what is JSON is read as that, and all else stays a text.

    Raises:
        InvalidInputs: With all that is wrong.
    """
    problems, values, misread = [], dict(given), set()
    for name, text in texts.items():
        about = declared.get(name)
        try:
            values[name] = text if about is None else _READERS[about.type](text)
        except ValueError as error:
            told = "" if about is not None and about.secret else f", not {shown(text)}"
            problems.append(f"input {name!r}: expected {error}{told}")
            misread.add(name)
    # Of these no more than that is said: not that they are missing as well.
    declared = {
        name: about.model_copy(update={"default": None}) if name in misread else about
        for name, about in declared.items()
    }
    try:
        complete = complete_inputs(declared, {name: value for name, value in values.items() if name not in misread})
    except InvalidInputs as error:
        problems += error.problems
    if problems:
        raise InvalidInputs(problems)
    return complete


def read_file(path: Path) -> dict[str, Any]:
    """The inputs that a file holds.

    Args:
        path: A mapping as JSON or YAML.

    Raises:
        InvalidInputs: It can't be read, or holds no mapping.
    """
    try:
        text = read_text(path)
    except UnreadableFile as error:
        raise InvalidInputs([f"{path}: {error}"]) from None
    return read_mapping(text, str(path))


def read_mapping(text: str, name: str) -> dict[str, Any]:
    """The inputs that a text holds.

    Args:
        text: A mapping as JSON or YAML.
        name: What complaints call it.

    Raises:
        InvalidInputs: It holds no mapping.
    """
    found = read(text)
    if found.problems:
        told = [f"{name}:{each.mark[0]}:{each.mark[1]}: {each.message}" for each in found.problems]
        raise InvalidInputs(told)
    if not isinstance(found.value, dict):
        there = "nothing" if found.value is None else shown(found.value)
        raise InvalidInputs([f"{name}: expected a mapping from inputs to values; found {there}"])
    return found.value


def read_standard_input(stream: Any) -> str:
    """The text on standard input, as long as a file of inputs may be.

    Args:
        stream: A binary stream, or None where standard input is closed.

    Raises:
        InvalidInputs: It can't be read, is too long, or no UTF-8.
    """
    if stream is None:
        raise InvalidInputs(["standard input is closed"])
    try:
        data = stream.read(4 * MAX_LENGTH + 1)
        if len(data) > 4 * MAX_LENGTH:
            raise InvalidInputs([f"standard input: more than {4 * MAX_LENGTH} bytes"])
        text: str = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputs([f"standard input can't be read: {error}"]) from None
    return text


def _text(text: str) -> str:
    return text


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueError("a whole number")
    return int(text)


def _number(text: str) -> int | float:
    if _INTEGER.fullmatch(text.strip()):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a number") from None
    if not math.isfinite(number) or "_" in text:
        raise ValueError("a number")
    return number


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("true or false")
    return word in _TRUE


def _json(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def _structure(kind: type, name: str) -> Callable[[str], Any]:
    def reading(text: str) -> Any:
        try:
            value = _json(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            raise ValueError(name)  # noqa: TRY004 - told as any text that is none
        return value

    return reading


def _any(text: str) -> Any:
    try:
        return _json(text)
    except (ValueError, RecursionError):
        return text


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "list": _structure(list, "a list as JSON, such as [1, 2]"),
    "object": _structure(dict, 'a mapping as JSON, such as {"a": 1}'),
    "any": _any,
}
