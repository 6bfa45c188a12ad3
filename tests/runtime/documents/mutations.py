"""Plants faults into documents that have none: every kind of fault, at every place where it fits.

What a fault is planted into is a document's value; `WRITERS` write it down again, each in another style. Where the
planted fault then stands is looked up by another YAML reader than ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from pocketflow_otel.runtime.documents.fields import field_names
from pocketflow_otel.runtime.documents.model import BODIES, Defaults, Document, Edge, Input, Limits, Node, Retry
from pocketflow_otel.runtime.expressions.operators import ARGUMENTS
from pocketflow_otel.runtime.expressions.transforms import TRANSFORMS
from pocketflow_otel.runtime.registry.registry import Registry

Path = tuple[str | int, ...]

REGISTRY = Registry()
SPECIAL = ("inputs", "store", "output", "error", "run", "item", "index")
PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+|\[[^]]*\])*")
REFERENCE = re.compile(r"\$\{([^}]*)\}")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


@dataclass(frozen=True)
class Planted:
    """A document with a fault.

    Attributes:
        value: The document.
        path: Where the fault is.
        near: What was meant; None if nothing is near.
        part: The misspelt part of a text, if the fault is about that; it stands nowhere else.
        of_key: Whether the fault is about the key.
        what: What kind of fault it is.
    """

    value: Any
    path: Path
    near: str | None
    what: str
    part: str | None = None
    of_key: bool = False


def misspelt(name: str) -> str:
    """A name that is another, and looks like it."""
    middle = (len(name) + 1) // 2
    return f"{name[:middle]}q{name[middle:]}" if len(name) > 1 else f"{name}q{name}"


def at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def replaced(document: Any, path: Path, new: Any) -> Any:
    """The document with another value at a path."""
    made = deepcopy(document)
    at(made, path[:-1])[path[-1]] = new
    return made


def renamed(document: Any, path: Path, name: str) -> Any:
    """The document with another key at a path, in its place."""
    made = deepcopy(document)
    holder = at(made, path[:-1])
    items = [(name if key == path[-1] else key, item) for key, item in holder.items()]
    holder.clear()
    holder.update(items)
    return made


def without(document: Any, path: Path) -> Any:
    """The document without what is at a path."""
    made = deepcopy(document)
    del at(made, path[:-1])[path[-1]]
    return made


def scopes(document: Any) -> Iterator[tuple[Path, Any, str]]:
    """What holds nodes: where its fields are, these, and the name of the field with the nodes."""
    waiting: list[tuple[Path, Any, str]] = [((), document, "nodes")]
    while waiting:
        path, fields, key = waiting.pop()
        yield path, fields, key
        for name, node in fields[key].items():
            if node["type"] in BODIES and "do" in node["with"]:
                waiting.append(((*path, key, name, "with"), node["with"], "do"))


def nodes(document: Any) -> Iterator[tuple[Path, Any]]:
    for path, fields, key in scopes(document):
        for name, node in fields[key].items():
            yield (*path, key, name), node


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(item, (*path, step))


def planted(document: Any) -> Iterator[Planted]:
    """The document with each fault."""
    for kind in KINDS:
        yield from kind(document)


def fields(document: Any) -> Iterator[Planted]:
    """Fields of all parts, misspelt."""

    def of(path: Path, known: list[str]) -> Iterator[Planted]:
        for name in at(document, path):
            if name in known:
                wrong = misspelt(name)
                yield Planted(
                    renamed(document, (*path, name), wrong), (*path, wrong), name, "a misspelt field", of_key=True
                )

    yield from of((), field_names(Document))
    for name, model in (("limits", Limits), ("defaults", Defaults)):
        yield from of((name,), field_names(model)) if name in document else ()
    for name in document.get("inputs", {}):
        yield from of(("inputs", name), field_names(Input))
    for path, node in nodes(document):
        yield from of(path, field_names(Node))
        if isinstance(node.get("retry"), dict):
            yield from of((*path, "retry"), field_names(Retry))
        if ":" not in node["type"] and "with" in node:
            yield from of((*path, "with"), field_names(REGISTRY.get(node["type"]).config))
    for path, of_scope, _ in scopes(document):
        for number, _ in enumerate(of_scope.get("edges", ())):
            yield from of((*path, "edges", number), field_names(Edge))


def names_of_nodes(document: Any) -> Iterator[Planted]:
    """Names of nodes, misspelt where other nodes, edges and documents name them."""

    def of(path: Path, name: str) -> Planted:
        return Planted(replaced(document, path, misspelt(name)), path, name, "a misspelt node")

    for path, of_scope, key in scopes(document):
        if "start" in of_scope:
            yield of((*path, "start"), of_scope["start"])
        for number, edge in enumerate(of_scope.get("edges", ())):
            for field in ("from", "to"):
                yield of((*path, "edges", number, field), edge[field])
        for name, node in of_scope[key].items():
            for field in ("on_error", "undo"):
                if field in node:
                    yield of((*path, key, name, field), node[field])
            for number, need in enumerate(node.get("needs", ())):
                yield of((*path, key, name, "needs", number), need)


def types_and_connections(document: Any) -> Iterator[Planted]:
    for path, node in nodes(document):
        kind = node["type"]
        if ":" not in kind:
            wrong = misspelt(kind)
            yield Planted(replaced(document, (*path, "type"), wrong), (*path, "type"), kind, "a misspelt type")
        else:
            module, _, name = kind.partition(":")
            wrong = f"{module}:{misspelt(name)}"
            yield Planted(replaced(document, (*path, "type"), wrong), (*path, "type"), kind, "a misspelt function")
        if "connection" in node.get("with", {}):
            name = node["with"]["connection"]
            at_it = (*path, "with", "connection")
            yield Planted(replaced(document, at_it, misspelt(name)), at_it, name, "a misspelt connection")
    for name, settings in document.get("connections", {}).items():
        family, _, alias = name.partition(".")
        wrong = f"{misspelt(family)}.{alias}"
        yield Planted(
            renamed(document, ("connections", name), wrong),
            ("connections", wrong),
            family,
            "a misspelt family",
            of_key=True,
        )
        for field in settings:
            wrong = misspelt(field)
            where = ("connections", name, wrong)
            made = renamed(document, ("connections", name, field), wrong)
            yield Planted(made, where, field, "a misspelt setting", of_key=True)


def references(document: Any) -> Iterator[Planted]:
    """What references and conditions name, misspelt: the head, or what is taken of inputs, store and nodes."""
    for path, text in texts(document):
        if path[0] in {"workflow", "description", "inputs"} or path[-1] in {"code", "description", "type", "sql"}:
            continue
        spans = [match.span(1) for match in REFERENCE.finditer(text)]
        if not spans and is_expression(document, path):
            spans = [(0, len(text))]
        for begin, end in spans:
            yield from in_expression(document, path, text, begin, end, is_condition=not REFERENCE.search(text))


def is_expression(document: Any, path: Path) -> bool:
    return path[-1] == "when" or (len(path) > 1 and path[-2] == "compute")


def in_expression(
    document: Any, path: Path, text: str, begin: int, end: int, *, is_condition: bool
) -> Iterator[Planted]:
    quoted = [match.span() for match in QUOTED.finditer(text, begin, end)]
    for match in PATH.finditer(text, begin, end):
        if any(first <= match.start() < last for first, last in quoted):
            continue
        before = text[begin : match.start()].rstrip()
        words = match[0].split(".")
        name = words[0].partition("[")[0]
        known: Any = ARGUMENTS if is_condition else TRANSFORMS
        if name in {"and", "or", "not", "in", "none", "null", "true", "false"}:
            continue
        is_call = text[match.end() : match.end() + 1] == "("
        if is_call if is_condition else before.endswith("|"):
            if name in known:
                yield misspelt_at(document, path, text, match.start(), name, name, "a misspelt function")
            continue
        if len(name) > 2:
            yield misspelt_at(document, path, text, match.start(), name, name, "a misspelt reference")
        if len(words) > 1 and name in {"inputs", "store"} and re.fullmatch(r"\w{3,}.*", words[1]):
            member = re.match(r"\w+", words[1])[0]  # type: ignore[index]
            place = match.start() + len(name) + 1
            yield misspelt_at(document, path, text, place, member, member, f"a misspelt name in {name}", len(name) + 1)


def misspelt_at(
    document: Any, path: Path, text: str, begin: int, name: str, near: str, what: str, back: int = 0
) -> Planted:
    """The document with a misspelt name in a text; the fault stands so many characters before that."""
    wrong = misspelt(name)
    new = text[:begin] + wrong + text[begin + len(name) :]
    return Planted(replaced(document, path, new), path, near, what, part=text[begin - back : begin] + wrong)


def values(document: Any) -> Iterator[Planted]:
    """Values of a wrong kind, and out of their bounds."""

    def of(path: Path, new: Any, what: str) -> Planted:
        return Planted(replaced(document, path, new), path, None, what)

    for name in document.get("limits", {}):
        for new in (-1, 0, "many", [1], None if name == "parallel" else {}):
            yield of(("limits", name), new, "a wrong limit")
    for path, node in nodes(document):
        for field, wrongs in {
            "timeout": ("soon", 0, -3, 1e300, [5]),
            "retry": ({"tries": 0}, 3, "twice"),
            "needs": ("one", {"a": 1}),
            "visits": (0, "twice", 1.5),
            "priority": ("high", 0.5),
            "with": ([], "text", 5),
            "type": (5, None, ["set"]),
        }.items():
            for wrong in wrongs if field in node else ():
                planted_at: Path = (*path, field)
                where = (*planted_at, "tries") if isinstance(wrong, dict) and "tries" in wrong else planted_at
                yield Planted(replaced(document, planted_at, wrong), where, None, f"a wrong {field}")


def missing(document: Any) -> Iterator[Planted]:
    """Fields that are missing and can't be done without."""
    yield Planted(without(document, ("workflow",)), (), None, "no name", of_key=True)
    for path, _ in nodes(document):
        yield Planted(without(document, (*path, "type")), path, None, "no type", of_key=True)
    for path, of_scope, _ in scopes(document):
        for number, _ in enumerate(of_scope.get("edges", ())):
            for field in ("from", "to"):
                where = (*path, "edges", number)
                yield Planted(without(document, (*where, field)), where, None, f"an edge without {field}", of_key=True)


