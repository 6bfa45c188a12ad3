"""Whatever a document's text looks like, the places of its parts are where they are written."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.runtime.documents.places import Places
from pocketflow_otel.runtime.documents.text import read

PRINTABLE = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufeff\u2028\u2029\ufffe\uffff")
TEXTS = st.text(PRINTABLE, max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
DOCUMENTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)


def rest_at(text: str, line: int, column: int) -> str:
    """What stands from a place on."""
    return "\n".join(text.split("\n")[line - 1 :])[column - 1 :]


def value_at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def written_at(text: str, mark: tuple[int, int]) -> Any:
    """The value that JSON text has at a place."""
    return json.JSONDecoder().raw_decode(rest_at(text, *mark))[0]


@given(DOCUMENTS, st.sampled_from([None, 0, 1, 4]), st.booleans())
def test_at_a_place_of_json_stands_the_key_and_the_value(document, indent, ascii_only):
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)

    done = read(text)

    assert (done.value, done.problems, done.whole) == (document, (), True)
    for path in done.places:
        assert written_at(text, done.places.value(path)) == value_at(document, path)
        if path and isinstance(path[-1], str):
            assert written_at(text, done.places.key(path)) == path[-1]


# Texts that YAML 1.1 would not take for numbers, and YAML 1.2 neither.
PLAIN = TEXTS.map("k".__add__)
YAML_VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4)
)


@given(st.dictionaries(PLAIN, YAML_VALUES, min_size=1, max_size=4), st.booleans())
def test_at_a_place_of_yaml_stands_the_value(document, flow):
    text = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True, sort_keys=False)

    done = read(text)

    assert (done.problems, done.whole) == ((), True)
    nodes = dict(composed(yaml.compose(text, yaml.SafeLoader)))
    assert {path: done.places.value(path) for path in done.places} == nodes


def composed(node: Any, path: tuple[str | int, ...] = ()) -> Any:
    """The paths and places of a document, as another reader sees them."""
    yield path, (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from composed(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from composed(value, (*path, index))


@given(st.text(PRINTABLE | st.sampled_from("\n\t-:{}[]&*!|>'\"#%@`,?"), max_size=80))
def test_any_text_is_read_or_told_to_be_none(text):
    done = read(text)

    assert done.whole or done.problems


def test_what_an_alias_stands_for_is_where_it_was_written_and_the_alias_where_it_stands():
    done = read("first: &it\n  deep: [1, 2]\nsecond: *it\n")

    assert done.value == {"first": {"deep": [1, 2]}, "second": {"deep": [1, 2]}}
    assert done.places.value(("second",)) == (3, 9)
    assert done.places.key(("second",)) == (3, 1)
    assert done.places.value(("second", "deep", 1)) == done.places.value(("first", "deep", 1)) == (2, 13)


NAME = "needle"
WORDS = st.lists(st.text("a\"'\\/é😀:#${} \t", max_size=6) | st.just("\n"), max_size=8).map("".join)


def block(style: str, text: str) -> str:
    """A block scalar, with an indentation of its own."""
    return f"{style}2\n" + "\n".join(f"  {line}" for line in text.split("\n")) + "\n"


SPELLINGS = {
    "JSON": lambda text: json.dumps(text, ensure_ascii=False),
    "double quotes, folded": lambda text: yaml.safe_dump(text, default_style='"', width=8, allow_unicode=True),
    "single quotes, folded": lambda text: yaml.safe_dump(text, default_style="'", width=8, allow_unicode=True),
    "a literal block": lambda text: block("|", text),
    "a folded block": lambda text: block(">", text),
    "plain, over lines": lambda text: f"begin\n\n  {NAME.join(['', ' and more'])}\n    still more",
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("anchor", ["", "&it "])
@pytest.mark.parametrize("spelling", SPELLINGS)
@given(before=WORDS, after=WORDS)
def test_within_a_text_each_part_is_found_where_it_is_written(spelling, anchor, line_end, before, after):
    text = f"top: 1\nk: {anchor}{SPELLINGS[spelling](before + NAME + after)}"
    text = text.replace("\n", line_end)

    done = read(text)

    assert done.problems == ()
    mark = done.places.within(("k",), done.value["k"].index(NAME))
    assert rest_at(text, *mark).startswith(NAME)


@given(before=WORDS, after=WORDS)
def test_within_a_text_of_json_that_is_all_escapes_each_part_is_found_too(before, after):
    text = json.dumps({"😀": 1, "k": before + NAME + after})

    assert rest_at(text, *read(text).places.within(("k",), len(before))).startswith(NAME)


def test_what_is_no_text_or_has_no_place_of_its_own_is_told_as_a_whole():
    places = read("a: [1, 2]\nb: &b text\nc: *b\n").places

    assert places.within(("a", 1), 5) == (1, 8)
    assert places.within(("a", "x", "y"), 5) == (1, 4)
    assert places.within(("c",), 2) == (3, 4)
    assert Places().within(("a",), 0) == (0, 0)


def test_line_ends_of_all_kinds_end_lines_and_no_other_character_does():
    places = read("a: '\u2028'\rb: 1\r\nc: 2\nd: 3\n").places

    assert [places.key((name,)) for name in "abcd"] == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_fields_that_are_merged_stand_where_they_were_written_and_those_beside_go_before():
    done = read("one: &one {x: 1, y: 2}\ntwo: &two\n  y: 3\n  z: 4\nall: {y: 5, <<: [*one, *two]}\nsome:\n  <<: *two\n")

    assert done.problems == ()
    assert done.value["all"] == {"y": 5, "x": 1, "z": 4}
    assert done.value["some"] == {"y": 3, "z": 4}
    assert done.places.key(("all", "y")) == (5, 7)
    assert done.places.key(("all", "x")) == (1, 12)
    assert done.places.value(("some", "z")) == done.places.value(("all", "z")) == (4, 6)


def test_what_has_no_place_has_that_of_what_is_around_it():
    done = read("nodes:\n  a: {type: set}\n")

    assert done.places.key(("nodes", "a", "with", "values")) == (2, 3)
    assert Places().key(("nodes",)) == (0, 0)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("010", 10),
        ("0o17", 15),
        ("0xfF", 255),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("+12", 12),
        ("-0", 0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e3", -1500.0),
        ("1e3", 1000.0),
        (".", "."),
        ("-", [None]),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("'5'", "5"),
        ('"true"', "true"),
        ("=", "="),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written, value):
    read_value = read(f"a: {written}\n" if written != "-" else "a:\n- \n").value["a"]

    assert (read_value, type(read_value)) == (value, type(value))


def test_without_libyaml_the_same_is_read(monkeypatch):
    text = "a: &x [1, 'b', {c: d:e}]\nb: *x\nc: |\n  two\n  lines\n"
    fast = read(text)
    monkeypatch.setitem(__import__("sys").modules, "yaml.cyaml", None)

    slow = read(text)

    assert slow.value == fast.value == {"a": [1, "b", {"c": "d:e"}], "b": [1, "b", {"c": "d:e"}], "c": "two\nlines\n"}
    assert [slow.places.value(path) for path in slow.places] == [fast.places.value(path) for path in fast.places]


def test_without_libyaml_depth_and_faults_are_told_likewise(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yaml.cyaml", None)

    assert [problem.message for problem in read("[" * 1000).problems] == ["it is nested too deeply; 64 levels are read"]
    assert read("a: 'b\n").problems[0].message.startswith("it is no YAML")
