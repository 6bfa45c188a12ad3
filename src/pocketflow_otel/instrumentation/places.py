"""A node's place in a flow: its name there, how closely it is traced, and how often it was visited."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pocketflow_otel import semconv
from pocketflow_otel.instrumentation import graph
from pocketflow_otel.instrumentation.selection import Level

if TYPE_CHECKING:
    from pocketflow_otel.instrumentation.classes import ClassInfo
    from pocketflow_otel.instrumentation.tracing import Tracing


class Place:
    """Where a node or flow stands.

    Attributes:
        name: Its name, unique in its flow.
        level: How closely it is traced.
        is_plain: Whether no pattern speaks of it.
        span_name: The name of its spans.
        attributes: What is told of each of its visits at the start.
        inside: What is told of the rounds, items and tries inside a visit: whose they are, and of which kind, without
            which Phoenix and MLflow call them unknown and Langfuse's client drops them.
        metric_attributes: What its metrics are kept by.
        numbers: Numbers its visits, from 1, safely under threads.
        successors: Its successors by action; held, so that the identity by which it is known is given to no other.
        routes: What was found out of the successors followed so far, by what ``post`` returned: the node, and the
            attributes that tell the action and where it leads.
        visits: How often it was visited in this run of the flow.
    """

    __slots__ = ("attributes", "inside", "is_plain", "level", "metric_attributes", "name", "numbers", "policy",
                 "routes", "span_name", "successors", "visits")  # fmt: skip

    def __init__(
        self,
        tracing: Tracing,
        info: ClassInfo,
        name: str,
        successors: dict[Any, Any],
        *,
        flow_name: str | None = None,
        class_name: str | None = None,
    ) -> None:
        self.name = name
        self.successors = successors
        self.routes: dict[str | None, tuple[object, dict[str, Any]]] = {}
        self.visits = 0
        self.numbers = itertools.count(1)
        self.level = tracing.selection.level(name, info.name, outermost=flow_name is None and info.is_flow)
        self.is_plain = self.level is Level.NORMAL
        self.policy = tracing.policy(self.level)
        in_flow = flow_name is not None
        is_node = in_flow or not info.is_flow
        operation = semconv.SPAN_FLOW if info.is_flow else semconv.SPAN_NODE
        self.span_name = f"{operation} {name}"
        self.attributes: dict[str, Any] = {semconv.OPERATION_NAME: operation}
        self.metric_attributes: dict[str, str] = {}
        if info.is_flow:
            self.attributes[semconv.WORKFLOW_NAME] = self.metric_attributes[semconv.WORKFLOW_NAME] = name
        if is_node:
            self.attributes[semconv.NODE_NAME] = self.attributes[semconv.GRAPH_NODE_ID] = name
        if not info.is_flow:
            self.metric_attributes[semconv.NODE_NAME] = name
            if flow_name is not None:
                self.metric_attributes[semconv.WORKFLOW_NAME] = flow_name
        own_name = semconv.WORKFLOW_NAME if info.is_flow else semconv.NODE_NAME
        self.inside = {own_name: name, semconv.OPENINFERENCE_KIND: semconv.OPENINFERENCE_CHAIN}
        self.attributes[semconv.OPENINFERENCE_KIND] = semconv.OPENINFERENCE_CHAIN
        if info.kind and (is_node or info.kind != "flow"):
            self.attributes[semconv.NODE_KIND] = info.kind
        if class_name is not None:
            self.attributes[semconv.NODE_CLASS] = class_name

    @classmethod
    def alone(cls, tracing: Tracing, info: ClassInfo, instance: object, attributes: dict[str, Any]) -> Place:
        """The place of an outermost flow, or of a node that runs by itself."""
        class_name = None
        if not info.is_flow:
            class_name = tracing.safe(graph.source_place(type(instance)).qualified_name)
        successors = attributes.get("successors")
        return cls(
            tracing,
            info,
            tracing.safe(graph.own_name(instance, info.name)),
            successors if type(successors) is dict else {},
            class_name=class_name,
        )


class Places:
    """The places of one flow's nodes, found by walking its graph; nodes added while it runs are found when visited.

    Args:
        tracing: The instrumentation.
        starts: The nodes the flow begins with.
        flow_name: The flow's name.

    Attributes:
        known: The places, by the identity of their nodes' successors: PocketFlow visits copies of nodes.
    """

    def __init__(self, tracing: Tracing, starts: list[object], flow_name: str) -> None:
        self._tracing = tracing
        self._flow_name = flow_name
        self.known: dict[int, Place] = {}
        self._names: dict[str, int] = {}
        for member in graph.walk(starts, self._own_name):
            self._add(member.node, member.successors, member.name, in_graph=True)
            own = self._own_name(member.node)
            self._names[own] = self._names.get(own, 0) + 1

    def of(self, node: object, attributes: dict[str, Any]) -> Place:
        """A node's place.

        Args:
            node: The node, or PocketFlow's copy of it.
            attributes: Its instance attributes.
        """
        successors = attributes.get("successors")
        place = self.known.get(id(successors))
        if place is None:
            successors = successors if type(successors) is dict else {}
            place = self._add(node, successors, graph.unique(self._own_name(node), self._names), in_graph=False)
        return place

    def name_of(self, node: object) -> str | None:
        """A successor's name; None where there is no successor, or it is none of the flow's known nodes."""
        read = self._tracing.classes.info(type(node)).attributes
        place = self.known.get(id(read(node).get("successors")))
        return None if place is None else place.name

    @property
    def visits(self) -> int:
        """How many visits all nodes had."""
        return sum(place.visits for place in self.known.values())

    def _own_name(self, node: object) -> str:
        return self._tracing.safe(graph.own_name(node, self._tracing.classes.info(type(node)).name))

    def _add(self, node: object, successors: dict[Any, Any], name: str, *, in_graph: bool) -> Place:
        place = self.known[id(successors)] = Place(
            self._tracing,
            self._tracing.classes.info(type(node)),
            name,
            successors,
            flow_name=self._flow_name,
            class_name=None if in_graph else self._tracing.safe(graph.source_place(type(node)).qualified_name),
        )
        return place
