"""``python``: a function of a module, or a few lines in place."""

from __future__ import annotations

import ast
import inspect
import keyword
import linecache
import re
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from pocketflow_otel.runtime.documents.faults import listed, nearest
from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.checks import Faults, constant_text
from pocketflow_otel.runtime.nodes.unknown_names import first_unknown
from pocketflow_otel.runtime.registry.node_types import FunctionType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

    from pocketflow_otel.runtime.registry.node_types import Context

_IDENTIFIER: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_TARGET: Final = rf"^{_IDENTIFIER}(\.{_IDENTIFIER})*:{_IDENTIFIER}(\.{_IDENTIFIER})*$"
# Python takes 12 s to compile a million characters.
_LONGEST: Final = 50_000
_AWAITING: Final = (ast.Await, ast.AsyncFor, ast.AsyncWith)
_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class PythonConfig(Part):
    """What Python is to run: a function, or code.

    Attributes:
        call: The function, as ``module:function``. It may be async, and may take a parameter ``context``.
        code: The body of a function: its parameters are the keys of ``args`` and ``context``; what it returns is the
            output. It may ``await``. References stand in ``args``, never in the code.
        args: The arguments by name.
    """

    call: Annotated[str, StringConstraints(pattern=_TARGET)] | None = Field(default=None, examples=["my_nodes:rank"])
    code: Annotated[str, StringConstraints(max_length=_LONGEST)] | None = Field(
        default=None, examples=["return sorted(['moss', 'bee'], key=len)"]
    )
    args: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _is_one(self) -> PythonConfig:
        if (self.call is None) == (self.code is None):
            raise ValueError("expected either 'call' or 'code'")
        return self


def run(config: PythonConfig, context: Context) -> Any:
    """Calls the function, or runs the code.

    Returns:
        What it returns; of an async function the coroutine, to be awaited.

    Raises:
        ImportError: There is no such module or function.
        TypeError: The function does not take these arguments.
    """
    if config.code is not None:
        function = _function(config.code, tuple(config.args))
        return _noting(config.code, function, {"context": context, **config.args})
    function = _found(str(config.call), context)
    return function(**_arguments(function, config, context))


