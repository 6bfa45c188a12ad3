"""Makes a plan of a document: everything looked up, read and put in order, so that running it only follows.

A plan is never changed by a run: any number of runs may follow one at once.
"""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.checking.inputs import misfit_of
from pocketflow_otel.runtime.documents.checks import check
from pocketflow_otel.runtime.documents.faults import InvalidDocument, nearest
from pocketflow_otel.runtime.documents.graph import Dependencies, Uses, dependencies, helpers
from pocketflow_otel.runtime.documents.model import MapConfig, ParallelConfig, WorkflowConfig
from pocketflow_otel.runtime.errors import InvalidInputs
from pocketflow_otel.runtime.expressions.conditions import Condition, parse_condition
from pocketflow_otel.runtime.expressions.config import ConfigTemplate, parse_config
from pocketflow_otel.runtime.expressions.references import Template, parse
from pocketflow_otel.runtime.registry.node_types import ClassType, FunctionType, HolderType
from pocketflow_otel.runtime.registry.registry import Registry
from pocketflow_otel.runtime.registry.signatures import arguments
from pocketflow_otel.runtime.values.envelope import copied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from pocketflow_otel.runtime.documents.loaded import Body, Loaded, Scope
    from pocketflow_otel.runtime.documents.model import Input, Node, Retry
    from pocketflow_otel.runtime.registry.node_types import NodeType

