"""What constructors take that hand ``**kwargs`` on to those of their bases."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_OPEN: Final = inspect.Parameter.VAR_KEYWORD


def with_those_of_bases(kind: type, own: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """All parameters of a class, with what bases take in place of ``**kwargs``.

    Where it is not certain what becomes of ``**kwargs``, it stays: the class may do anything with it.

    Args:
        kind: The class.
        own: The parameters that its signature tells.
    """
    if not any(one.kind is _OPEN for one in own) or not _is_plain(kind):
        return list(own)
    found = {one.name: one for one in own if one.kind is not _OPEN}
    gone: set[str] = set()
    open_end = next(one for one in own if one.kind is _OPEN)
    for given, taken in _chain(kind):
        if given is None:
            return [*found.values(), open_end]
        gone |= given.names | {one.name for one in taken[: given.positional]}
        for one in taken:
            if one.kind in _BY_NAME and one.name not in gone:
                found.setdefault(one.name, one.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Given:
    """What a constructor gives that of its base, besides ``**kwargs``."""

    positional: int
    names: frozenset[str]


def signature_of(thing: Any) -> inspect.Signature:
    """The signature of something, its annotations evaluated where that is possible.

    Raises:
        ValueError: It does not tell.
    """
    try:
        return inspect.signature(thing, eval_str=True)
    except (NameError, SyntaxError, TypeError, AttributeError):  # such as those imported for type checkers alone
        return inspect.signature(thing)


def _is_plain(kind: type) -> bool:
    """Whether the class is made by nothing but its ``__init__``."""
    makes: tuple[Any, Any] = (type(kind).__call__, kind.__new__)
    return makes == (type.__call__, object.__new__)


def _chain(kind: type) -> Iterable[tuple[_Given | None, Sequence[inspect.Parameter]]]:
    """For each constructor that hands on ``**kwargs``: what else it gives, and what that of its base takes.

    None, at the end, where it is not known.
    """
    constructors = [vars(one)["__init__"] for one in kind.__mro__ if "__init__" in vars(one) and one is not object]
    for constructor, of_base in zip(constructors, [*constructors[1:], None], strict=True):
        parameters = _parameters(constructor)
        if parameters is not None and not any(one.kind is _OPEN for one in parameters):
            return
        given = _given(constructor)
        taken = _parameters(of_base)
        if given is None or taken is None:
            yield None, ()
            return
        yield given, taken


def _parameters(constructor: Any) -> list[inspect.Parameter] | None:
    """The parameters of a constructor, ``self`` aside; None where it is no plain function."""
    if not inspect.isfunction(constructor) or hasattr(constructor, "__wrapped__"):
        return None
    return list(signature_of(constructor).parameters.values())[1:]


def _given(constructor: Any) -> _Given | None:
    """What a constructor calls that of its base with, if that is all it does with its ``**kwargs``."""
    if not inspect.isfunction(constructor):
        return None
    try:
        function = ast.parse(textwrap.dedent(inspect.getsource(constructor))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None
    if not isinstance(function, ast.FunctionDef) or function.args.kwarg is None:
        return None
    rest = function.args.kwarg.arg
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == rest]
    # A call inside of anything else, such as an `if`, might not be made.
    calls = [one.value for one in function.body if isinstance(one, ast.Expr) and _is_of_base(one.value)]
    if len(uses) != 1 or len(calls) != 1:
        return None
    return _arguments(calls[0], function, uses[0])


def _is_of_base(call: ast.expr) -> TypeGuard[ast.Call]:
    """Whether this is ``super().__init__(…)``."""
    of = call.func if isinstance(call, ast.Call) else None
    return (
        isinstance(of, ast.Attribute)
        and of.attr == "__init__"
        and isinstance(of.value, ast.Call)
        and isinstance(of.value.func, ast.Name)
        and of.value.func.id == "super"
        and not of.value.args
    )


def _arguments(call: ast.Call, function: ast.FunctionDef, rest: ast.Name) -> _Given | None:
    if [one.value for one in call.keywords if one.arg is None] != [rest]:
        return None
    # A document gives all by name: nothing is ever in the constructor's own *args.
    more = function.args.vararg.arg if function.args.vararg else None
    positional = [one for one in call.args if not (isinstance(one, ast.Starred) and _is_name(one.value, more))]
    if any(isinstance(one, ast.Starred) for one in positional):
        return None
    return _Given(len(positional), frozenset(one.arg for one in call.keywords if one.arg is not None))


def _is_name(node: ast.expr, name: str | None) -> bool:
    return isinstance(node, ast.Name) and node.id == name
