"""What a run needs besides its inputs: environment variables, and packages that connections are made with.

Asked before anything runs, of what is sure to run: a node that a condition, an action or an error decides on may never
ask for it.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.errors import InvalidInputs
from pocketflow_otel.runtime.expressions.references import Template, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pocketflow_otel.runtime.documents.loaded import Loaded
    from pocketflow_otel.runtime.expressions.paths import Reference
    from pocketflow_otel.runtime.planning import Plan, PlannedBody, PlannedDocument, PlannedNode, PlannedScope

CONTINUE: Final = "continue"
_CONNECTION: Final = re.compile(r"@([a-z][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]{0,63})")


def check_needs(plan: Plan) -> None:
    """Checks that there is what a run of a plan needs.

    Raises:
        InvalidInputs: With all that is missing.
    """
    problems = missing(plan.document, plan.environ)
    if problems:
        raise InvalidInputs(problems)


def missing(document: PlannedDocument, environ: Mapping[str, str]) -> list[str]:
    """What is missing: a sentence each.

    Args:
        document: What is to be run.
        environ: The environment variables that are set.
    """
    variables: dict[str, dict[str, None]] = {}
    packages: dict[str, None] = {}
    for what, value in _needed(document):
        if isinstance(value, str):
            packages.update(dict.fromkeys(_packages(what, value)))
            continue
        if value.head == "env" and value.steps and not value.optional and str(value.steps[0]) not in environ:
            variables.setdefault(str(value.steps[0]), {})[what] = None
    return [*(_told(name, list(where), environ) for name, where in variables.items()), *packages]


def _told(name: str, where: list[str], environ: Mapping[str, str]) -> str:
    near = nearest(name, environ)
    asking = where[0] if len(where) == 1 else f"{where[0]} and {len(where) - 1} more"
    return f"the environment variable {name} is not set, and {asking} needs it" + (
        f"; did you mean {near!r}?" if near else ""
    )


def _packages(connection: str, family: str) -> Iterator[str]:
    from pocketflow_otel.runtime.connections.families import Families

    for package, extra in Families().get(family).needs.items():
        if find_spec(package) is None:
            yield f"{connection} needs {package}: pip install 'pocketflow-otel[{extra}]'"


def _needed(document: PlannedDocument) -> Iterator[tuple[str, Reference | str]]:
    """The references that are sure to be followed, and the families of connections that are sure to be opened.

    Each with what asks for it, as people call it.
    """
    named: dict[str, None] = {}
    yield from _of_scope(document.scope, document.loaded, named)
    for name in named:
        yield f"@{name}", name.partition(".")[0]
        yield from ((f"@{name}", one) for one in parse(dict(document.loaded.document.connections[name])).references)
    if document.outputs is not None:
        yield from (("outputs", one) for one in document.outputs.references)


def _of_scope(scope: PlannedScope, loaded: Loaded, named: dict[str, None]) -> Iterator[tuple[str, Reference | str]]:
    for planned in sure_to_run(scope):
        if planned.node.on_error is not None:
            continue  # the run goes on without what it needs
        yield from ((planned.path, one) for one in _references(planned))
        for value in _texts(planned.node.with_) if planned.body is None else ():
            found = _CONNECTION.fullmatch(value)
            if found is not None and found[1] in loaded.document.connections:
                named[found[1]] = None
        if planned.body is not None and _is_entered(planned.body):
            if planned.body.document is not None:
                yield from _needed(planned.body.document)
            elif planned.body.scope is not None:
                yield from _of_scope(planned.body.scope, loaded, named)


def sure_to_run(scope: PlannedScope) -> list[PlannedNode]:
    """The nodes of a scope that run in any case, unless something fails or a limit is reached before."""
    return _by_action(scope) if scope.by_action else _by_data(scope)


def _by_data(scope: PlannedScope) -> list[PlannedNode]:
    sure: list[PlannedNode] = []
    succeeding = dict.fromkeys(scope.scheduled, 0)
    ready = [name for name in scope.scheduled if scope.nodes[name].needed == 0]
    while ready:
        planned = scope.nodes[ready.pop()]
        if planned.when is not None:
            continue
        sure.append(planned)
        for name in planned.dependents:
            if planned.name in scope.nodes[name].waits.hard:
                succeeding[name] += 1
                if succeeding[name] == scope.nodes[name].needed:
                    ready.append(name)
    return sorted(sure, key=lambda one: one.order)


def _by_action(scope: PlannedScope) -> list[PlannedNode]:
    """The first node, and what follows as long as there is but one way."""
    sure: dict[str, PlannedNode] = {}
    name: str | None = scope.start
    while name is not None and name not in sure:
        planned = scope.nodes[name]
        if planned.when is not None:
            break
        sure[name] = planned
        ways = set(scope.routes.get(name, {}).values())
        name = ways.pop() if len(ways) == 1 else None
    return list(sure.values())


def _is_entered(body: PlannedBody) -> bool:
    """Whether a body's nodes run, and have to succeed. A list that is not known yet is taken for one with items."""
    if body.over is not None and body.over.is_constant and not body.over.value:
        return False
    return getattr(body.config, "on_error", None) != CONTINUE


def _references(planned: PlannedNode) -> Iterable[Reference]:
    if planned.config is not None:
        yield from planned.config.references
    if planned.body is not None:
        for template in (planned.body.over, planned.body.inputs):
            yield from () if template is None else template.references
    for source in planned.reads.values():
        yield from source.references if isinstance(source, Template) else ()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