CONTINUE: Final = "continue"
END: Final = "end"
_UNCHANGING: Final = (str, int, float, bool, NoneType, bytes)


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node, ready to be run.

    Attributes:
        name: Its name.
        path: Its name with those of the nodes that hold it: ``outer.inner``.
        node: What the document says of it.
        type: Its type.
        order: Its number in the document.
        config: Its configuration, references read; of a holder of nodes there is none.
        constant: The checked configuration, where it is the same in every visit and nothing can change it.
        when: Its condition.
        action: The template of its action.
        reads: Of a class: its keys, to keys of the store or templates.
        retry: When it is tried again.
        timeout: Seconds that a try may take.
        waits: What it waits for by data.
        needed: How many of `waits.hard` have to succeed.
        waits_for_all: Whether all of these have to be settled first.
        dependents: The nodes that wait for it.
        body: What it holds.
        is_async: Whether its type's function is a coroutine function.
        takes_over: The node that runs where it fails.
        undo: The node that takes back what it did.
    """

    name: str
    path: str
    node: Node
    type: NodeType
    order: int
    config: ConfigTemplate | None
    constant: BaseModel | None
    when: Condition | None
    action: Template | None
    reads: Mapping[str, str | Template]
    retry: Retry | None
    timeout: float | None
    waits: Dependencies
    needed: int
    waits_for_all: bool
    dependents: tuple[str, ...]
    body: PlannedBody | None
    is_async: bool

    @property
    def takes_over(self) -> str | None:
        """The node that runs where it fails, if any."""
        return None if self.node.on_error == CONTINUE else self.node.on_error

    @property
    def continues(self) -> bool:
        """Whether the flow goes on without it where it fails."""
        return self.node.on_error == CONTINUE

    @property
    def gives_to_store(self) -> bool:
        """Whether its output stands in the store under its name: a class writes to the store itself."""
        return not isinstance(self.type, ClassType)

    @property
    def is_holder(self) -> bool:
        """Whether it holds nodes."""
        return self.body is not None


@dataclass(frozen=True, slots=True)
class PlannedScope:
    """Nodes that see one another.

    Attributes:
        nodes: All of them by name, in the order of the document.
        scheduled: Those that are run by themselves, not for another that failed or is undone.
        by_action: Whether edges order them; else data does.
        start: By action: the node to begin with.
        routes: By action: where each action of a node leads; None where it ends the flow.
        readers: By data: how many nodes wait for each node's output; it goes when the last of them is done with it.
        kept: Nodes whose output stays to the end.
        unread: The nodes whose output no other one uses.
    """

    nodes: Mapping[str, PlannedNode]
    scheduled: tuple[str, ...]
    by_action: bool
    start: str
    routes: Mapping[str, Mapping[str, str | None]]
    readers: Mapping[str, int]
    kept: frozenset[str]
    unread: tuple[str, ...]

    @property
    def runs_several(self) -> bool:
        """Whether more than one of its nodes may be at work at once."""
        maps = (node.body.config for node in self.nodes.values() if node.body is not None)
        at_once = any(isinstance(config, MapConfig) and config.parallel > 1 for config in maps)
        return at_once or (not self.by_action and len(self.scheduled) > 1)


@dataclass(frozen=True, slots=True)
class PlannedBody:
    """What a node of type map, parallel or workflow holds.

    Attributes:
        config: What the document says.
        scope: Its nodes; None where it is another document.
        document: The other document.
        over: Of a map: the list.
        inputs: Of another document: what it is given.
        output: What it gives; None where its nodes' outputs are.
    """

    config: MapConfig | ParallelConfig | WorkflowConfig
    scope: PlannedScope | None
    document: PlannedDocument | None
    over: Template | None
    inputs: Template | None
    output: Template | None

    @property
    def scopes(self) -> list[PlannedScope]:
        """The scope of its nodes, in a list: its own, or the other document's."""
        if self.document is not None:
            return [self.document.scope]
        return [] if self.scope is None else [self.scope]


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A document, ready to be run.

    Attributes:
        loaded: The document.
        scope: Its nodes.
        outputs: What a run gives back; None where its nodes' outputs are.
    """

    loaded: Loaded
    scope: PlannedScope
    outputs: Template | None

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.loaded.document.workflow

    @property
    def limits_calls(self) -> bool:
        """Whether what calls of models use is limited, here or in a document inside."""
        limits = (each.loaded.document.limits for each in self.all_documents())
        return any(each.tokens is not None or each.usd is not None for each in limits)

    def all_scopes(self) -> Iterator[PlannedScope]:
        """The scopes of all nodes, those inside others too."""
        waiting = [self.scope]
        while waiting:
            scope = waiting.pop()
            yield scope
            waiting += [inner for planned in scope.nodes.values() if planned.body for inner in planned.body.scopes]

    def all_nodes(self) -> Iterator[PlannedNode]:
        """All nodes, those inside others too."""
        for scope in self.all_scopes():
            yield from scope.nodes.values()

    def all_documents(self) -> Iterator[PlannedDocument]:
        """The document, and those that are nodes in it."""
        yield self
        for planned in self.all_nodes():
            if planned.body is not None and planned.body.document is not None:
                yield planned.body.document


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """A document and its inputs, ready to be run any number of times.

    Attributes:
        document: The document.
        inputs: What runs are given, defaults included.
        environ: What ``${env.X}`` gives.
        allow_shell: Whether commands may be run.
        parallel: Nodes at once.
        may_be_cut_short: Whether a limit can be reached while a node is at work, which then may have to be given up.
    """

    document: PlannedDocument
    inputs: Mapping[str, Any]
    environ: Mapping[str, str]
    allow_shell: bool
    parallel: int
    may_be_cut_short: bool

    def __repr__(self) -> str:
        return f"<Plan of {self.document.name!r}: {sum(1 for _ in self.document.all_nodes())} nodes>"


def prepare(
    document: Loaded,
    inputs: Mapping[str, Any] | None = None,
    *,
    registry: Registry | None = None,
    allow_shell: bool = False,
    parallel: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Plan:
    """Checks a document and its inputs, and makes a plan of them. Modules that node types name are imported.

    Args:
        document: The document, as `load` gives it.
        inputs: Values by name; those with a default may be left out.
        registry: The node types; those that come along or are installed, and ``module:name``, if there is none.
        allow_shell: Whether nodes may run commands.
        parallel: Nodes at once, instead of what the document says.
        environ: What ``${env.X}`` gives, instead of the process's environment.

    Raises:
        InvalidDocument: All that is wrong with the document.
        InvalidInputs: All that is wrong with the inputs.
    """
    registry = Registry() if registry is None else registry
    faults = check(document, registry, allow_shell=allow_shell)
    if faults:
        raise InvalidDocument(faults)
    planned = _Planner(registry).document(document)
    return Plan(
        planned,
        complete_inputs(document.document.inputs, inputs or {}),
        dict(os.environ if environ is None else environ),
        allow_shell,
        parallel or document.document.limits.parallel,
        _may_be_cut_short(planned),
    )


def _may_be_cut_short(document: PlannedDocument) -> bool:
    nodes = list(document.all_nodes())
    limits = [each.loaded.document.limits for each in document.all_documents()]
    if any(each.seconds is not None for each in limits) or any(node.is_holder and node.timeout for node in nodes):
        return True
    # Other limits are reached by nodes, while those beside them are at work.
    is_limited = any(node.node.visits is not None for node in nodes) or any(
        limit is not None for each in limits for limit in (each.visits, each.tokens, each.usd)
    )
    return is_limited and any(scope.runs_several for scope in document.all_scopes())


def complete_inputs(declared: Mapping[str, Input], given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a run, defaults included.

    Raises:
        InvalidInputs: One is missing, unknown, or of another type.
    """
    problems = []
    for name in given:
        if name not in declared:
            near = nearest(str(name), declared)
            there = _there(declared) if declared else "the document takes none"
            problems.append(f"input {name!r} is unknown: {there}" + (f"; did you mean {near!r}?" if near else ""))
    values = {}
    for name, about in declared.items():
        if name not in given:
            if about.is_required:
                told = f": {about.description}" if about.description else ""
                problems.append(f"input {name!r} is missing{told}; expected {about.type}")
            values[name] = about.default
            continue
        values[name] = given[name]
        try:
            copied(given[name])
        except ValueError as error:
            problems.append(f"input {name!r}: {error}")
            continue
        if misfit := misfit_of(about, given[name]):
            problems.append(f"input {name!r}: {misfit}")
    if problems:
        raise InvalidInputs(problems)
    return values


