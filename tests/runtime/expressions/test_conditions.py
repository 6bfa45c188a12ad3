"""Conditions and expressions: what they give, and how they say what is wrong with them."""

import contextlib
import json
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.runtime.expressions.conditions import ConditionSyntaxError, parse_condition, parse_expression
from pocketflow_otel.runtime.expressions.errors import MissingValue, UnusableValue
from pocketflow_otel.runtime.expressions.operators import ARGUMENTS
from pocketflow_otel.runtime.expressions.references import Reference

DATA = {
    "inputs": {"n": 5, "zero": 0, "name": "Ada", "none": None, "yes": True, "list": [3, 1, 2], "a b": 1, "öl": 2},
    "fetch": {"rows": [{"id": 7}, {"id": 8, "tags": ["x", "y"]}], "price": Decimal("1.5")},
    "i": 1,
}


def lookup(head):
    try:
        return DATA[head]
    except KeyError:
        raise MissingValue(f"nothing is called {head}") from None


EXPRESSIONS = [
    ("inputs.n", 5),
    ("exists(inputs['from'])", False),
    ("fetch.rows[-1].tags[0]", "x"),
    ("fetch['rows'][0]['id']", 7),
    ("fetch.rows[i]['id']", 8),
    ('inputs["a b"]', 1),
    ("inputs.öl", 2),
    ("inputs.list[0:2]", [3, 1]),
    ("inputs.n + 2 * 3 - 1", 10),
    ("7 // 2 + 7 % 2 + 2 ** 3 + 1 / 2", 12.5),
    ("-inputs.n", -5),
    ("inputs.name + '!'", "Ada!"),
    ("inputs.list + [4]", [3, 1, 2, 4]),
    ("{'a': [inputs.n, null], 'b': {}}", {"a": [5, None], "b": {}}),
    ("inputs.n > 3 and not inputs.n > 9", True),
    ("false or inputs.yes", True),
    ("1 < inputs.n <= 5", True),
    ("'big' if inputs.n > 3 else 'small'", "big"),
    ("inputs.none == null and inputs.none == None and none == null", True),
    ("true == True and false == False and true != false", True),
    ("inputs.yes == 1", False),
    ("1 == 1.0", True),
    ("'d' in inputs.name and 'D' not in inputs.name", True),
    ("1 in inputs.list", True),
    ("true in inputs.list", False),
    ("'n' in inputs", True),
    ("exists(inputs.none) and not exists(inputs.x) and not exists(nobody.x[0])", True),
    ("default(inputs.x, 1) + default(inputs.none, 2) + default(inputs.n, 3)", 8),
    ("default(nobody, default(inputs.x, 'z'))", "z"),
    ("exists(nobody) and nobody.x > 1", False),
    ("fetch.price > 1.4", True),
    ("abs(-2) + round(2.6) + round(1.25, 1) + integer('3') + number('0.5')", 9.7),
    ("length(inputs.list) + length(inputs.name) + length(inputs)", 14),
    ("min(inputs.list) + max(2, 9) + sum(inputs.list)", 16),
    ("lower('A') + upper('b') + trim(' c ') + text(1.5) + text([1])", "aBc1.5[1]"),
    ("starts_with(inputs.name, 'A') and ends_with(inputs.name, 'a')", True),
    ("inputs.n\n  > 3 and\n\ttrue", True),
    ("'# no comment'", "# no comment"),
]


@pytest.mark.parametrize(("text", "value"), EXPRESSIONS)
def test_an_expression_gives(text, value):
    given = parse_expression(text).value(lookup)
    assert given == value
    assert json.dumps(given) == json.dumps(value)


def test_every_function_is_shown():
    texts = " ".join(text for text, _ in EXPRESSIONS)
    assert [name for name in ARGUMENTS if f"{name}(" not in texts] == []


def test_paths_are_references_which_need_not_be_there_in_exists_and_default():
    expression = parse_expression("a.x[0] > 1 and exists(b.y) and default(c, d.z) == 'e.f'")
    assert expression.references == (
        Reference("a", ("x", 0), False, "a.x[0]"),
        Reference("b", ("y",), True, "b.y"),
        Reference("c", (), True, "c"),
        Reference("d", ("z",), False, "d.z"),
    )


