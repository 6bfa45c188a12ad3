"""``nodes``: the node types that workflow documents can name."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from pocketflow_otel.cli.choices import flag
from pocketflow_otel.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pocketflow_otel.runtime.registry.errors import NodeTypeError
    from pocketflow_otel.runtime.registry.node_types import NodeType
    from pocketflow_otel.runtime.registry.registry import Registry
    from pocketflow_otel.runtime.streams import Stdout

_NOT_WRITTEN: Final = 1
_UNKNOWN: Final = 2
_EXIT_CODES: Final = (
    "Exit codes: 0 when all was told; 1 when it could not be written; 2 for a type that there is not or that can't be "
    "used, and for a command line that makes no sense."
)
_WIDTH: Final = 100


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXIT_CODES)(nodes)


def nodes(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A node type, also module:Class or module:function.")
    ] = None,
    *,
    json: Annotated[bool, flag("--json", help="Write JSON.")] = False,
) -> None:
    """List the node types of workflow documents, or explain one: what it is given, what it gives, an example."""
    from pocketflow_otel.runtime.registry.registry import Registry
    from pocketflow_otel.runtime.streams import Stdout

    # What brings node types is imported, and may print.
    stdout = Stdout.divert()
    registry = Registry()
    if name is None:
        _write(_listed_json(registry) if json else _listed(registry), stdout)
    else:
        kind, obstacle = _find(registry, name)
        _write(_json(_described(kind, registry)) if json else _explained(kind, registry), stdout)
        if obstacle is not None:
            _refuse(obstacle)


def _find(registry: Registry, name: str) -> tuple[NodeType, NodeTypeError | None]:
    """A type, and, if it lacks a library, what is to be done about that."""
    from pathlib import Path

    from pocketflow_otel.runtime.registry.registry import NodeTypeError

    try:
        return registry.get(name, Path()), None
    except NodeTypeError as error:
        if (kind := _kind_of(error)) is None:
            _refuse(error)
        return kind, error


def _kind_of(found: NodeType | NodeTypeError) -> NodeType | None:
    """What can be told: the type, also one that only lacks a library."""
    from pocketflow_otel.runtime.registry.registry import NodeTypeError, UnusableType

    if isinstance(found, UnusableType):
        return found.kind
    return None if isinstance(found, NodeTypeError) else found


def _refuse(error: NodeTypeError) -> NoReturn:
    say(f"pocketflow-otel: {error}")
    raise typer.Exit(_UNKNOWN) from None


def _write(content: str, stdout: Stdout) -> None:
    try:
        stdout.write(content, "-")
    except OSError as error:
        say(f"pocketflow-otel: cannot write to standard output: {error.strerror}")
        raise typer.Exit(_NOT_WRITTEN) from None


def _json(value: Any) -> str:
    from json import dumps

    return dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _listed(registry: Registry) -> str:
    from pocketflow_otel.runtime.registry.registry import NodeTypeError

    types = registry.all()
    width = max(map(len, types))
    lines = []
    for name, found in types.items():
        kind = _kind_of(found)
        lines += [f"{name:<{width}}  {kind.summary}"] if kind is not None else []
        if isinstance(found, NodeTypeError):
            lines.append(f"{name if kind is None else '':<{width}}  cannot be used: {found}")
    more = "and PocketFlow classes and functions, as module:Class and module:function"
    return "\n".join([*lines, f"{'':<{width}}  {more}", ""])


def _listed_json(registry: Registry) -> str:
    from pocketflow_otel.runtime.registry.registry import NodeTypeError

    return _json(
        [
            {
                "name": name,
                "summary": "" if (kind := _kind_of(found)) is None else kind.summary,
                "unusable": str(found) if isinstance(found, NodeTypeError) else None,
            }
            for name, found in registry.all().items()
        ]
    )


def _described(kind: NodeType, registry: Registry) -> dict[str, Any]:
    from pocketflow_otel.runtime.documents.examples import example
    from pocketflow_otel.runtime.documents.schema import config_schema

    return {
        "name": kind.name,
        "summary": kind.summary,
        "with": config_schema(kind),
        "output": getattr(kind, "output", ""),
        "actions": list(getattr(kind, "actions", ())),
        "permission": getattr(kind, "permission", None),
        "example": example(kind, registry),
    }


def _explained(kind: NodeType, registry: Registry) -> str:
    described = _described(kind, registry)
    return "\n".join([*_paragraphs(described), ""])


def _paragraphs(described: Mapping[str, Any]) -> Iterator[str]:
    summary = described["summary"]
    yield f"{described['name']}: {summary}" if summary else described["name"]
    yield ""
    yield "with:"
    yield from _fields(described["with"])
    for title in ("output", "actions", "permission"):
        if said := described[title]:
            yield ""
            yield f"{title}: {said if isinstance(said, str) else ', '.join(said)}"
    if (shown := described["example"]) is not None:
        import yaml

        yield ""
        yield "example:"
        yield textwrap.indent(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=_WIDTH), "  ").rstrip()


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    from json import dumps

    required = schema.get("required", ())
    properties = schema.get("properties", {})
    if not properties:
        yield "  nothing" if schema.get("additionalProperties") is False else "  any fields"
    for name, part in properties.items():
        default = f"default {dumps(part['default'], ensure_ascii=False)}" if "default" in part else "optional"
        yield f"  {name}: {_kind(part, schema.get('$defs', {}))}, {'required' if name in required else default}"
        if said := part.get("description"):
            yield from textwrap.wrap(said, _WIDTH, initial_indent="      ", subsequent_indent="      ")


_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}


def _kind(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a value is, in a few words."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = [_kind(one, definitions) for one in schema[key] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "$ref" in schema:
        return _kind(definitions.get(str(schema["$ref"]).rpartition("/")[2], {}), definitions)
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_kind(schema['items'], definitions)}"
    return _KINDS.get(str(schema.get("type")), "any value")
