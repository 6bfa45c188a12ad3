"""Reads what stands in ``${…}``: paths and literals with ``??`` between them, then transforms."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.expressions.transforms import TRANSFORMS, Transform

if TYPE_CHECKING:
    from collections.abc import Sized

    from pocketflow_otel.runtime.expressions.paths import Steps

_HEAD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY: Final = re.compile(r"\w+")
_SPACE: Final = re.compile(r"\s*")
_INDEX: Final = re.compile(r"-?\d{1,9}(?!\d)")
_SINGLE_QUOTED: Final = re.compile(r"'([^'\\]*)'")
_BEGINS_LITERAL: Final = re.compile(r"[\"'\[{\d-]|(?:true|false|null)\b")
_KIND: Final = {str: "a text", int: "a whole number"}


@dataclass(frozen=True, slots=True)
class Path:
    """A path, not yet followed, and at which character of its text it begins."""

    head: str
    steps: Steps
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the text itself."""

    value: Any


@dataclass(frozen=True, slots=True)
class Applied:
    """A transform with its arguments."""

    name: str
    transform: Transform
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What one ``${…}`` says: the first operand that has a value, transformed."""

    operands: tuple[Path | Literal, ...]
    transforms: tuple[Applied, ...]


MOST_PARTS: Final = 50


class SyntaxFault(Exception):  # noqa: N818 - it never leaves the room
    """What is wrong at a place in a text."""

    def __init__(self, message: str, offset: int, near: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.near = near


def scan(text: str, start: int) -> tuple[Choice, int]:
    """Reads from behind ``${`` to behind its ``}``.

    Raises:
        SyntaxFault: Something else stands there.
    """
    scanner = _Scanner(text, start)
    return scanner.choice(), scanner.place


class _Scanner:
    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.place = start
        self.start = start

    def choice(self) -> Choice:
        operands = [self.operand()]
        while self.takes("??"):
            self.check_room(operands, "alternatives")
            operands.append(self.operand())
        transforms: list[Applied] = []
        while self.takes("|"):
            self.check_room(transforms, "transforms")
            transforms.append(self.transform())
        if not self.takes("}"):
            self.fail_at_end()
        return Choice(tuple(operands), tuple(transforms))

    def check_room(self, there: Sized, what: str) -> None:
        if len(there) >= MOST_PARTS:
            self.fail(f"a reference has at most {MOST_PARTS} {what}")

    def operand(self) -> Path | Literal:
        self.skip()
        if _BEGINS_LITERAL.match(self.text, self.place):
            return Literal(self.literal())
        return self.path()

    def path(self) -> Path:
        start = self.place
        head = self.match(_HEAD)
        if head is None:
            self.fail("a name was expected, such as inputs, env or a node's")
        steps: list[str | int] = []
        while True:
            self.check_room(steps, "steps")
            if self.text.startswith(".", self.place):
                self.place += 1
                steps.append(self.key())
            elif self.text.startswith("[", self.place):
                self.place += 1
                steps.append(self.index())
            else:
                return Path(head, tuple(steps), self.text[start : self.place], start)

    def key(self) -> str:
        key = self.match(_KEY)
        if key is None:
            self.fail('a key was expected after the dot; keys of other than letters, digits and _ go into ["…"]')
        return key

    def index(self) -> str | int:
        self.skip()
        start = self.place
        number = self.match(_INDEX)
        found = (
            int(number)
            if number is not None
            else self.literal()
            if self.text[start : start + 1] in {'"', "'"}
            else None
        )
        if type(found) not in {int, str}:
            hint = "; only expressions look up by a value, such as those of a node of type set"
            begins_name = self.text[start : start + 1].isidentifier()
            self.fail(f'a list index such as [0] or a key such as ["a key"] was expected{hint if begins_name else ""}')
        if not self.takes("]"):
            self.fail("']' was expected")
        return found  # type: ignore[return-value]

    def literal(self) -> Any:
        if self.text.startswith("'", self.place):
            quoted = _SINGLE_QUOTED.match(self.text, self.place)
            if quoted is None:
                self.fail("a text in single quotes ends with one, and has no backslash; use double quotes for these")
            self.place = quoted.end()
            return quoted[1]
        try:
            value, self.place = _DECODER.raw_decode(self.text, self.place)
        except json.JSONDecodeError as error:
            twice = "; one pair of braces is enough: ${inputs.name}" if self.text[self.place - 2 :][:3] == "${{" else ""
            self.place = error.pos
            self.fail(f"a JSON value was expected here ({error.msg}){twice}")
        except (ValueError, RecursionError):
            self.fail("a JSON value was expected here; this one is too large or too deep")
        return value

    def transform(self) -> Applied:
        self.skip()
        start = self.place
        name = self.match(_HEAD)
        if name is None:
            self.fail(f"the name of a transform was expected: {', '.join(TRANSFORMS)}")
        transform = TRANSFORMS.get(name)
        if transform is None:
            self.place = start
            self.fail(f"there is no transform {name!r}; there are {', '.join(TRANSFORMS)}", nearest(name, TRANSFORMS))
        arguments = self.arguments() if self.takes("(") else ()
        fits = transform.required <= len(arguments) <= len(transform.arguments) and all(
            type(argument) is kind for argument, kind in zip(arguments, transform.arguments, strict=False)
        )
        if not fits:
            self.place = start
            self.fail(f"the transform {name!r} takes {_expected(transform)}")
        return Applied(name, transform, arguments)

    def arguments(self) -> tuple[Any, ...]:
        if self.takes(")"):
            return ()
        self.skip()
        found = [self.literal()]
        while self.takes(","):
            self.skip()
            found.append(self.literal())
        if not self.takes(")"):
            self.fail("')' was expected")
        return tuple(found)

    def skip(self) -> None:
        space = _SPACE.match(self.text, self.place)
        self.place = space.end() if space else self.place

    def takes(self, token: str) -> bool:
        self.skip()
        if not self.text.startswith(token, self.place):
            return False
        self.place += len(token)
        return True

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.place)
        if found is None:
            return None
        self.place = found.end()
        return found[0]

    def fail_at_end(self) -> NoReturn:
        if self.place >= len(self.text):
            self.place = self.start - 2
            self.fail("a reference begins here that does not end: '}' is missing; $${ stands for a plain ${")
        self.fail("'}', '??' or '|' was expected; references hold paths, no operators: these go into conditions")

    def fail(self, message: str, near: str | None = None) -> NoReturn:
        raise SyntaxFault(message, self.place, near)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


def _expected(transform: Transform) -> str:
    if not transform.arguments:
        return "no argument"
    kinds = ", ".join(_KIND[kind] for kind in transform.arguments)
    return f"{kinds} as its argument" if transform.required else f"{kinds} or nothing as its argument"
