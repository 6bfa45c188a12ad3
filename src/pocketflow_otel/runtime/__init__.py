"""Runs workflow documents on PocketFlow.

``collect(execute(prepare(load("flow.yaml"), {"topic": "bees"})))``: `load` reads a document, `prepare` checks it and
its inputs and makes a plan, `execute` runs the plan, `collect` gives what came of it. A `Run` can also be begun and
watched from outside.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pocketflow_otel.runtime.connections.families import Family
    from pocketflow_otel.runtime.documents.faults import Fault, InvalidDocument
    from pocketflow_otel.runtime.documents.loading import load
    from pocketflow_otel.runtime.errors import InvalidInputs
    from pocketflow_otel.runtime.execution import collect, execute, execute_async
    from pocketflow_otel.runtime.planning import Plan, prepare
    from pocketflow_otel.runtime.registry.node_types import ClassType, Context, FunctionType, Output, Waiting
    from pocketflow_otel.runtime.registry.registry import Registry
    from pocketflow_otel.runtime.running.events import Event
    from pocketflow_otel.runtime.running.records import NodeRecord, Result
    from pocketflow_otel.runtime.running.run import Run
    from pocketflow_otel.runtime.values.envelope import Envelope
    from pocketflow_otel.runtime.values.table import Table

__all__ = [
    "ClassType",
    "Context",
    "Envelope",
    "Event",
    "Family",
    "Fault",
    "FunctionType",
    "InvalidDocument",
    "InvalidInputs",
    "NodeRecord",
    "Output",
    "Plan",
    "Registry",
    "Result",
    "Run",
    "Table",
    "Waiting",
    "collect",
    "execute",
    "execute_async",
    "load",
    "prepare",
]

_HOMES = {
    "ClassType": "registry.node_types",
    "Context": "registry.node_types",
    "Envelope": "values.envelope",
    "Event": "running.events",
    "Family": "connections.families",
    "Fault": "documents.faults",
    "FunctionType": "registry.node_types",
    "InvalidDocument": "documents.faults",
    "InvalidInputs": "errors",
    "NodeRecord": "running.records",
    "Output": "registry.node_types",
    "Plan": "planning",
    "Registry": "registry.registry",
    "Result": "running.records",
    "Run": "running.run",
    "Table": "values.table",
    "Waiting": "registry.node_types",
    "collect": "execution",
    "execute": "execution",
    "execute_async": "execution",
    "load": "documents.loading",
    "prepare": "planning",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a command that only checks documents runs nothing.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
