"""Documents that show how a node type is used: made of its configuration, and tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.documents.model import RESERVED_NAMES
from pocketflow_otel.runtime.documents.schema import config_schema
from pocketflow_otel.runtime.registry.node_types import FunctionType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pocketflow_otel.runtime.registry.node_types import NodeType
    from pocketflow_otel.runtime.registry.registry import Registry

    Schema = Mapping[str, Any]

_NODE: Final = {"type": "template", "with": {"text": "Hello"}}
_EXPRESSION: Final = "1 < 2"


def example(kind: NodeType, registry: Registry) -> dict[str, Any] | None:
    """A small document with a node of a type: with what it has to be given, and no more. None if none can be made.

    Args:
        kind: The type.
        registry: The node types there are.
    """
    for given in _configurations(kind):
        document = _document(kind, given)
        if not faults_of(document, registry):
            return document
    return None


def _configurations(kind: NodeType) -> Iterator[dict[str, Any]]:
    """What a type may be given: the required fields; then with each of the others, since some take one of several."""
    schema = config_schema(kind)
    definitions = schema.get("$defs", {})
    properties: Mapping[str, Schema] = schema.get("properties", {})
    expressions = kind.expressions if isinstance(kind, FunctionType) else ()

    def of(name: str) -> Any:
        return _sample(properties[name], definitions, _under(name, list(expressions)))

    required = {name: of(name) for name in schema.get("required", ())}
    yield required
    for name in properties:
        if name not in required:
            yield {**required, name: of(name)}


def _document(kind: NodeType, given: dict[str, Any]) -> dict[str, Any]:
    name = kind.name.rpartition(":")[2].rpartition(".")[2].lower()
    node = {"type": kind.name, **({"with": given} if given else {})}
    connection = given.get("connection")
    declared = _connections(connection) if isinstance(connection, str) else {}
    return {"workflow": "example", **declared, "nodes": {**_referred_to(given), f"{name}_1": node}}


def _referred_to(given: dict[str, Any]) -> dict[str, Any]:
    """Nodes for what an example refers to."""
    from pocketflow_otel.runtime.expressions.references import parse

    heads = dict.fromkeys(reference.head for reference in parse(given).references)
    return {head: {"type": "python", "with": {"code": "return ..."}} for head in heads if head not in RESERVED_NAMES}


def _connections(name: str) -> dict[str, Any]:
    from pocketflow_otel.runtime.connections.errors import UnknownConnection
    from pocketflow_otel.runtime.connections.families import Families

    family = name.removeprefix("@").partition(".")[0]
    try:
        model = Families().get(family).config
    except UnknownConnection:
        return {}
    schema = model.model_json_schema()
    settings = {
        field: f"${{env.{family.upper()}_{field.upper()}}}"
        if schema["properties"][field].get("format") == "password"
        else _sample(schema["properties"][field], schema.get("$defs", {}), [])
        for field in schema.get("required", ())
    }
    return {"connections": {name.removeprefix("@"): settings}}


def _sample(schema: Schema, definitions: Mapping[str, Schema], expressions: list[tuple[str, ...]]) -> Any:
    """A value that fits a schema.

    Args:
        schema: The schema.
        definitions: What its references name.
        expressions: Where in the value expressions stand.
    """
    if () in expressions:
        return _EXPRESSION
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return dict(_NODE) if name == "Node" else _sample(definitions[name], definitions, expressions)
    if choices := schema.get("enum") or [schema[key] for key in schema if key == "const"]:
        return choices[0]
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    return (
        _sample(alternatives[0], definitions, expressions)
        if alternatives
        else _of_kind(schema, definitions, expressions)
    )


def _of_kind(schema: Schema, definitions: Mapping[str, Schema], expressions: list[tuple[str, ...]]) -> Any:
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        return {
            name: _sample(schema["properties"][name], definitions, _under(name, expressions))
            for name in schema.get("required", ())
        }
    if kind == "object":
        more = schema.get("additionalProperties")
        values = [*schema.get("patternProperties", {}).values(), *([more] if isinstance(more, dict) else []), {}]
        return {"name": _sample(values[0], definitions, _under("*", expressions))}
    if kind == "array":
        return [_sample(schema.get("items", {}), definitions, _under("*", expressions))]
    simple: dict[Any, Any] = {"integer": 1, "number": 1.0, "boolean": True}
    return schema.get("minimum", simple.get(kind, "text"))


def _under(step: str, expressions: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Where expressions stand in what is at a step."""
    return [path[1:] for path in expressions if path and path[0] in {step, "*"}]