@pytest.mark.parametrize(
    ("text", "offset", "near", "said"),
    [
        ("", 0, None, "empty"),
        ("  ", 0, None, "empty"),
        ("inputs.n >", 10, None, "can't be read"),
        ("  inputs.n = 3", 11, "==", "can't be read"),
        ("mail.from == 'ada'", 5, None, 'as a key write ["from"]'),
        ("inputs.n > 3 # big", 12, None, "comments"),
        ("len(inputs.list) > 1", 0, "length", "no function 'len'; there are abs"),
        ("öl and lenght(x)", 7, "length", "no function 'lenght'"),
        ("inputs.name.upper() == 'A'", 0, None, "only functions are called"),
        ("length(1, 2)", 0, None, "takes 1 argument, not 2"),
        ("min()", 0, None, "takes 1 to 100 arguments, not 0"),
        ("round(x, digits=1)", 0, None, "without names"),
        ("exists('x')", 7, None, "takes a path"),
        ("inputs.n is 3", 0, None, "use == instead"),
        ("inputs.a & inputs.b", 0, None, "use and instead"),
        ("f'{inputs.n}'", 0, None, "put texts together with +"),
        ("[x for x in inputs.list]", 0, None, "has no place"),
        ("fetch.rows[i].id == 7", 0, None, 'write ["key"] after'),
        ("'a'.b", 0, None, "a dot stands only in a path"),
        ("1j > 0", 0, None, "not a complex"),
        ("x == 1e999", 5, None, "too large"),
        ("{inputs.n: 1}", 1, None, "keys of an object are texts"),
        ("'\\d' == x", 0, None, "invalid escape"),
        ("x" * 1025, 0, None, "longer than 1024 bytes"),
        ("ä" * 513, 0, None, "longer than 1024 bytes"),
        ("not " * 60 + "x", 160, None, "more than 40 deep"),
        ("\N{FULLWIDTH LATIN SMALL LETTER I}nputs.n > 3", 0, "inputs", "looks like another"),
    ],
)
def test_what_is_no_condition_is_told_with_its_place(text, offset, near, said):
    with pytest.raises(ConditionSyntaxError) as caught:
        parse_condition(text)
    assert said in caught.value.message
    assert (caught.value.offset, caught.value.near) == (offset, near)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs.n", "true or false was expected as the result, not number"),
        ("inputs.none", "not null"),
        ("inputs.n and true", "true or false was expected, not a value of type number"),
        ("not inputs.list", "true or false was expected, not a value of type list"),
        ("inputs.name > 3", "> takes two numbers or two texts, not text and number"),
        ("inputs.none < 3", "not null and number"),
        ("inputs.name + 1 == 'Ada1'", "text(…) makes a text"),
        ("1 / inputs.zero > 0", "divide by zero"),
        ("inputs.list['a'] == 1", "has numbers"),
        ("inputs.list[inputs.name] == 1", "can't be looked up in a value of type list"),
        ("inputs.list[inputs.n] == 1", "no [5] in this list"),
        ("inputs.list[::0] == []", "no [slice]"),
        ("3 in inputs.n", "in takes"),
        ("length(inputs.n) > 1", "has no length"),
        ("integer(inputs.name) > 1", "a number was expected"),
        ("min([]) == 1", "empty"),
        ("(-8) ** 0.5 > 1", "no real number"),
    ],
)
def test_a_condition_that_can_not_be_answered_is_an_error_and_never_false(text, said):
    with pytest.raises((UnusableValue, MissingValue)) as caught:
        parse_condition(text).holds(lookup)
    assert said in str(caught.value)


def test_a_missing_value_is_an_error_that_names_what_is_near():
    with pytest.raises(MissingValue, match=r"inputs.nam has no value.*did you mean 'name'"):
        parse_condition("inputs.nam == 'Ada'").holds(lookup)


