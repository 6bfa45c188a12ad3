"""``python``: a function is called with its arguments; code is the body of one."""

import sys
import traceback
from pathlib import Path

import pytest

from pocketflow_otel.runtime.nodes.python import NODE_TYPE
from pocketflow_otel.runtime.registry.registry import UnknownType
from runtime.nodes.context import Alone, result_of

MODULE = """
import asyncio

def rank(words, reverse=False):
    return sorted(words, key=len, reverse=reverse)

async def later(value):
    await asyncio.sleep(0)
    return value

def where(context):
    return context.node

class Tools:
    @staticmethod
    def twice(value):
        return value * 2

LIMIT = 5
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ranking_of_words.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "ranking_of_words", raising=False)


@pytest.mark.parametrize(
    ("call", "args", "result"),
    [
        ("ranking_of_words:rank", {"words": ["bb", "a"]}, ["a", "bb"]),
        ("ranking_of_words:rank", {"words": ["a", "bb"], "reverse": True}, ["bb", "a"]),
        ("ranking_of_words:later", {"value": 5}, 5),
        ("ranking_of_words:where", {}, "node"),
        ("ranking_of_words:Tools.twice", {"value": "x"}, "xx"),
        ("math:sqrt", {}, None),
        ("builtins:dict", {"a": 1}, {"a": 1}),
    ],
)
async def test_a_function_beside_the_document_or_installed_is_called(
    context: Alone, call: str, args: dict[str, object], result: object
) -> None:
    if result is None:
        with pytest.raises(
            TypeError, match=r"math:sqrt\(x, /\): missing a required argument: 'x'; 'args' gives nothing"
        ):
            await result_of(NODE_TYPE, context, call=call, args=args)
        return
    assert await result_of(NODE_TYPE, context, call=call, args=args) == result


@pytest.mark.parametrize(
    ("call", "args", "error", "said"),
    [
        ("ranking_of_words:rnk", {}, UnknownType, "did you mean 'ranking_of_words:rank'"),
        ("ranking_of_wrds:rank", {}, UnknownType, "there is no module 'ranking_of_wrds'"),
        ("ranking_of_words:LIMIT", {}, TypeError, "expected a function, not int"),
        ("ranking_of_words:rank", {"word": []}, TypeError, "rank(words, reverse=False): missing a required argument"),
        ("ranking_of_words:rank", {"words": [], "x": 1}, TypeError, "got an unexpected keyword argument 'x'"),
    ],
)
async def test_what_can_not_be_called_is_told(
    context: Alone, call: str, args: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        await result_of(NODE_TYPE, context, call=call, args=args)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("code", "args", "result"),
    [
        ("return a + b", {"a": 1, "b": 2}, 3),
        ("total = 0\nfor n in numbers:\n    total += n\nreturn total", {"numbers": [1, 2]}, 3),
        ("import asyncio\nawait asyncio.sleep(0)\nreturn x", {"x": 1}, 1),
        ("async def inner():\n    return 4\nreturn [await inner() for _ in range(2)]", {}, [4, 4]),
        ("def inner():\n    yield 1\nreturn list(inner())", {}, [1]),
        ("return context.run_id", {}, "0198c0de"),
        ("return context", {"context": "mine"}, "mine"),
        ("pass", {}, None),
        ("from math import pi as p\nreturn round(p)", {}, 3),
        ("def f():\n    return later\nlater = 2\nreturn f()", {}, 2),
        ("global kept\nkept = 3\ndef f():\n    return kept\nreturn f()", {}, 3),
        ("class P:\n    n = 1\n    m = n + 1\nreturn P.m", {}, 2),
        ("try:\n    1 / 0\nexcept ArithmeticError as e:\n    return str(e)", {}, "division by zero"),
        ("globals()['made'] = 5\nreturn made", {}, 5),
        ("return __name__.startswith('<')", {}, True),
        ("match value:\n    case {'a': found}:\n        return found", {"value": {"a": 6}}, 6),
    ],
)
async def test_code_is_the_body_of_a_function(
    context: Alone, code: str, args: dict[str, object], result: object
) -> None:
    assert NODE_TYPE.check is not None
    assert NODE_TYPE.check({"code": code, "args": args}) == []
    assert await result_of(NODE_TYPE, context, code=code, args=args) == result


async def test_code_leaves_no_names_to_the_next_run_of_it(context: Alone) -> None:
    code = "global seen\nbefore = 'seen' in globals()\nseen = True\nreturn before"
    assert [await result_of(NODE_TYPE, context, code=code) for _ in range(2)] == [False, False]


async def test_an_error_in_code_shows_the_line_it_stands_in(context: Alone) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        await result_of(NODE_TYPE, context, code="x = 1\nreturn x / 0")
    assert "return x / 0" in "".join(traceback.format_exception(caught.value))
    assert caught.value.__notes__ == ["line 2 of the code: return x / 0"]


@pytest.mark.parametrize(
    ("with_", "path", "said"),
    [
        ({"code": "x = 1\nreturn ("}, ("code",), "line 2 of the code: '(' was never closed"),
        ({"code": "a = 1\nyield a"}, ("code",), "line 2 of the code: yield has no meaning here: return a list"),
        ({"code": "# nothing"}, ("code",), "line 1 of the code: there is no statement in it"),
        ({"code": "break"}, ("code",), "line 1 of the code: 'break' outside loop"),
        (
            {"code": "return zz", "args": {"a": 1}},
            ("code",),
            "line 1 of the code: there is nothing called 'zz'; 'args' gives a",
        ),
        ({"code": "return wrds", "args": {"words": 1}}, ("code",), "did you mean 'words'?"),
        ({"code": "x = 1\nreturn [y for _ in range(x)]"}, ("code",), "line 2 of the code: there is nothing called 'y'"),
        (
            {"code": "def f():\n    return json\nreturn f()"},
            ("code",),
            "line 2 of the code: there is nothing called 'json'",
        ),
        ({"code": "\0"}, ("code",), "source code string cannot contain null bytes"),
        ({"code": "return ${inputs.x}"}, ("code",), "code can't hold references: hand their values over in 'args'"),
        ({"call": "${inputs.f}"}, ("call",), "what is called is not up to a reference"),
        ({"code": "return 1", "args": {"a b": 1}}, ("args", "a b"), "'a b' can't be the name of an argument"),
        ({"code": "return 1", "args": {"class": 1}}, ("args", "class"), "'class' can't be the name of an argument"),
    ],
)
def test_what_can_be_told_before_it_runs_is_a_fault(with_: dict[str, object], path: tuple[str, ...], said: str) -> None:
    assert NODE_TYPE.check is not None
    [(found, sentence, *_)] = NODE_TYPE.check(with_)
    assert found == path
    assert said in sentence


@pytest.mark.parametrize("code", ["x = 'é'\ny = 'é' + zz", "x = '\u2028'\r\ny = zz", "zz"])
def test_an_unknown_name_is_told_where_it_stands(code: str) -> None:
    assert NODE_TYPE.check is not None
    [(_, _, *offset)] = NODE_TYPE.check({"code": code})
    assert offset == [code.index("zz")]


def test_long_code_belongs_into_a_module() -> None:
    assert NODE_TYPE.check is not None
    code = "return 1" + " " * 50_000
    assert NODE_TYPE.check({"code": code}) == []
    with pytest.raises(ValueError, match="at most 50000 characters"):
        NODE_TYPE.config.model_validate({"code": code})


def test_names_are_not_known_where_a_reference_gives_them() -> None:
    assert NODE_TYPE.check is not None
    assert NODE_TYPE.check({"code": "return a", "args": "${inputs.given}"}) == []


@pytest.mark.parametrize("with_", [{}, {"code": "return 1", "call": "a:b"}])
def test_either_a_function_or_code_is_given(with_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected either 'call' or 'code'"):
        NODE_TYPE.config.model_validate(with_)
