"""Documents run in a line of a test."""

from typing import Any

from pocketflow_otel.runtime import Result, collect, execute, load, prepare


def document(nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"workflow": "tried", "nodes": nodes, **more}


def ran(nodes: dict[str, Any], *, given: dict[str, Any] | None = None, **more: Any) -> Result:
    """The result of a document with these nodes."""
    how = {name: more.pop(name) for name in ("on_event", "directory", "decisions", "may_ask") if name in more}
    declared = {"inputs": {name: {} for name in given}} if given else {}
    return collect(execute(prepare(load(document(nodes, **declared, **more)), given), **how))


def python(code: str, **more: Any) -> dict[str, Any]:
    """A node that runs code; keyword arguments that are fields of a node are these, others what the code is given."""
    fields = {
        "when",
        "needs",
        "join",
        "retry",
        "timeout",
        "on_error",
        "fallback",
        "undo",
        "priority",
        "visits",
        "action",
    }
    given = {name: value for name, value in more.items() if name not in fields}
    return {
        "type": "python",
        "with": {"code": code, "args": given},
        **{name: value for name, value in more.items() if name in fields},
    }


def statuses(result: Result) -> dict[str, str]:
    return {record.node: record.status for record in result.nodes}


def call(function: str, **more: Any) -> dict[str, Any]:
    """A node that calls a function of the tests."""
    node = python("", **more)
    node["type"] = f"runtime.running.things:{function}"
    node["with"] = node["with"]["args"]
    return node
