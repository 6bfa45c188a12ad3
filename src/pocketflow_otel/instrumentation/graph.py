"""A flow's graph: which nodes it holds, how they are called, and where they are defined.

PocketFlow copies a node before each visit, so a node is recognised by its ``successors``: the copies share that
one dict.
"""

from __future__ import annotations

import json
import linecache
import re
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pocketflow_otel.capture.instances import instance_attributes
from pocketflow_otel.semconv import DEFAULT_ACTION

if TYPE_CHECKING:
    from pocketflow_otel.instrumentation.classes import Classes

MAX_GRAPH_BYTES: Final = 16 * 1024
_MAX_NODES: Final = 1000
_MAX_NAME: Final = 128

SafeText = Callable[[object], str]
"""Makes a key, action or name fit to be shown: short, valid Unicode, no secret."""


def successors_of(node: object) -> dict[Any, Any]:
    """A node's successors by action; the dict itself, which all copies of the node share."""
    successors = instance_attributes(node).get("successors")
    return successors if type(successors) is dict else {}


def own_name(node: object, class_name: str) -> str:
    """A node's or flow's name: its instance attribute ``name`` if that is a non-empty string, else its class's name."""
    name = instance_attributes(node).get("name")
    return name if type(name) is str and name else class_name


def starts(flow: object) -> list[object]:
    """The nodes a flow begins with: its start node; of a flow that has several at once, its ``start_nodes``."""
    attributes = instance_attributes(flow)
    several = attributes.get("start_nodes")
    return list(several) if type(several) is list else [attributes.get("start_node")]


def _is_ordered_by_data(flow: object) -> bool:
    """Whether its nodes have successors because these need what they give, whatever action they choose."""
    return "start_nodes" in instance_attributes(flow)


class Member(NamedTuple):
    """A node of a graph."""

    name: str
    node: object
    successors: dict[Any, Any]


def walk(starts: list[object], named: Callable[[object], str]) -> Iterator[Member]:
    """The nodes reached from where a flow begins, breadth first, with names that are unique among them.

    Args:
        starts: The nodes it begins with; None among them is no node.
        named: A node's own name.
    """
    taken: dict[str, int] = {}
    seen: set[int] = set()
    waiting = deque(starts)
    while waiting and len(seen) < _MAX_NODES:
        node = waiting.popleft()
        if node is None:
            continue
        successors = successors_of(node)
        if id(successors) in seen:
            continue
        seen.add(id(successors))
        yield Member(unique(named(node), taken), node, successors)
        waiting.extend(list(successors.values()))


def unique(name: str, taken: dict[str, int]) -> str:
    """Makes a name unique: ``Ask``, then ``Ask#2``."""
    number = taken.get(name, 0) + 1
    taken[name] = number
    return name if number == 1 else f"{name}#{number}"


class SourcePlace(NamedTuple):
    """Where a class is defined."""

    qualified_name: str
    file: str | None
    line: int | None


_places: Final[dict[int, tuple[weakref.ref[type], SourcePlace]]] = {}


def source_place(cls: type) -> SourcePlace:
    """Where a class is defined, remembered for as long as the class lives."""
    known = _places.get(id(cls))
    if known is not None and known[0]() is cls:
        return known[1]
    key = id(cls)
    place = _find_source_place(cls)
    _places[key] = (weakref.ref(cls, lambda _: _places.pop(key, None)), place)
    return place


def _find_source_place(cls: type) -> SourcePlace:
    module, qualified = cls.__dict__.get("__module__"), type.__dict__["__qualname__"].__get__(cls)
    name = f"{module}.{qualified}" if isinstance(module, str) else str(qualified)
    # A method's code tells the file even for classes of __main__ and of notebooks; it comes after the class's line.
    codes = [function.__code__ for function in map(_function, list(cls.__dict__.values())) if function is not None]
    codes = [code for code in codes if f"{qualified}." in code.co_qualname]
    file = codes[0].co_filename if codes else getattr(sys.modules.get(str(module)), "__file__", None)
    if not isinstance(file, str):
        return SourcePlace(name, None, None)
    line = getattr(cls, "__firstlineno__", None)  # Python 3.13
    if not isinstance(line, int):
        before = min((code.co_firstlineno for code in codes), default=None)
        line = _class_line(file, cls.__name__, before)
    return SourcePlace(name, file, line)