def _there(names: Iterable[str]) -> str:
    listed = list(names)
    return f"there {'is' if len(listed) == 1 else 'are'} {', '.join(listed)}"


class _Planner:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def document(self, loaded: Loaded, prefix: str = "") -> PlannedDocument:
        uses = Uses(partial(self._registry.expressions, base=loaded.base))
        outputs = parse(loaded.document.outputs) if loaded.document.outputs else None
        read_at_end = None if outputs is None else [reference.head for reference in outputs.references]
        return PlannedDocument(loaded, self._scope(loaded, loaded.scope, uses, prefix, read_at_end), outputs)

    def _scope(
        self, loaded: Loaded, scope: Scope, uses: Uses, prefix: str, read_at_end: Iterable[str] | None
    ) -> PlannedScope:
        waits = dependencies(scope, uses)
        served = helpers(scope)
        scheduled = tuple(name for name in scope.nodes if name not in served or _is_on_the_way(scope, name))
        dependents: dict[str, list[str]] = {name: [] for name in scope.nodes}
        for name in scheduled:
            for before in waits[name].all:
                dependents[before].append(name)
        nodes = {
            name: self._node(loaded, scope, uses, prefix, name, order, waits[name], tuple(dependents[name]))
            for order, name in enumerate(scope.nodes)
        }
        named_by = {name: {use.reference.head for use in uses.leading_out(scope, name)} for name in scope.nodes}
        used = set().union(*named_by.values()) if named_by else set()
        unread = tuple(name for name in scheduled if name not in used)
        pinned = set(unread if read_at_end is None else read_at_end) | {
            head for helper in served for head in named_by[helper]
        }
        pinned |= {name for name, node in scope.nodes.items() if node.undo is not None}
        return PlannedScope(
            nodes=nodes,
            scheduled=scheduled,
            by_action=scope.by_action,
            start=scope.start or scheduled[0],
            routes=_routes(scope),
            readers={name: len(after) for name, after in dependents.items()},
            kept=frozenset(pinned & set(nodes)),
            unread=unread,
        )

    def _node(
        self,
        loaded: Loaded,
        scope: Scope,
        uses: Uses,
        prefix: str,
        name: str,
        order: int,
        waits: Dependencies,
        dependents: tuple[str, ...],
    ) -> PlannedNode:
        node, path = scope.nodes[name], prefix + name
        kind = self._registry.get(node.type, loaded.base)
        body = scope.bodies.get(name)
        config = None
        if not isinstance(kind, HolderType):
            config = parse_config(node.with_, kind.expressions if isinstance(kind, FunctionType) else ())
        return PlannedNode(
            name=name,
            path=path,
            node=node,
            type=kind,
            order=order,
            config=config,
            constant=_constant(kind, config),
            when=None if node.when is None else parse_condition(node.when),
            action=None if node.action is None else parse(node.action),
            reads={key: _read(value) for key, value in node.reads.items()},
            retry=node.retry or (None if body is not None else loaded.document.defaults.retry),
            timeout=node.timeout or (None if body is not None else loaded.document.defaults.timeout),
            waits=waits,
            needed=_needed(node, waits),
            waits_for_all=node.join == "any",
            dependents=dependents,
            body=None if body is None else self._body(loaded, scope, uses, path, name, body),
            is_async=isinstance(kind, FunctionType) and inspect.iscoroutinefunction(kind.call),
        )

    def _body(self, loaded: Loaded, scope: Scope, uses: Uses, path: str, name: str, body: Body) -> PlannedBody:
        config = body.config
        inner = None
        if body.scope is not None:
            heads = None
            if config.output is not None:
                heads = [use.reference.head for use in uses.of_output(body, scope.path_of(name))]
            inner = self._scope(loaded, body.scope, uses, f"{path}.", heads)
        return PlannedBody(
            config=config,
            scope=inner,
            document=None if body.workflow is None else self.document(body.workflow, f"{path}."),
            over=parse(config.over) if isinstance(config, MapConfig) else None,
            inputs=parse(config.inputs) if isinstance(config, WorkflowConfig) else None,
            output=None if config.output is None else parse(config.output),
        )


