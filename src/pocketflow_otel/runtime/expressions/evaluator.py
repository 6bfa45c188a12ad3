"""Evaluates checked expressions with simpleeval, on JSON values only."""

from __future__ import annotations

import ast
import functools
import threading
from typing import TYPE_CHECKING, Any, Final

import simpleeval  # type: ignore[import-untyped]

from pocketflow_otel.runtime.expressions.errors import UnusableValue
from pocketflow_otel.runtime.expressions.operators import FUNCTIONS, OPERATORS, item_of, truth

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED: Final[frozenset[type[ast.AST]]] = frozenset(
    {
        ast.BinOp,
        ast.BoolOp,
        ast.Call,
        ast.Compare,
        ast.Constant,
        ast.Dict,
        ast.IfExp,
        ast.List,
        ast.Name,
        ast.Slice,
        ast.Subscript,
        ast.UnaryOp,
    }
)
"""What an expression may be made of, besides paths."""


def evaluate(tree: ast.expr, text: str, value_of: Callable[[str], Any]) -> Any:
    """What a checked tree gives.

    Args:
        tree: An expression of `ALLOWED` nodes.
        text: What it was read from.
        value_of: Gives what a name stands for: a JSON copy.

    Raises:
        UnusableValue: An operator or a function can't be applied to its values, or would give too much.
    """
    evaluator = _evaluator()
    outer = _current.value_of
    _current.value_of = value_of
    try:
        return evaluator.eval(text, tree)
    except RecursionError:
        raise UnusableValue("there is not enough room on the stack to evaluate this") from None
    finally:
        _current.value_of = outer


class _Current(threading.local):
    """Whose names are looked up: each thread evaluates one expression at a time."""

    value_of: Callable[[str], Any] | None = None


_current = _Current()


class _Evaluator(simpleeval.EvalWithCompoundTypes):  # type: ignore[misc]
    """simpleeval without attributes, comprehensions, formatting and assignments."""

    nodes: dict[type[ast.AST], Callable[[Any], Any]]

    def __init__(self) -> None:
        super().__init__(operators=dict(OPERATORS), functions={}, names={})
        self.functions = dict(FUNCTIONS)
        self.nodes = {node: self.nodes[node] for node in ALLOWED} | {
            ast.Name: _named,
            ast.Subscript: lambda node: item_of(self._eval(node.value), self._eval(node.slice)),
            ast.BoolOp: self._and_or,
            ast.IfExp: lambda node: self._eval(node.body if truth(self._eval(node.test)) else node.orelse),
        }

    def _and_or(self, node: ast.BoolOp) -> bool:
        decides = isinstance(node.op, ast.Or)
        return decides if any(truth(self._eval(value)) is decides for value in node.values) else not decides

    def _check_disallowed_items(self, item: Any) -> None:
        """Everything is a JSON value here; to look through all of it again at every operator would take long."""


def _named(node: ast.Name) -> Any:
    if _current.value_of is None:
        raise UnusableValue(f"{node.id!r} is evaluated outside of an expression")
    return _current.value_of(node.id)


_making: Final = threading.Lock()


def _evaluator() -> _Evaluator:
    # Under a lock, as simpleeval changes the process's warning filters for a moment when one is made.
    with _making:
        return _made()


@functools.cache
def _made() -> _Evaluator:
    return _Evaluator()