def test_what_is_not_needed_is_not_looked_up():
    asked = []

    def asking(head):
        asked.append(head)
        return DATA[head]

    assert parse_condition("inputs.n > 9 and nobody.x").holds(asking) is False
    assert asked == ["inputs"]


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", {"x": object()}, {object(): 1}, float, json],
    ids=lambda value: str(type(value)),
)
def test_values_that_are_not_json_do_not_get_in(value):
    with pytest.raises(UnusableValue):
        parse_expression("a").value({"a": value}.__getitem__)
    assert parse_condition("exists(a)").holds({"a": value}.__getitem__) is True


def test_a_value_is_a_copy():
    given = {"x": [1]}
    assert parse_expression("a").value({"a": given}.__getitem__)["x"] is not given["x"]


def test_one_condition_serves_many_threads():
    condition = parse_condition("a.n + b.n == 2 * c.n")
    results, start = {}, threading.Barrier(8)

    def evaluate(number):
        start.wait()
        data = {head: {"n": number} for head in "abc"}
        results[number] = all(condition.holds(data.__getitem__) for _ in range(300))

    threads = [threading.Thread(target=evaluate, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(8), True)


def test_a_lookup_may_evaluate_another_expression():
    inner = parse_expression("b + 1")
    outer = parse_expression("a + c")
    values = {"b": 1, "c": 10}
    assert outer.value(lambda head: inner.value(values.__getitem__) if head == "a" else values[head]) == 12


@given(
    st.integers(-50, 50), st.integers(-50, 50), st.sampled_from(["+", "-", "*", "//", "%", "<", "<=", "==", "!=", ">"])
)
def test_numbers_behave_as_in_python(left, right, sign):
    data = {"a": left, "b": right}
    try:
        expected = eval(f"left {sign} right")
    except ZeroDivisionError:
        with pytest.raises(UnusableValue):
            parse_expression(f"a {sign} b").value(data.__getitem__)
        return
    assert parse_expression(f"a {sign} b").value(data.__getitem__) == expected
    assert parse_expression(f"{left} {sign} {right}").value(data.__getitem__) == expected


@given(st.text("ab.[]()'\" 01+-*<=>!andornotif,:{}#\\\n", max_size=40))
def test_any_text_is_read_or_refused_at_a_place_in_it(text):
    try:
        expression = parse_expression(text)
    except ConditionSyntaxError as error:
        offset = error.offset
    else:
        offset = 0
        with contextlib.suppress(UnusableValue, KeyError):
            json.dumps(expression.value({"a": {"b": [0, 1]}, "b": "text"}.__getitem__))
    assert 0 <= offset <= len(text)


@pytest.mark.parametrize(
    ("text", "offset", "near", "told"),
    [
        ("${inputs.n} > 3", 0, "inputs.n", "values are named without ${} here"),
        ("a.b == 1 and ${ c }", 13, "c", "values are named without ${} here"),
        ("a && b", 2, "and", "'&&' is unknown here"),
        ("a == '&&' || b", 10, "or", "'||' is unknown here"),
        ("!a", 0, "not", "'!' is unknown here"),
        ("a = 3", 2, "==", "'=' is unknown here"),
        ("a <= 3 and b = 3", 13, "==", "'=' is unknown here"),
        ("a === 3", 2, "==", "'===' is unknown here"),
        ("a !== 3", 2, "!=", "'!==' is unknown here"),
        ("a <> 3", 2, "!=", "'<>' is unknown here"),
        ("a == 1 AND b", 7, "and", "'AND' is unknown here"),
        ("NOT a", 0, "not", "'NOT' is unknown here"),
        ("a eq 3", 2, "==", "'eq' is unknown here"),
        ("(a ?? 0) > 3", 3, "default(path, other)", "?? has no place here"),
    ],
)
def test_habits_of_other_languages_are_told_with_what_to_write(text, offset, near, told):
    with pytest.raises(ConditionSyntaxError) as caught:
        parse_condition(text)
    error = caught.value
    assert (error.offset, error.near) == (offset, near)
    assert told in str(error)


@pytest.mark.parametrize(
    "text", ["a == '${x} && y = 3'", 'a != "b || !c"', "a == 1 and not b", "a >= 3 or a <= 1 or a != 2"]
)
def test_what_is_quoted_or_known_is_no_habit(text):
    parse_condition(text)
