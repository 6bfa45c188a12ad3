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
    for path, place in done.places:
        assert written_at(text, place.value) == value_at(document, path)
        if path and isinstance(path[-1], str):
            assert written_at(text, place.key) == path[-1]


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
    assert {path: place.value for path, place in done.places} == nodes


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
    assert list(slow.places) == list(fast.places)


def test_without_libyaml_depth_and_faults_are_told_likewise(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yaml.cyaml", None)

    assert [problem.message for problem in read("[" * 1000).problems] == ["it is nested too deeply; 64 levels are read"]
    assert read("a: 'b\n").problems[0].message.startswith("it is no YAML")
