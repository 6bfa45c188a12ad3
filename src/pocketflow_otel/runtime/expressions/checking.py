"""Reads and checks conditions and expressions, and takes the paths out of them: what is left has no attributes."""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.expressions.errors import ConditionSyntaxError, MissingValue
from pocketflow_otel.runtime.expressions.evaluator import ALLOWED
from pocketflow_otel.runtime.expressions.habits import habit
from pocketflow_otel.runtime.expressions.json_values import json_copy
from pocketflow_otel.runtime.expressions.operators import ARGUMENTS, OPERATORS
from pocketflow_otel.runtime.expressions.paths import Lookup, Reference, Steps, follow
from pocketflow_otel.runtime.expressions.transforms import length

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 1024
"""Bytes that a condition or expression has at most, as UTF-8."""
DEEPEST: Final = 40
"""How deep it is nested at most."""

_KEY: Final = re.compile(r"\.\s*([A-Za-z]+)\b")
_CONSTANTS: Final = {"true": True, "false": False, "null": None, "none": None}
_WORDS: Final = frozenset({"True", "False", "None", *_CONSTANTS})
_HINTS: Final[dict[type[ast.AST], str]] = {
    ast.Is: "use == instead of is",
    ast.IsNot: "use != instead of is not",
    ast.JoinedStr: "put texts together with + and text(…)",
    ast.BitAnd: "use and instead of &",
    ast.BitOr: "use or instead of |",
    ast.Invert: "use not instead of ~",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """An expression whose paths are names of their own.

    Attributes:
        tree: What to evaluate.
        references: The paths, in order.
        readers: What each name in the tree stands for: a function that gives a JSON copy, or a boolean.
    """

    tree: ast.expr
    references: tuple[Reference, ...]
    readers: dict[str, Callable[[Lookup], Any]]


def read(text: str) -> Checked:
    """Reads a condition or expression.

    Raises:
        ConditionSyntaxError: It is none, too long, or holds what they do not know.
    """
    checker = _Checker(text)
    tree = checker.checked(checker.parsed(), DEEPEST)
    return Checked(tree, tuple(checker.references), checker.readers)


class _Checker:
    """Checks a tree from its root to its leaves, and replaces the paths in it by names of their own."""

    def __init__(self, text: str) -> None:
        # One line: a line's end means nothing in an expression, but much to Python.
        self.text = text.replace("\n", " ").replace("\r", " ")
        self.references: list[Reference] = []
        self.readers: dict[str, Callable[[Lookup], Any]] = {}

    def parsed(self) -> ast.expr:
        stripped = self.text.strip()
        self.start = len(self.text) - len(self.text.lstrip())
        if not stripped:
            self.fail_at(0, "a condition or expression was expected; this is empty")
        if len(self.text.encode("utf-8", "replace")) > LONGEST:
            self.fail_at(0, f"it is longer than {LONGEST} bytes: let a node work out a part of it")
        self.data = stripped.encode("utf-8", "replace")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                tree = ast.parse(stripped, mode="eval").body
        except SyntaxError as error:
            if (known := habit(self.text)) is not None:
                self.fail_at(known.offset, f"this can't be read: {known.sentence}", known.near)
            place = (error.offset or len(stripped) + 1) - 1
            self.fail_at(self.start + max(0, place), f"this can't be read: {error.msg}{_hint(stripped)}")
        except (ValueError, RecursionError, MemoryError) as error:
            self.fail_at(0, f"this can't be read: {error or 'it is nested too deeply'}")
        rest = self.data[tree.end_col_offset :]
        if rest.strip(b" \t\f)"):
            self.fail_at(self.offset(tree.end_col_offset or 0), "nothing was expected here: comments have no place")
        return tree

    def checked(self, node: Any, room: int) -> Any:
        if room == 0:
            self.fail(node, f"it is nested more than {DEEPEST} deep")
        path = self.path(node)
        if path is not None:
            return self.read(path, node, optional=False)
        if isinstance(node, ast.Call):
            return self.call(node, room)
        if type(node) not in ALLOWED:
            self.refuse(node, type(node))
        for kind in _operators(node):
            if kind not in OPERATORS and kind not in {ast.And, ast.Or}:
                self.refuse(node, kind)
        if isinstance(node, ast.Constant):
            self.constant(node)
        elif isinstance(node, ast.Name):
            return ast.copy_location(ast.Constant(_CONSTANTS[node.id]), node)
        elif isinstance(node, ast.Dict):
            self.keys(node)
        return self.inside(node, room)

    def inside(self, node: ast.AST, room: int) -> ast.AST:
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, field, self.checked(value, room - 1))
            elif isinstance(value, list):
                setattr(node, field, [self.checked(v, room - 1) if isinstance(v, ast.expr) else v for v in value])
        return node

    def constant(self, node: ast.Constant) -> None:
        kind = type(node.value)
        if kind not in {str, int, float, bool, type(None)}:
            self.fail(node, f"a text, a number, true, false or null was expected, not a {kind.__name__}")
        if kind is float and node.value in {float("inf"), float("-inf")}:
            self.fail(node, "this number is too large")

    def keys(self, node: ast.Dict) -> None:
        for key in node.keys:
            if not (isinstance(key, ast.Constant) and type(key.value) is str):
                self.fail(key or node, "the keys of an object are texts in quotes")

    def call(self, node: ast.Call, room: int) -> ast.expr:
        if not isinstance(node.func, ast.Name):
            self.fail(node, f"only functions are called, nothing else: {', '.join(sorted(ARGUMENTS))}")
        name = node.func.id
        if name not in ARGUMENTS:
            message = f"there is no function {name!r}; there are {', '.join(sorted(ARGUMENTS))}"
            self.fail(node, message, nearest(name, ARGUMENTS))
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            self.fail(node, f"the arguments of {name} are values, without names or stars")
        least, most = ARGUMENTS[name]
        if not least <= len(node.args) <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            self.fail(node, f"{name} takes {expected} argument{'' if most == 1 else 's'}, not {len(node.args)}")
        if name in {"exists", "default"}:
            return self.optional(name, node, room)
        path = self.path(node.args[0]) if name == "length" else None
        if path is not None:
            # To copy all of a list only to count it would take long.
            counted = self.reference(path, node.args[0], optional=False)
            return self.named(node, lambda lookup: length(_found(counted, lookup)))
        node.args = [self.checked(argument, room - 1) for argument in node.args]
        return node

    def optional(self, name: str, node: ast.Call, room: int) -> ast.expr:
        path = self.path(node.args[0])
        if path is None:
            self.fail(node.args[0], f"{name} takes a path, such as inputs.name, as its first argument")
        reference = self.reference(path, node.args[0], optional=True)
        if name == "exists":
            return self.named(node, lambda lookup: _is_there(reference, lookup))
        return ast.copy_location(
            ast.IfExp(
                test=self.named(node, lambda lookup: _is_given(reference, lookup)),
                body=self.named(node, lambda lookup: _copy(reference, lookup)),
                orelse=self.checked(node.args[1], room - 1),
            ),
            node,
        )

    def read(self, path: tuple[str, Steps], node: ast.AST, *, optional: bool) -> ast.Name:
        reference = self.reference(path, node, optional=optional)
        return self.named(node, lambda lookup: _copy(reference, lookup))

    def reference(self, path: tuple[str, Steps], node: ast.AST, *, optional: bool) -> Reference:
        written = self.data[node.col_offset : node.end_col_offset].decode()  # type: ignore[attr-defined]
        offset = self.offset(node.col_offset)  # type: ignore[attr-defined]
        reference = Reference(*path, optional=optional, text=written, offset=offset)
        self.references.append(reference)
        return reference

    def named(self, node: ast.AST, reader: Callable[[Lookup], Any]) -> ast.Name:
        name = str(len(self.readers))
        self.readers[name] = reader
        return ast.copy_location(ast.Name(name, ast.Load()), node)

    def path(self, node: ast.AST) -> tuple[str, Steps] | None:
        """Head and steps, if this is a path."""
        steps: list[str | int] = []
        while not isinstance(node, ast.Name):
            step = self.step(node)
            if step is None:
                return None
            steps.append(step)
            node = node.value  # type: ignore[attr-defined]
        self.look_alike(node, node.id)
        return None if node.id in _WORDS else (node.id, tuple(reversed(steps)))

    def step(self, node: ast.AST) -> str | int | None:
        if isinstance(node, ast.Attribute):
            self.look_alike(node, node.attr)
            return node.attr
        if not isinstance(node, ast.Subscript):
            return None
        key = node.slice
        negative = isinstance(key, ast.UnaryOp) and isinstance(key.op, ast.USub)
        value = getattr(key.operand if isinstance(key, ast.UnaryOp) else key, "value", None)
        if type(value) is int:
            return -value if negative else value
        return value if type(value) is str and not isinstance(key, ast.UnaryOp) else None

    def look_alike(self, node: ast.Name | ast.Attribute, name: str) -> None:
        # Python reads names in their NFKC form: letters of full width become those of ASCII.
        if not self.data[: node.end_col_offset].endswith(name.encode("utf-8", "replace")):
            self.fail(node, f"a letter of this name only looks like another; {name!r} would be read", name)

    def refuse(self, node: ast.AST, kind: type[ast.AST]) -> NoReturn:
        hint = _HINTS.get(
            kind, "expected are paths, values, comparisons, and, or, not, + - * / // % **, [..], functions"
        )
        if kind is ast.Attribute:
            hint = 'a dot stands only in a path of names; write ["key"] after anything else'
        self.fail(node, f"this has no place in a condition or expression ({kind.__name__}): {hint}")

    def fail(self, node: ast.AST, message: str, near: str | None = None) -> NoReturn:
        self.fail_at(self.offset(getattr(node, "col_offset", 0)), message, near)

    def fail_at(self, offset: int, message: str, near: str | None = None) -> NoReturn:
        raise ConditionSyntaxError(message, min(offset, len(self.text)), near) from None

    def offset(self, column: int) -> int:
        return self.start + len(self.data[:column].decode("utf-8", "replace"))


def _hint(text: str) -> str:
    # `mail.from` is a fine path in a template, but no expression of Python.
    key = next((key for key in _KEY.findall(text) if keyword.iskeyword(key)), None)
    return "" if key is None else f'; {key!r} is a word of its own here: as a key write ["{key}"]'


def _operators(node: ast.AST) -> list[type[ast.AST]]:
    if isinstance(node, ast.Compare):
        return [type(each) for each in node.ops]
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp):
        return [type(node.op)]
    return []


def _found(reference: Reference, lookup: Lookup) -> Any:
    return follow(lookup(reference.head), reference.steps, reference.text)


def _copy(reference: Reference, lookup: Lookup) -> Any:
    return json_copy(_found(reference, lookup))


def _is_there(reference: Reference, lookup: Lookup) -> bool:
    try:
        _found(reference, lookup)
    except MissingValue:
        return False
    return True


def _is_given(reference: Reference, lookup: Lookup) -> bool:
    try:
        return _found(reference, lookup) is not None
    except MissingValue:
        return False
