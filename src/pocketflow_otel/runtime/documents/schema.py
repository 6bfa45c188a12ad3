"""JSON Schema of documents, for editors: with the node types there are, and what each is given."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import PydanticJsonSchemaWarning, models_json_schema

from pocketflow_otel.runtime.connections.errors import UnknownConnection
from pocketflow_otel.runtime.connections.families import Families
from pocketflow_otel.runtime.documents.fields import field_names, models_in
from pocketflow_otel.runtime.documents.model import BODIES, CONNECTION_PATTERN, Document, Node
from pocketflow_otel.runtime.registry import docstrings
from pocketflow_otel.runtime.registry.registry import NodeTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from pocketflow_otel.runtime.registry.node_types import NodeType
    from pocketflow_otel.runtime.registry.registry import Registry

    Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "Reference"
_SAID: Final = frozenset({"description", "default", "examples"})
_ALIAS: Final = CONNECTION_PATTERN.partition(r"\.")[2].removesuffix("$")
_IMPORTED: Final = r"^[^:\s]+:[^:\s]+$"


def document_schema(registry: Registry) -> Schema:
    """The schema of documents.

    Args:
        registry: The node types there are.
    """
    types = {name: kind for name, kind in registry.all().items() if not isinstance(kind, NodeTypeError)}
    families = dict(_families())
    bodies: list[type[BaseModel]] = [Document, *BODIES.values()]
    configs = {name: kind.config for name, kind in types.items()}
    models = list(
        dict.fromkeys(inner for model in [*bodies, *configs.values(), *families.values()] for inner in models_in(model))
    )
    definitions, names = _definitions(models)
    own = {inner for model in bodies for inner in models_in(model)}
    for model in models:
        _describe(definitions[names[model]], model)
        if model not in own:
            _open_properties(definitions[names[model]])
    definitions[_REFERENCE] = {
        "type": "string",
        "pattern": r"\$\{",
        "description": "A reference, such as ${fetch.text}; it is resolved before the node runs.",
    }
    _complete_node(definitions[names[Node]], types, {name: names[model] for name, model in configs.items()})
    document = definitions.pop(names[Document])
    _complete_connections(
        document["properties"]["connections"], {name: names[model] for name, model in families.items()}
    )
    schema = {"$schema": DIALECT, **document, "title": "Workflow", "$defs": definitions}
    _close_names(schema)
    return schema


def config_schema(kind: NodeType) -> Schema:
    """The schema of what a node type is given, references aside."""
    definitions, names = _definitions(models_in(kind.config))
    for model in models_in(kind.config):
        _describe(definitions[names[model]], model)
    return {**definitions.pop(names[kind.config]), **({"$defs": definitions} if definitions else {})}


def _definitions(models: list[type[BaseModel]]) -> tuple[dict[str, Schema], dict[type[BaseModel], str]]:
    """The schemas of models by the names they get, and these names by model."""
    with warnings.catch_warnings():
        # Functions of users may have defaults that JSON doesn't know; they are left out.
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
        refs, schema = models_json_schema([(model, "validation") for model in models])
    names = {model: str(refs[model, "validation"]["$ref"]).rpartition("/")[2] for model in models}
    return schema["$defs"], names


def _describe(schema: Schema, model: type[BaseModel]) -> None:
    """Puts what the docstring says of each field where editors look for it, and takes out what they needn't show."""
    said = docstrings.parameters(model)
    summary = docstrings.summary(model)
    schema.pop("title", None)
    schema.pop("description", None)
    if summary:
        schema["description"] = summary
    for (attribute, field), name in zip(model.model_fields.items(), field_names(model), strict=True):
        part = schema["properties"][name]
        part.pop("title", None)
        description = field.description or said.get(attribute)
        if description:
            part["description"] = description
        if "$ref" in part or part.get("default", ...) is None:
            part.pop("default", None)


def _open_properties(schema: Schema) -> None:
    """Lets references stand wherever a value does."""
    for name, part in schema.get("properties", {}).items():
        schema["properties"][name] = _opened(part)
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _opened(schema["additionalProperties"])


def _opened(schema: Schema) -> Schema:
    """A schema that takes references too, at every depth."""
    inner = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(inner.get(key), dict):
            inner[key] = _opened(inner[key])
    if "patternProperties" in inner:
        inner["patternProperties"] = {name: _opened(one) for name, one in inner["patternProperties"].items()}
    for key in ("anyOf", "oneOf"):
        if key in inner:
            inner[key] = [_opened_inside(one) for one in inner[key]]
    if _takes_references(inner):
        return inner
    said: Schema = {key: inner.pop(key) for key in _SAID if key in inner}
    return {"anyOf": [inner, {"$ref": f"#/$defs/{_REFERENCE}"}], **said}


def _opened_inside(schema: Schema) -> Schema:
    """One of several schemas: what is in it takes references; that the whole may be one is said once for all."""
    opened = _opened(schema)
    alternatives = opened.get("anyOf", [])
    reference = {"$ref": f"#/$defs/{_REFERENCE}"}
    return alternatives[0] if len(alternatives) == 2 and alternatives[1] == reference else opened  # noqa: PLR2004


def _takes_references(schema: Schema) -> bool:
    """Whether any text will do already."""
    if not schema.keys() - _SAID:
        return True
    if schema.get("type") == "string":
        return not schema.keys() & {"pattern", "enum", "const", "format", "maxLength"}
    return any(_takes_references(one) for one in schema.get("anyOf", []))


def _close_names(schema: Any) -> None:
    """Where names have a pattern, others are none."""
    if isinstance(schema, list):
        for one in schema:
            _close_names(one)
    elif isinstance(schema, dict):
        if "patternProperties" in schema:
            schema.setdefault("additionalProperties", False)
        for one in schema.values():
            _close_names(one)


def _complete_node(schema: Schema, types: dict[str, NodeType], names: dict[str, str]) -> None:
    """Says of each type what ``with`` holds."""
    schema["properties"]["type"] = {
        "description": schema["properties"]["type"]["description"],
        "anyOf": [
            *({"const": name, "description": kind.summary} for name, kind in types.items()),
            {
                "type": "string",
                "pattern": _IMPORTED,
                "description": "A class or function: module:Class, module:function",
            },
        ],
    }
    on_error = schema["properties"]["on_error"]
    on_error["anyOf"].insert(
        0, {"const": "continue", "description": "The flow goes on; fallback stands for its output."}
    )
    schema["allOf"] = [_given(name, kind.config, names[name]) for name, kind in types.items()]


def _families() -> Iterator[tuple[str, type[BaseModel]]]:
    """The settings of connections, by family."""
    families = Families()
    for name in families.names():
        try:
            yield name, families.get(name).config
        except UnknownConnection:
            # It is told where a document has a connection of it.
            continue


def _complete_connections(schema: Schema, names: dict[str, str]) -> None:
    """Says of each family what its settings are."""
    settings = {name: {"$ref": f"#/$defs/{definition}"} for name, definition in names.items()}
    schema["patternProperties"] = {rf"^{name}\.{_ALIAS}$": setting for name, setting in settings.items()}
    # Editors propose no names that are patterns.
    schema["properties"] = {f"{name}.main": setting for name, setting in settings.items()}


def _given(name: str, config: type[BaseModel], definition: str) -> Schema:
    then: Schema = {"properties": {"with": {"$ref": f"#/$defs/{definition}"}}}
    if any(field.is_required() for field in config.model_fields.values()):
        then["required"] = ["with"]
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}