def _is_on_the_way(scope: Scope, name: str) -> bool:
    """By action a node that takes over for another may also be reached by edges."""
    return any(edge.to == name for edge in scope.edges) or scope.start == name


def _routes(scope: Scope) -> dict[str, dict[str, str | None]]:
    routes: dict[str, dict[str, str | None]] = {}
    for edge in scope.edges:
        routes.setdefault(edge.from_, {})[edge.action] = None if edge.to == END else edge.to
    return routes


def _needed(node: Node, waits: Dependencies) -> int:
    match node.join:
        case "all":
            return len(waits.hard)
        case "any" | "first":
            return min(1, len(waits.hard))
        case number:
            return number


def _read(value: Any) -> str | Template:
    return parse(value) if not isinstance(value, str) or "${" in value else value


def _constant(kind: NodeType, config: ConfigTemplate | None) -> BaseModel | None:
    """The checked configuration, if nothing in it depends on the run."""
    if config is None or config.references or not config.is_constant or isinstance(kind, ClassType):
        return None
    checked = kind.config.model_validate(config.resolve(_nothing))
    # A function may change what it is given: then each visit has its own.
    return checked if all(type(value) in _UNCHANGING for value in arguments(checked).values()) else None


def _nothing(head: str) -> Any:
    raise LookupError(head)


def outputs_by_name(scope: PlannedScope, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What nodes give back where no template says it: the outputs that no other node uses."""
    return {name: outputs[name] for name in scope.unread if name in outputs}


def edges_of(scope: PlannedScope) -> Sequence[tuple[str, str, str | None]]:
    """The edges of a scope as (from, action, to); by data one for each node that waits for another."""
    if scope.by_action:
        return [(name, action, to) for name, routes in scope.routes.items() for action, to in routes.items()]
    return [(name, "default", after) for name in scope.scheduled for after in scope.nodes[name].dependents]
