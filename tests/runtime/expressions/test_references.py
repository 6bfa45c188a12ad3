"""References and templates: what they give, what they say when they can't, and that they give back what was put in."""

import json
import re
import string
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.runtime.expressions.conditions import parse_condition
from pocketflow_otel.runtime.expressions.references import (
    MissingValue,
    Reference,
    ReferenceSyntaxError,
    UnusableValue,
    escaped,
    parse,
    syntax_errors,
)
from pocketflow_otel.runtime.expressions.transforms import TRANSFORMS
from pocketflow_otel.runtime.values.table import Table

DATA = {
    "inputs": {"name": "Ada", "n": 3, "none": None, "list": [1, 2, 3], "pairs": [[1, 2], [3]], "öl": "ja"},
    "fetch": {"rows": [{"id": 7, "a key": "x"}, {"id": 8}], "text": "one\n two \nthree", "ok": True},
    "say": "hello",
}

NAMES = st.text(string.ascii_letters, min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def lookup(head):
    try:
        return DATA[head]
    except KeyError:
        raise MissingValue(f"nothing is called {head}") from None


def resolved(value):
    return parse(value).resolve(lookup)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${inputs.n}", 3),
        ("${inputs.none}", None),
        ("${ inputs.name }", "Ada"),
        ("${fetch.rows[0].id}", 7),
        ("${fetch.rows[-1].id}", 8),
        ('${fetch.rows[0]["a key"]}', "x"),
        ("${fetch.rows[0]['a key']}", "x"),
        ("${inputs.öl}", "ja"),
        ("${say}", "hello"),
        ("n is ${inputs.n}, rows: ${fetch.rows}", 'n is 3, rows: [{"id":7,"a key":"x"},{"id":8}]'),
        ("nothing: ${inputs.none}.", "nothing: ."),
        ("true is ${fetch.ok}", "true is true"),
        ("$${inputs.n} and $ and $$ and } stay", "${inputs.n} and $ and $$ and } stay"),
        ('${"$"}${inputs.n}', "$3"),
        ("${inputs.x ?? 5}", 5),
        ("${inputs.x ?? 'text'}", "text"),
        ('${inputs.x ?? ["a", {"b": null}]}', ["a", {"b": None}]),
        ("${inputs.none ?? -1.5}", -1.5),
        ("${nobody.x ?? inputs.y ?? say}", "hello"),
        ("${say.x ?? true}", True),
        ("${inputs.x ?? null}", None),
        ("${inputs.x ?? 'a}b'}", "a}b"),
        ("${fetch.text | lines | length}", 3),
        ("${inputs.list | join(', ')}", "1, 2, 3"),
        ("${inputs.x ?? [1, 1] | unique}", [1]),
    ],
)
def test_a_reference_gives_what_it_names(text, value):
    assert resolved(text) == value
    assert type(resolved(text)) is type(value)


def test_structures_are_resolved_where_they_hold_references_and_shared_where_they_do_not():
    constant = {"deep": ["as", {"it": "is"}]}
    given = {"a": "${inputs.n}", "b": ["${say}!", constant], "${say}": 1}
    result = resolved(given)
    assert result == {"a": 3, "b": ["hello!", constant], "${say}": 1}
    assert list(result) == list(given)
    assert result["b"][1] is constant


def test_a_constant_is_known_as_one_and_unescaped():
    template = parse({"a": "$${x}", "b": [1]})
    assert template.is_constant
    assert template.value == {"a": "${x}", "b": [1]}
    assert template.references == ()


def test_each_reference_is_listed_with_its_place_and_whether_it_may_be_missing():
    references = parse({"a": ["x ${inputs.n} ${fetch.rows[0].id ?? say}"], "b": {"c": "${env.X ?? 1}"}}).references
    assert references == (
        Reference("inputs", ("n",), False, "inputs.n", ("a", 0)),
        Reference("fetch", ("rows", 0, "id"), True, "fetch.rows[0].id", ("a", 0)),
        Reference("say", (), False, "say", ("a", 0)),
        Reference("env", ("X",), True, "env.X", ("b", "c")),
    )