def orders(document: Any) -> Iterator[Planted]:
    """Edges twice, joins that can't be, nodes that no way leads to, fields of the other order."""
    for path, of_scope, key in scopes(document):
        edges = of_scope.get("edges", ())
        for edge in edges:
            made = deepcopy(document)
            at(made, path)["edges"].append(dict(edge))
            yield Planted(made, (*path, "edges", len(edges)), None, "an edge twice")
        for name, node in of_scope[key].items():
            where = (*path, key, name)
            if edges:
                made = replaced(document, (*where, "priority"), 2)
                yield Planted(made, (*where, "priority"), None, "a field of the other order", of_key=True)
            if node.get("needs"):
                for join in (len(node["needs"]) + 9, 0, -1, "some"):
                    made = replaced(document, (*where, "join"), join)
                    yield Planted(made, (*where, "join"), None, "a join that can't be")
                made = deepcopy(document)
                at(made, where)["needs"].append(node["needs"][0])
                yield Planted(made, (*where, "needs", len(node["needs"])), None, "a need twice")
        if edges:
            made = deepcopy(document)
            at(made, path)[key]["unreached"] = {"type": "template", "with": {"text": "hi"}}
            yield Planted(made, (*path, key, "unreached"), None, "a node that no way leads to", of_key=True)


