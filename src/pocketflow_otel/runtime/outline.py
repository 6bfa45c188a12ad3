"""What a plan is going to do, as JSON and as text: which nodes, in which order, and what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.figures import first_few
from pocketflow_otel.runtime.expressions.references import parse
from pocketflow_otel.runtime.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pocketflow_otel.runtime.documents.loaded import Loaded
    from pocketflow_otel.runtime.planning import Plan, PlannedBody, PlannedNode, PlannedScope

MASK: Final = "***"


def outline(plan: Plan) -> dict[str, Any]:
    """A plan as JSON can hold it.

    Returns:
        ``workflow``, ``document``, ``description``; ``inputs`` by name, those that are secret masked; ``parallel``,
        nodes at once; ``limits`` that there are; ``allow_shell``; ``order``, ``data`` or ``action``; ``waves`` or
        ``start`` and ``edges``; ``nodes``; ``connections``, each with the environment variables that it needs, and
        whether these are set; ``outputs`` by name.
    """
    loaded = plan.document.loaded
    document = loaded.document
    limits = document.limits.model_dump(exclude_none=True, exclude={"parallel"})
    return {
        "workflow": document.workflow,
        "document": loaded.file,
        "description": document.description,
        "inputs": _inputs(plan),
        "parallel": plan.parallel,
        "limits": limits,
        "allow_shell": plan.allow_shell,
        **_scope(plan.document.scope, plan.environ),
        "connections": _connections(loaded, plan.environ),
        "outputs": list(document.outputs) or list(plan.document.scope.unread),
    }


def _inputs(plan: Plan) -> dict[str, Any]:
    declared = plan.document.loaded.document.inputs
    secrets = Secrets()
    return {
        name: MASK if declared[name].secret else _masked(secrets, name, value) for name, value in plan.inputs.items()
    }


def _masked(secrets: Secrets, name: str, value: Any) -> Any:
    return MASK if isinstance(value, str) and secrets.shows(name, value) else value


def _scope(scope: PlannedScope, environ: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"order": "action" if scope.by_action else "data"}
    if scope.by_action:
        told["start"] = scope.start
        told["edges"] = [
            {"from": name, "action": action, "to": to or "end"}
            for name, routes in scope.routes.items()
            for action, to in routes.items()
        ]
    else:
        told["waves"] = _waves(scope)
    return told | {"nodes": [_node(node, scope, environ) for node in scope.nodes.values()]}


def _waves(scope: PlannedScope) -> list[list[str]]:
    """By data: nodes in groups, each of which has to wait for nothing but groups before it."""
    wave: dict[str, int] = {}
    waiting = list(scope.scheduled)
    while waiting:
        # Each pass takes what waits for nothing else: what is left over has been checked to have an order.
        ready = [name for name in waiting if all(other in wave for other in scope.nodes[name].waits.all)]
        for name in ready:
            wave[name] = 1 + max((wave[other] for other in scope.nodes[name].waits.all), default=-1)
        waiting = [name for name in waiting if name not in wave]
    groups: dict[int, list[str]] = {}
    for name in sorted(scope.scheduled, key=lambda name: (-scope.nodes[name].node.priority, scope.nodes[name].order)):
        groups.setdefault(wave[name], []).append(name)
    return [groups[number] for number in sorted(groups)]


def _node(planned: PlannedNode, scope: PlannedScope, environ: Mapping[str, str]) -> dict[str, Any]:
    node = planned.node
    told: dict[str, Any] = {"name": planned.name, "type": node.type, "description": node.description}
    if not scope.by_action:
        told["waits_for"] = [*planned.waits.hard]
        told["waits_for_end_of"] = [*planned.waits.soft]
        told["join"] = node.join
        told["priority"] = node.priority
    told |= {
        "role": "node" if planned.name in scope.scheduled else "handler or undo",
        "when": node.when,
        "retry": None if planned.retry is None else planned.retry.model_dump(exclude_defaults=True),
        "timeout": planned.timeout,
        "visits": node.visits,
        "on_error": node.on_error,
        "undo": node.undo,
        "holds": None if planned.body is None else _body(planned.body, environ),
    }
    return {name: value for name, value in told.items() if value not in (None, [], "", 0, "all", "node")}


def _body(body: PlannedBody, environ: Mapping[str, str]) -> dict[str, Any]:
    parallel = {"parallel": body.config.parallel} if hasattr(body.config, "parallel") else {}
    if body.document is not None:
        loaded = body.document.loaded
        connections = _connections(loaded, environ)
        about = {"workflow": body.document.name, "document": loaded.file}
        return about | _scope(body.document.scope, environ) | ({"connections": connections} if connections else {})
    return parallel | (_scope(body.scope, environ) if body.scope is not None else {})


def _connections(loaded: Loaded, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "environment": {variable: bool(environ.get(variable)) for variable in _variables(settings)}}
        for name, settings in loaded.document.connections.items()
    ]


def _variables(settings: Mapping[str, Any]) -> list[str]:
    references = parse(dict(settings)).references
    return sorted({str(one.steps[0]) for one in references if one.head == "env" and one.steps})


def as_text(told: Mapping[str, Any]) -> str:
    """An outline for people."""
    return "\n".join(_document_lines(told)) + "\n"


def _document_lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{told['workflow']} ({told['document']})"
    if told["description"]:
        yield f"  {' '.join(told['description'].split())}"
    yield from _named("inputs", [f"{name}: {_short(value)}" for name, value in told["inputs"].items()])
    limits = [f"{name}: {_figure(value)}" for name, value in told["limits"].items()]
    yield from _named("limits", [f"parallel: {told['parallel']}", *limits])
    yield from _named("connections", list(_connection_lines(told["connections"])))
    yield ""
    yield from _scope_lines(told, "")
    yield ""
    yield f"gives {', '.join(told['outputs']) or 'nothing'}"


def _named(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines)


def _connection_lines(connections: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in connections:
        told = [f"{name} {'is set' if is_set else 'IS NOT SET'}" for name, is_set in one["environment"].items()]
        yield f"@{one['name']}" + (f": {', '.join(told)}" if told else "")


def _scope_lines(told: Mapping[str, Any], indent: str) -> Iterator[str]:
    nodes = {node["name"]: node for node in told["nodes"]}
    if told["order"] == "data":
        for number, wave in enumerate(told["waves"], 1):
            side_by_side = ", side by side" if len(wave) > 1 else ""
            yield f"{indent}{number}.{side_by_side}"
            for name in wave:
                yield from _node_lines(nodes.pop(name), told, f"{indent}   ")
    else:
        yield f"{indent}begins at {told['start']}"
        for name in list(nodes):
            if nodes[name].get("role") is None:
                yield from _node_lines(nodes.pop(name), told, f"{indent}   ")
    if nodes:
        yield f"{indent}only when needed"
        for node in nodes.values():
            yield from _node_lines(node, told, f"{indent}   ")


def _node_lines(node: Mapping[str, Any], around: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{node['name']} ({node['type']})" + "".join(f"; {one}" for one in _conditions(node))
    for edge in around.get("edges", ()):
        if edge["from"] == node["name"]:
            yield f"{indent}   {edge['action']} → {edge['to']}"
    if (held := node.get("holds")) is not None:
        if "document" in held:
            yield f"{indent}   {held['workflow']} ({held['document']})"
        yield from (f"{indent}   {line}" for line in _connection_lines(held.get("connections", ())))
        yield from _scope_lines(held, f"{indent}   ")


def _conditions(node: Mapping[str, Any]) -> Iterator[str]:
    join = node.get("join", "all")
    hard = ", ".join(node.get("waits_for", ()))
    if hard:
        yield f"after {hard}" if join == "all" else f"after {_JOINS.get(join, join)} of {hard}"
    if soft := node.get("waits_for_end_of"):
        yield f"once {first_few(soft)} came to an end"
    if when := node.get("when"):
        yield f"when {when}"
    if retry := node.get("retry"):
        yield f"{retry['tries']} tries"
    for name, unit in (("timeout", " s"), ("visits", ""), ("priority", ""), ("on_error", ""), ("undo", "")):
        if name in node:
            yield f"{name.replace('_', ' ')} {_figure(node[name])}{unit}"
    parallel = (node.get("holds") or {}).get("parallel")
    if parallel is not None:
        yield f"{parallel} at once"


def _figure(value: Any) -> Any:
    """A number as people write it: 30 seconds, not 30.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_JOINS = {"any": "any", "first": "the first"}


def _short(value: Any, most: int = 60) -> str:
    from json import dumps

    text = dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[:most]}…"