@pytest.mark.parametrize(
    ("text", "offset", "near", "said"),
    [
        ("a ${inputs.x", 2, None, "does not end"),
        ("${}", 2, None, "a name was expected"),
        ("${inputs.}", 9, None, "a key was expected"),
        ("${a-b}", 3, None, "no operators"),
        ("${a[}", 4, None, "a list index"),
        ("${a[1.5]}", 5, None, "']' was expected"),
        ("${a[0}", 5, None, "']' was expected"),
        ("${a ?? }", 7, None, "a name was expected"),
        ("${a ?? [1,}", 10, None, "JSON"),
        ("${a ?? NaN | x}", 13, None, "no transform 'x'"),
        ("${a ?? -Infinity}", 7, None, "JSON"),
        ("${a | uper}", 6, "upper", "there is no transform 'uper'"),
        ("${a | }", 6, None, "the name of a transform"),
        ("${a | join(1)}", 6, None, "takes a text or nothing"),
        ("${a | split}", 6, None, "takes a text as its argument"),
        ("${a | upper('x')}", 6, None, "takes no argument"),
        ("${a | join(', '}", 15, None, "')' was expected"),
        ("${a['x}", 4, None, "single quotes"),
        ("ok ${a} then ${a b}", 17, None, "'}'"),
    ],
)
def test_what_can_not_be_read_is_told_with_its_place(text, offset, near, said):
    with pytest.raises(ReferenceSyntaxError, match=re.escape(said)) as caught:
        parse({"k": [text]})
    assert (caught.value.path, caught.value.offset, caught.value.near) == (("k", 0), offset, near)


def test_all_that_can_not_be_read_is_told_at_once():
    errors = syntax_errors({"a": "${", "b": ["fine", "${x | nope}"], "c": "${ok}"})
    assert [error.path for error in errors] == [("a",), ("b", 1)]


@pytest.mark.parametrize(
    ("text", "near", "said"),
    [
        ("${inputs.nam}", "name", "no key 'nam'; its keys are name, n, none"),
        ("${fetch.rows[2].id}", None, r"no \[2\] in a list of 2"),
        ("${fetch.rows.id}", None, "has numbers from 0"),
        ("${say.x}", None, "'x' is looked up in a value of type text"),
        ("${inputs.none.x}", None, "of type null"),
        ("${nobody}", None, "nothing is called nobody"),
    ],
)
def test_a_missing_value_is_told_with_what_is_there(text, near, said):
    with pytest.raises(MissingValue, match=said) as caught:
        resolved(text)
    assert caught.value.near == near
    assert (f"did you mean {near!r}" in str(caught.value)) is (near is not None)


TRANSFORMED = {
    "boolean": ("yes", True),
    "bullets": (["a", 2], "- a\n- 2"),
    "chunks(2)": ([1, 2, 3], [[1, 2], [3]]),
    "compact": ([None, 0, "", False, [None], None], [0, "", False, [None]]),
    "first": ([4, 5], 4),
    "flat": ([[1], 2, [[3]]], [1, 2, [3]]),
    "from_json": ('{"a": [1]}', {"a": [1]}),
    "indent(2)": ("a\nb\n\nc", "a\n  b\n\n  c"),
    "integer": (" 42 ", 42),
    "join": (["a", 1, None], "a1"),
    "json": ({"ä": [1, "x"]}, '{"ä":[1,"x"]}'),
    "keys": ({"a": 1, "b": 2}, ["a", "b"]),
    "last": ([4, 5], 5),
    "length": ({"a": 1}, 1),
    "lines": ("a\nb", ["a", "b"]),
    "lower": ("ÄB", "äb"),
    "max": ([1, 3, 2], 3),
    "min": (["b", "a"], "a"),
    "number": ("2.5", 2.5),
    "reverse": ([1, 2], [2, 1]),
    "round(1)": (2.25, 2.2),
    "rows": ([{"a": 1}], [{"a": 1}]),
    "sort": ([2, 1.5], [1.5, 2]),
    "split(',')": ("a,b", ["a", "b"]),
    "sum": ([1, 2.5], 3.5),
    "text": ([1, None], "[1,null]"),
    "trim": (" a ", "a"),
    "unique": ([1, True, {"a": 1}, {"a": 1}, 1], [1, True, {"a": 1}]),
    "upper": ("ab", "AB"),
    "values": ({"a": 1, "b": 2}, [1, 2]),
}


def test_every_transform_is_shown():
    assert {name.partition("(")[0] for name in TRANSFORMED} == set(TRANSFORMS)


@pytest.mark.parametrize("transform", TRANSFORMED)
def test_a_transform_gives(transform):
    value, expected = TRANSFORMED[transform]
    given = parse(f"${{x | {transform}}}").resolve({"x": value}.__getitem__)
    assert given == expected
    assert json.dumps(given) == json.dumps(expected)


@pytest.mark.parametrize(
    ("transform", "value"),
    [
        ("integer", "abc"),
        ("integer", 1.5),
        ("integer", "9" * 2000),
        ("number", None),
        ("boolean", "maybe"),
        ("first", []),
        ("max", []),
        ("sort", [1, "a"]),
        ("sort", [{}, {}]),
        ("sum", ["x"]),
        ("lines", 5),
        ("keys", [1]),
        ("length", 5),
        ("from_json", "{"),
        ("from_json", "[" * 100_000),
        ("chunks(0)", [1]),
        ("split('')", "a"),
    ],
)
def test_a_value_that_a_transform_can_not_use_is_an_error_that_names_reference_and_transform(transform, value):
    with pytest.raises(UnusableValue, match=rf"^x \| {transform.partition('(')[0]}: "):
        parse(f"${{x | {transform}}}").resolve({"x": value}.__getitem__)