KINDS = (fields, names_of_nodes, types_and_connections, references, values, missing, orders)


def dumper(style_of: Callable[[str], str | None]) -> type[yaml.SafeDumper]:
    """A YAML writer that writes everything out, and texts in a style of their own."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(writer: yaml.SafeDumper, value: str) -> Any:
        return writer.represent_scalar("tag:yaml.org,2002:str", value, style=style_of(value))

    Dumper.add_representer(str, text)
    return Dumper


# YAML 1.2 takes them for texts, but not the reader that looks places up.
OTHERS_BOOLEANS = {"on", "yes", "no", "off", "y", "n"}


def _yaml(style_of: Callable[[str], str | None], **options: Any) -> Callable[[Any], str]:
    made = dumper(style_of)
    return lambda document: str(yaml.dump(document, Dumper=made, sort_keys=False, allow_unicode=True, **options))


WRITERS: dict[str, Callable[[Any], str]] = {
    "literal blocks": _yaml(lambda text: "|" if "\n" in text else "'" if text in OTHERS_BOOLEANS else None),
    "folded blocks": _yaml(lambda text: ">" if " " in text else None, width=30),
    "flow": _yaml(lambda _: None, default_flow_style=True, width=70),
    "single quotes": lambda document: _yaml(lambda _: "'", width=40)(document).replace("\n", "\r\n"),
    "double quotes": lambda document: "# first\n\n" + _yaml(lambda _: '"', width=60, indent=4)(document),
    "JSON": lambda document: json.dumps(document, indent=2),
    "JSON in a line": lambda document: "\ufeff" + json.dumps(document, ensure_ascii=False, separators=(",", ":")),
}


def place_of(text: str, fault: Planted) -> tuple[int, int]:
    """The line and column where a planted fault stands."""
    node: Any = yaml.compose(text.removeprefix("\ufeff"), yaml.SafeLoader)
    key = node
    for step in fault.path:
        if isinstance(node, yaml.MappingNode):
            key, node = next(pair for pair in node.value if pair[0].value == step)
        else:
            key = node = node.value[step]
    mark = key.start_mark if fault.of_key else node.start_mark
    if fault.part is None:
        return mark.line + 1, mark.column + 1
    index = text.removeprefix("\ufeff").index(fault.part, node.start_mark.index)
    before = text.removeprefix("\ufeff")[:index]
    return before.count("\n") + 1, index - before.rfind("\n")
