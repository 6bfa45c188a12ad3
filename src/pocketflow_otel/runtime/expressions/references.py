"""References in texts: ``${node.key[0] ?? "default" | upper}``, alone or inside a text, anywhere in a structure.

A text that is one whole reference becomes the value that it names, with its type. Inside a text the value becomes text.
``$${`` stands for a plain ``${``. After ``??`` stands what is taken where the value is missing or null.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.expressions.errors import MissingValue, ReferenceSyntaxError, UnusableValue
from pocketflow_otel.runtime.expressions.json_values import DEEPEST, as_text
from pocketflow_otel.runtime.expressions.paths import Lookup, Namespace, Reference, follow
from pocketflow_otel.runtime.expressions.scanning import Choice, Literal, Path, SyntaxFault, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Lookup",
    "MissingValue",
    "Namespace",
    "Reference",
    "ReferenceSyntaxError",
    "Template",
    "UnusableValue",
    "escaped",
    "parse",
    "syntax_errors",
]

_SHORT: Final = 200
_MOST_PIECES: Final = 20_000
_BEGINS: Final = re.compile(r"\$?\$\{")


class Template:
    """A structure of dicts, lists and other values whose texts may hold references.

    Attributes:
        references: All references in it, in order.
        is_constant: Whether there are none.
        value: What it is where it is constant: the structure itself, or a copy with ``${`` for ``$${``; else None.
    """

    __slots__ = ("_resolver", "is_constant", "references", "value")

    def __init__(self, references: tuple[Reference, ...], resolver: Callable[[Lookup], Any] | None, value: Any) -> None:
        self.references = references
        self.is_constant = resolver is None
        self.value = value
        self._resolver = resolver

    def resolve(self, lookup: Lookup) -> Any:
        """The structure with values in place of references. What is constant in it is shared, not copied.

        Args:
            lookup: Gives what references begin with.

        Raises:
            MissingValue: A reference has no value, and there is no other to take.
            UnusableValue: A value can't be transformed, or put into text.
        """
        return self.value if self._resolver is None else self._resolver(lookup)


def parse(value: Any) -> Template:
    """Reads the references in a structure.

    Args:
        value: Dicts, lists, texts and other values, as a document holds them. Keys are no templates.

    Raises:
        ReferenceSyntaxError: The first text that can't be read.
    """
    compiler = _Compiler()
    resolver, constant = compiler.compile(value, ())
    if compiler.errors:
        raise compiler.errors[0]
    return Template(tuple(compiler.references), resolver, constant)


def syntax_errors(value: Any) -> list[ReferenceSyntaxError]:
    """All that keeps the references in a structure from being read: one error for each text."""
    compiler = _Compiler()
    compiler.compile(value, ())
    return compiler.errors


def escaped(text: str) -> str:
    """A text that, read as a template, is the given one."""
    return text.replace("${", "$${")


class _Compiler:
    """Turns structures into functions of a lookup, and collects what it meets."""

    def __init__(self) -> None:
        self.references: list[Reference] = []
        self.errors: list[ReferenceSyntaxError] = []

    def compile(self, value: Any, at: tuple[str | int, ...]) -> tuple[Callable[[Lookup], Any] | None, Any]:
        """A function of a lookup, or None and the constant value."""
        if isinstance(value, str):
            return self.compile_text(value, at) if "${" in value else (None, value)
        if not isinstance(value, dict | list):
            return None, value
        if len(at) >= DEEPEST:
            self.errors.append(ReferenceSyntaxError(f"this is nested more than {DEEPEST} deep", at, 0))
            return None, value
        return self.compile_dict(value, at) if isinstance(value, dict) else self.compile_list(value, at)

    def compile_dict(
        self, value: dict[Any, Any], at: tuple[str | int, ...]
    ) -> tuple[Callable[[Lookup], Any] | None, Any]:
        base, resolvers, changed = {}, [], False
        for key, item in value.items():
            resolver, base[key] = self.compile(item, (*at, key))
            changed = changed or base[key] is not item
            if resolver is not None:
                resolvers.append((key, resolver))
        if not resolvers:
            return None, base if changed else value

        def resolve(lookup: Lookup) -> dict[Any, Any]:
            result = base.copy()
            for key, resolver in resolvers:
                result[key] = resolver(lookup)
            return result

        return resolve, None

    def compile_list(self, value: list[Any], at: tuple[str | int, ...]) -> tuple[Callable[[Lookup], Any] | None, Any]:
        base, resolvers, changed = [], [], False
        for index, item in enumerate(value):
            resolver, constant = self.compile(item, (*at, index))
            base.append(constant)
            changed = changed or constant is not item
            if resolver is not None:
                resolvers.append((index, resolver))
        if not resolvers:
            return None, base if changed else value

        def resolve(lookup: Lookup) -> list[Any]:
            result = base.copy()
            for index, resolver in resolvers:
                result[index] = resolver(lookup)
            return result

        return resolve, None

    def compile_text(self, text: str, at: tuple[str | int, ...]) -> tuple[Callable[[Lookup], Any] | None, Any]:
        try:
            pieces = _pieces(text)
        except SyntaxFault as fault:
            self.errors.append(ReferenceSyntaxError(fault.message, at, fault.offset, fault.near))
            return None, text
        resolvers = [piece if isinstance(piece, str) else self.compile_choice(piece, at) for piece in pieces]
        if len(resolvers) == 1 and not isinstance(resolvers[0], str):
            return resolvers[0], None
        if all(isinstance(piece, str) for piece in resolvers):
            return None, "".join(map(str, resolvers))

        def resolve(lookup: Lookup) -> str:
            return "".join([piece if isinstance(piece, str) else as_text(piece(lookup)) for piece in resolvers])

        return resolve, None

    def compile_choice(self, choice: Choice, at: tuple[str | int, ...]) -> Callable[[Lookup], Any]:
        last = len(choice.operands) - 1
        for number, operand in enumerate(choice.operands):
            if isinstance(operand, Path):
                optional = number < last
                made = Reference(operand.head, operand.steps, optional, operand.text, at, operand.offset)
                self.references.append(made)
        chosen = _first_of(choice.operands)
        return _transformed(chosen, choice) if choice.transforms else chosen


def _pieces(text: str) -> tuple[str | Choice, ...]:
    """The pieces of a text. Short ones are read once for checks, for plans, and for what waits for what."""
    return _known_pieces(text) if len(text) <= _SHORT else _read_pieces(text)


def _read_pieces(text: str) -> tuple[str | Choice, ...]:
    pieces: list[str | Choice] = []
    place = 0
    while begin := _BEGINS.search(text, place):
        if begin.start() > place:
            pieces.append(text[place : begin.start()])
        place = begin.end()
        if len(pieces) > _MOST_PIECES:
            raise SyntaxFault(f"a text has at most {_MOST_PIECES:,} references and pieces between", begin.start())
        if begin[0] == "$${":
            pieces.append("${")
        else:
            choice, place = scan(text, place)
            pieces.append(choice)
    if place < len(text):
        pieces.append(text[place:])
    return tuple(pieces)


_known_pieces: Final = lru_cache(maxsize=32_768)(_read_pieces)


def _first_of(operands: Sequence[Path | Literal]) -> Callable[[Lookup], Any]:
    readers = [_reader(operand) for operand in operands]
    if len(readers) == 1:
        return readers[0]
    *optional, final = readers

    def first(lookup: Lookup) -> Any:
        for reader in optional:
            try:
                value = reader(lookup)
            except MissingValue:
                continue
            if value is not None:
                return value
        return final(lookup)

    return first


def _reader(operand: Path | Literal) -> Callable[[Lookup], Any]:
    if isinstance(operand, Literal):
        value = operand.value
        return lambda _: value
    head, steps, text = operand.head, operand.steps, operand.text
    if not steps:
        return lambda lookup: lookup(head)
    return lambda lookup: follow(lookup(head), steps, text)


def _transformed(reader: Callable[[Lookup], Any], choice: Choice) -> Callable[[Lookup], Any]:
    applied = choice.transforms

    def transform(lookup: Lookup) -> Any:
        value = reader(lookup)
        for number, each in enumerate(applied, 1):
            try:
                value = each.transform.apply(value, *each.arguments)
            except UnusableValue as error:
                raise UnusableValue(f"{_written(choice, number)}: {error.message}", error.near) from None
        return value

    return transform


def _written(choice: Choice, transforms: int) -> str:
    """A choice up to one of its transforms; what stands in it as a value may be long, or nobody else's business."""
    operands = [operand.text if isinstance(operand, Path) else "…" for operand in choice.operands]
    return " | ".join([" ?? ".join(operands), *(each.name for each in choice.transforms[:transforms])])