def test_of_several_transforms_those_up_to_the_one_that_fails_are_told():
    with pytest.raises(UnusableValue, match=r"^x\.y\[0\] \?\? … \| trim \| lines \| last: the list is empty$"):
        parse("${x.y[0] ?? 'no secret' | trim | lines | last | upper}").resolve({"x": {"y": [" "]}}.__getitem__)


@pytest.mark.parametrize("text", ["${a[store.n]}", "${a[n]}"])
def test_who_looks_up_by_a_value_in_a_reference_is_told_what_does(text):
    (error,) = syntax_errors(text)
    assert "a node of type set" in error.message
    assert "a node of type set" not in syntax_errors("${a[?]}")[0].message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.10"), "1.10"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ((1, "a"), '[1,"a"]'),
        ({1: Decimal(2)}, '{"1":"2"}'),
    ],
)
def test_values_of_databases_have_a_text(value, text):
    assert parse("<${x}>").resolve({"x": value}.__getitem__) == f"<{text}>"
    assert parse("${x}").resolve({"x": value}.__getitem__) is value


def test_a_table_is_a_list_of_objects_where_references_look_into_it():
    arrow = pa.table({"id": [1, 2, 3], "at": [date(2026, 1, day) for day in (1, 2, 3)]})
    table = Table(arrow.schema, arrow.to_batches(), arrow.num_rows, arrow.nbytes)
    look = {"t": table}.__getitem__
    assert parse("${t}").resolve(look) is table
    assert parse("${t | length}").resolve(look) == 3
    assert parse("${t[1].id} ${t[-1].at}").resolve(look) == "2 2026-01-03"
    assert parse("${t | first}").resolve(look) == {"id": 1, "at": "2026-01-01"}
    assert [row["id"] for row in parse("${t | rows}").resolve(look)] == [1, 2, 3]
    assert parse("<${t}>").resolve(look).startswith('<[{"id":1,"at":"2026-01-01"},')
    assert parse_condition("length(t) == 3 and t[0].id == 1 and length(t[0]) == 2").holds(look)
    with pytest.raises(MissingValue, match=r"no \[3\] in a list of 3"):
        parse("${t[3]}").resolve(look)


def test_a_value_that_holds_itself_has_no_text():
    loop = []
    loop.append(loop)
    with pytest.raises(UnusableValue, match="holds itself"):
        parse("<${x}>").resolve({"x": loop}.__getitem__)


def test_a_structure_that_is_nested_too_deeply_is_refused():
    deep = "x"
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ReferenceSyntaxError, match="nested"):
        parse(deep)


@given(st.text() | st.text("${}[]a.'\"?|\\ "))
def test_every_text_can_be_escaped(text):
    assert parse(escaped(text)).value == text


@given(VALUES)
def test_a_whole_reference_keeps_value_and_type(value):
    assert parse("${x}").resolve({"x": value}.__getitem__) is value
    assert parse("${x.y[0]}").resolve({"x": {"y": [value]}}.__getitem__) is value


@given(VALUES)
def test_every_json_value_is_a_literal_and_has_its_json_as_text(value):
    literal = json.dumps(value)
    assert json.dumps(parse(f"${{x.y ?? {literal}}}").resolve({"x": {}}.__getitem__)) == literal
    text = parse("<${x}>").resolve({"x": value}.__getitem__)[1:-1]
    if type(value) is str:
        assert text == value
    elif value is not None:
        assert json.loads(text) == value


@given(VALUES, st.lists(NAMES | st.integers(0, 3) | st.text(min_size=1, max_size=5), max_size=5))
def test_every_path_leads_to_what_is_there(value, steps):
    held = value
    for step in reversed(steps):
        held = {step: held} if isinstance(step, str) else [None] * step + [held]
    path = "".join(
        f".{step}" if isinstance(step, str) and step.isalpha() and step.isascii() else f"[{json.dumps(step)}]"
        for step in steps
    )
    template = parse(f"${{x{path}}}")
    assert template.references[0].steps == tuple(steps)
    assert template.resolve({"x": held}.__getitem__) is value


@given(st.text("${}[]ab.'\"?|\\ 0,-", max_size=30))
def test_any_text_is_read_or_refused_at_a_place_in_it(text):
    errors = syntax_errors(text)
    assert all(0 <= error.offset <= len(text) and error.message for error in errors)
    assert errors or isinstance(parse(text).references, tuple)