def _function(value: Any) -> Any:
    # Whatever else stands in a class is the program's, and none of its code is run.
    if type(value) is staticmethod or type(value) is classmethod:
        value = value.__func__
    if type(value) is not FunctionType:
        return None
    wrapped = value.__dict__.get("__wrapped__")  # ours are among these
    return wrapped if type(wrapped) is FunctionType else value


def _class_line(file: str, name: str, before: int | None) -> int | None:
    """The line of a class statement: the last one before its first method, which inspect takes milliseconds to find."""
    statement = re.compile(rf"\s*class\s+{re.escape(name)}\b")
    lines = linecache.getlines(file)
    numbers = [number for number, line in enumerate(lines[:before], 1) if statement.match(line)]
    if not numbers:
        return None
    return numbers[-1] if before is not None else numbers[0]


def describe(flow: object, classes: Classes, safe: SafeText) -> tuple[str, bool]:
    """A flow's graph as JSON: its nodes, the edges between them, and the graphs of the flows among its nodes.

    Args:
        flow: The outermost flow.
        classes: What is known of classes.
        safe: Makes names and actions fit to be shown.

    Returns:
        The JSON, at most `MAX_GRAPH_BYTES` bytes, and whether something had to be left out for that.
    """
    graph = _Describer(classes, safe).graph(flow, ())
    text = _dump(graph)
    if len(text) <= MAX_GRAPH_BYTES:
        return text, False
    _drop_places(graph)
    text = _dump(graph)
    while len(text) > MAX_GRAPH_BYTES and graph["nodes"]:
        # Nodes far from the start go first; edges that lose an end go with them.
        kept = graph["nodes"] = graph["nodes"][: len(graph["nodes"]) * MAX_GRAPH_BYTES // (len(text) + 1)]
        names = {node["id"] for node in kept}
        graph["edges"] = [edge for edge in graph["edges"] if edge["from"] in names and edge["to"] in (*names, None)]
        graph["omitted"] = True
        text = _dump(graph)
    return text, True


def _dump(graph: dict[str, Any]) -> str:
    # ASCII, so that its length in characters is its length in bytes.
    return json.dumps(graph, separators=(",", ":"))


def _drop_places(graph: dict[str, Any]) -> None:
    for node in graph["nodes"]:
        node.pop("file", None)
        node.pop("line", None)
        if "flow" in node:
            _drop_places(node["flow"])


class _Describer:
    def __init__(self, classes: Classes, safe: SafeText) -> None:
        self._classes = classes
        self._safe = safe

    def graph(self, flow: object, around: tuple[int, ...]) -> dict[str, Any]:
        members = list(walk(starts(flow), self._name))
        by_data = _is_ordered_by_data(flow)
        names = {id(member.successors): member.name for member in members}
        inside = (*around, id(successors_of(flow)))
        return {
            "nodes": [self._node(member, inside) for member in members],
            "edges": [
                {
                    "from": member.name,
                    "action": DEFAULT_ACTION if by_data else self._safe(action),
                    "to": self._target(target, names),
                }
                for member in members
                for action, target in list(member.successors.items())
            ],
        }

    def _name(self, node: object) -> str:
        return self._safe(own_name(node, self._classes.info(type(node)).name))

    def _target(self, node: object, names: dict[int, str]) -> str | None:
        return None if node is None else names.get(id(successors_of(node)))

    def _node(self, member: Member, around: tuple[int, ...]) -> dict[str, Any]:
        info = self._classes.info(type(member.node))
        place = source_place(type(member.node))
        node: dict[str, Any] = {"id": member.name, "class": place.qualified_name, "kind": info.kind or "node"}
        if place.file is not None:
            node["file"] = place.file
        if place.line is not None:
            node["line"] = place.line
        # A flow may hold itself.
        if info.is_flow and id(member.successors) not in around:
            node["flow"] = self.graph(member.node, around)
        return node
