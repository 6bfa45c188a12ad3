"""The node types ``set``, ``template`` and ``condition``, as a plan calls them."""

import pytest
from pydantic import ValidationError

from pocketflow_otel.runtime.expressions.config import config_errors, parse_config
from pocketflow_otel.runtime.expressions.references import MissingValue, ReferenceSyntaxError, UnusableValue
from pocketflow_otel.runtime.nodes import condition, template
from pocketflow_otel.runtime.nodes import set as set_node

DATA = {"inputs": {"n": 5, "name": "Ada"}, "rows": [{"id": 1}, {"id": 2}], "a": {"x": None}}


def lookup(head):
    try:
        return DATA[head]
    except KeyError:
        raise MissingValue(f"nothing is called {head}") from None


def called(module, **config):
    node_type = module.NODE_TYPE
    resolved = parse_config(config, node_type.expressions).resolve(lookup)
    return node_type.call(node_type.config.model_validate(resolved), None)


def test_set_gives_values_and_what_expressions_give_for_the_store():
    assert set_node.NODE_TYPE.writes_store
    given = called(set_node, values={"who": "${inputs.name}", "rows": "${rows}"}, compute={"count": "length(rows) + 1"})
    assert given == {"who": "Ada", "rows": DATA["rows"], "count": 3}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "something to set"),
        ({"values": {"a": 1}, "compute": {"a": "1"}}, "each key once"),
        ({"values": {"_run": 1}}, "String should match pattern"),
        ({"compute": {"a": "len(x)"}}, "did you mean 'length'"),
        ({"compute": {"a": 5}}, "expected a condition or expression as a text"),
        ({"value": {}}, "Extra inputs"),
    ],
)
def test_set_refuses(config, said):
    with pytest.raises(ValidationError, match=said):
        set_node.NODE_TYPE.config.model_validate(config)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Dear ${inputs.name | upper},\n${rows | bullets}", 'Dear ADA,\n- {"id":1}\n- {"id":2}'),
        ("${inputs.n}", "5"),
        ("${a.x}", ""),
        ("no reference, $${one}", "no reference, ${one}"),
    ],
)
def test_template_gives_text(text, filled):
    assert called(template, text=text) == filled


def cases(*pairs, **others):
    return {"cases": [{"when": when, "action": action} for when, action in pairs], **others}


@pytest.mark.parametrize(
    ("config", "action"),
    [
        (cases(("inputs.n > 9", "big"), ("inputs.n > 3", "middle"), ("true", "small")), "middle"),
        (cases(("inputs.n > 9", "big"), otherwise="small"), "small"),
        (cases(("inputs.n > 9", "big")), "default"),
        (cases(("true", "to ${inputs.name}")), "to Ada"),
        (cases(("exists(rows)", "there"), ("nobody.x", "not looked at")), "there"),
    ],
)
def test_condition_chooses_the_first_case_that_holds(config, action):
    output = called(condition, **config)
    assert (output.body, output.action) == ({"action": action}, action)


@pytest.mark.parametrize(
    ("when", "error"), [("nobody.x", MissingValue), ("inputs.n", UnusableValue), ("inputs.name > 1", UnusableValue)]
)
def test_a_case_that_can_not_be_answered_is_an_error(when, error):
    with pytest.raises(error):
        called(condition, **cases((when, "a"), otherwise="b"))


def test_references_of_expressions_are_those_of_the_node_with_their_place():
    found = parse_config(cases(("rows[0].id > default(a.y, 1)", "${inputs.name}")), condition.NODE_TYPE.expressions)
    assert [(each.text, each.optional, each.at) for each in found.references] == [
        ("inputs.name", False, ("cases", 0, "action")),
        ("rows[0].id", False, ("cases", 0, "when")),
        ("a.y", True, ("cases", 0, "when")),
    ]


def test_all_that_can_not_be_read_is_told_with_its_place():
    config = cases(("len(rows) > 1", "a"), ("true", "${b"), ("x >", "c"))
    errors = config_errors(config, condition.NODE_TYPE.expressions)
    assert [(each.path, each.near) for each in errors] == [
        (("cases", 0, "when"), "length"),
        (("cases", 2, "when"), None),
        (("cases", 1, "action"), None),
    ]
    with pytest.raises(ReferenceSyntaxError, match="no function 'len'"):
        parse_config(config, condition.NODE_TYPE.expressions)


def test_the_document_is_left_as_it_is():
    config = cases(("true", "a"))
    parse_config(config, condition.NODE_TYPE.expressions).resolve(lookup)
    assert config == cases(("true", "a"))


@pytest.mark.parametrize(("module", "field"), [(set_node, "compute"), (condition, "when")])
def test_editors_see_expressions_as_texts(module, field):
    schema = str(module.NODE_TYPE.config.model_json_schema())
    assert "'type': 'string'" in schema.partition(f"'{field}'")[2][:200]
