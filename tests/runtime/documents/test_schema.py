"""The JSON Schema takes what can be run, and refuses what an editor can see is wrong."""

import jsonschema
import pytest
import yaml

from pocketflow_otel.runtime.connections.families import Families
from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.documents.examples import example
from pocketflow_otel.runtime.documents.schema import config_schema, document_schema
from pocketflow_otel.runtime.documents.text import read
from pocketflow_otel.runtime.registry.errors import NodeTypeError
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.documents.broken_documents import BROKEN
from runtime.documents.test_checks import VALID

REGISTRY = Registry()
SCHEMA = document_schema(REGISTRY)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", VALID)
def test_it_takes_what_can_be_run(name):
    assert [error.message for error in VALIDATOR.iter_errors(read(VALID[name]).value)] == []


def seen(name):
    """Whether an editor can see the fault: it is one of fields, kinds of values, and types that there are."""
    words = ("is no field here", "is missing", "expected", "there is no node type")
    unseen = (
        "expected a node",
        "expected a list, or",
        "no digit first",
        "expected 'continue'",
        "expected either",
        "expected the name",
        "expected module",
        "refer to env",
    )
    broken = BROKEN[name]
    return name.startswith(("fields", "types")) and any(
        word in broken.words and not broken.words.startswith(unseen) for word in words
    )


@pytest.mark.parametrize("name", [name for name in BROKEN if seen(name)])
def test_it_refuses_what_an_editor_can_see_is_wrong(name):
    value = read(BROKEN[name].text).value

    assert not VALIDATOR.is_valid(value)


@pytest.mark.parametrize(
    ("given", "valid"),
    [
        ({"path": "a.txt", "max_bytes": 5}, True),
        ({"path": "a.txt", "max_bytes": "${inputs.size}"}, True),
        ({"path": "a.txt", "max_bytes": "5"}, False),
        ({"path": "a.txt", "format": "${inputs.form}"}, True),
        ({"path": "a.txt", "format": "jsn"}, False),
    ],
)
def test_a_reference_stands_wherever_a_value_does(given, valid):
    document = {"workflow": "w", "nodes": {"a": {"type": "file.read", "with": given}}}

    assert VALIDATOR.is_valid(document) == valid


def test_fields_and_types_are_described():
    node = SCHEMA["$defs"]["Node"]["properties"]

    assert SCHEMA["properties"]["workflow"]["description"] == "Its name."
    assert node["with"]["description"].startswith("What its type is given")
    assert {"const": "file.read", "description": REGISTRY.get("file.read").summary} in node["type"]["anyOf"]


@pytest.mark.parametrize("name", REGISTRY.names())
def test_each_type_has_an_example_that_can_be_run(name):
    kind = REGISTRY.get(name)

    shown = example(kind, REGISTRY)

    assert shown is not None
    assert faults_of(yaml.safe_dump(shown), REGISTRY) == []
    assert VALIDATOR.is_valid(shown)


@pytest.mark.parametrize("name", REGISTRY.names())
def test_each_field_of_each_type_is_described(name):
    kind = REGISTRY.all()[name]
    assert not isinstance(kind, NodeTypeError)

    assert [field for field, part in config_schema(kind)["properties"].items() if not part.get("description")] == []


@pytest.mark.parametrize(
    ("name", "settings", "valid"),
    [
        ("http.news", {"base_url": "${env.NEWS_URL}", "timeout": 10}, True),
        ("http.main", {"base_url": "http://127.0.0.1"}, True),
        ("http.news", {"base_url": "http://127.0.0.1", "timeuot": 10}, False),
        ("http.main", {"base_url": "http://127.0.0.1", "timeuot": 10}, False),
        ("htp.news", {"base_url": "http://127.0.0.1"}, False),
        ("sqlite.local", {"path": "data.db"}, True),
    ],
)
def test_connections_have_the_settings_of_their_family(name, settings, valid):
    nodes = {"a": {"type": "template", "with": {"text": "hi"}}}

    assert VALIDATOR.is_valid({"workflow": "w", "connections": {name: settings}, "nodes": nodes}) == valid


def test_editors_can_propose_families_and_what_is_done_where_a_node_fails():
    assert set(SCHEMA["properties"]["connections"]["properties"]) == {f"{name}.main" for name in Families().names()}
    assert SCHEMA["$defs"]["Node"]["properties"]["on_error"]["anyOf"][0]["const"] == "continue"