def _found(target: str, context: Context) -> Callable[..., Any]:
    from pocketflow_otel.runtime.registry.registry import imported

    found = imported(target, context.base)
    if not callable(found):
        raise TypeError(f"{target}: expected a function, not {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _arguments(function: Callable[..., Any], config: PythonConfig, context: Context) -> dict[str, Any]:
    try:
        signature = inspect.signature(function)
    except ValueError:  # Functions in C may tell nothing.
        return config.args
    given = {"context": context} if "context" in signature.parameters else {}
    arguments = {**given, **config.args}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise TypeError(
            f"{config.call}{signature}: {error}; 'args' gives {', '.join(config.args) or 'nothing'}"
        ) from None
    return arguments


def _noting(code: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return _noting_later(code, function, arguments)
    try:
        return function(**arguments)
    except Exception as error:
        _note(error, code, function)
        raise


async def _noting_later(code: str, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return await function(**arguments)
    except Exception as error:
        _note(error, code, function)
        raise


def _note(error: Exception, code: str, function: Callable[..., Any]) -> None:
    filename = function.__code__.co_filename
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
    if lines and lines[-1] is not None:
        error.add_note(f"line {lines[-1]} of the code: {code.splitlines()[lines[-1] - 1].strip()}")


def _function(code: str, names: tuple[str, ...]) -> Callable[..., Any]:
    """A function whose body is the code; its global names are its own.

    Raises:
        SyntaxError: It is no body of a function.
    """
    compiled = _compiled(code, names)
    namespace: dict[str, Any] = {"__name__": compiled.co_filename}
    exec(compiled, namespace)  # noqa: S102 - to run the document's code is what this is for
    # So that a traceback shows the line.
    linecache.cache[compiled.co_filename] = (len(code), None, code.splitlines(keepends=True), compiled.co_filename)
    return namespace["code"]  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def _compiled(code: str, names: tuple[str, ...]) -> CodeType:
    filename = f"<code {abs(hash((code, names))):x}>"
    # `return` and `await` outside of a function are found by the compiler, not by the parser.
    body = ast.parse(code, filename).body
    if not body:
        raise SyntaxError("there is no statement in it", (filename, 1, 1, code))
    if (found := _first(body, (ast.Yield, ast.YieldFrom))) is not None:
        place = (filename, found.lineno, found.col_offset + 1, code)
        raise SyntaxError("yield has no meaning here: return a list", place)
    module = ast.parse(f"{'async ' if _is_async(body) else ''}def code(): ...", filename)
    function: Any = module.body[0]
    function.body = body
    function.args.kwonlyargs = [ast.arg(name) for name in dict.fromkeys((*names, "context"))]
    function.args.kw_defaults = [None] * len(function.args.kwonlyargs)
    return compile(ast.fix_missing_locations(module), filename, "exec")


def _is_async(body: list[ast.stmt]) -> bool:
    return _first(body, _AWAITING) is not None or any(
        isinstance(node, ast.comprehension) and node.is_async for node in _own(body)
    )


def _first(body: list[ast.stmt], kinds: tuple[type[ast.AST], ...]) -> Any:
    return next((node for node in _own(body) if isinstance(node, kinds)), None)


def _own(body: list[ast.stmt]) -> list[ast.AST]:
    """What stands in the code itself, not in functions and classes that it defines."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, _SCOPES):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def check(with_: Mapping[str, Any]) -> Faults:
    """Whether the code compiles and knows its names, and names and places of references are right."""
    args = with_.get("args", {})
    # A reference may stand for all of them.
    names = tuple(args) if isinstance(args, dict) else None
    wrong: Faults = [
        (("args", name), f"{name!r} can't be the name of an argument")
        for name in names or ()
        if not name.isidentifier() or keyword.iskeyword(name)
    ]
    _, fault = constant_text(
        with_.get("call"), "what is called is not up to a reference; 'type' and 'args' may hold them"
    )
    wrong += [(("call",), fault)] if fault else []
    code, fault = constant_text(with_.get("code"), "code can't hold references: hand their values over in 'args'")
    wrong += [(("code",), fault)] if fault else []
    if code is not None and len(code) <= _LONGEST and not wrong:
        wrong += _faults_of(code, names)
    return wrong


def _faults_of(code: str, names: tuple[str, ...] | None) -> Faults:
    try:
        compiled = _compiled(code, names or ())
    except SyntaxError as error:
        line = f"line {error.lineno} of the code: " if error.lineno else ""
        offset = _begin_of_line(code, error.lineno or 1) + max(error.offset or 1, 1) - 1
        return [(("code",), f"{line}{error.msg}", offset)]
    except (ValueError, RecursionError, MemoryError) as error:  # NUL characters; code nested too deeply
        return [(("code",), f"it can't be compiled: {error or 'it is nested too deeply'}")]
    if names is None or (unknown := first_unknown(compiled)) is None:
        return []
    name, number, in_bytes = unknown
    near = nearest(name, (*names, "context"))
    sentence = f"line {number} of the code: there is nothing called {name!r}; 'args' gives {listed(names) or 'nothing'}"
    begin = _begin_of_line(code, number)
    offset = begin + len(code[begin:].encode()[:in_bytes].decode())
    return [(("code",), f"{sentence}; did you mean {near!r}?" if near else sentence, offset)]


def _begin_of_line(code: str, number: int) -> int:
    """Where a line begins, as Python counts lines: other separators than these are part of one."""
    ends = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", code))]
    return ends[number - 1] if number <= len(ends) else len(code)


NODE_TYPE: Final = FunctionType(
    name="python",
    summary="Calls a Python function, or runs a few lines of Python.",
    config=PythonConfig,
    call=run,
    output="what the function returns",
    check=check,
    functions=("call",),
)
