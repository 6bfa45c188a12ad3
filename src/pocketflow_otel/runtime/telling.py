"""What came of a run, told to people: its outputs as text, and a line or a few about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.figures import count, duration, first_few
from pocketflow_otel.runtime.lacking import lacking
from pocketflow_otel.runtime.running.recording import GOES_ON
from pocketflow_otel.runtime.values.plain import plain
from pocketflow_otel.runtime.values.yaml_text import as_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pocketflow_otel.runtime.running.records import NodeRecord, Result

_WIDTH: Final = 100


def as_text(result: Result) -> str:
    """The outputs of a run, its secrets masked.

    Args:
        result: What came of it.

    Returns:
        Of a single output that is a text, the text; else the outputs by name, as YAML. Nothing where there are none.
    """
    outputs = result.masks.masked(plain(dict(result.outputs)))
    if not outputs:
        return ""
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    if isinstance(only, str):
        return only if only.endswith("\n") or not only else f"{only}\n"
    return as_yaml(outputs, width=_WIDTH)


def sentences(result: Result, folder: str | None, flow: str, *, temporary: Path | None = None) -> Iterator[str]:
    """What came of a run, the most important thing first.

    Args:
        result: What came of it.
        folder: The run's folder, if it has one.
        flow: The document's file, as it was named.
        temporary: Of a run without one: where files of its nodes are left.
    """
    outcome = f"{result.workflow}: {_outcome(result)}"
    where = f"see {folder}" if folder else ""
    # After several lines, such as a database's with the place in a query, it would seem to belong to the last of them.
    yield from (outcome, where) if where and "\n" in outcome else ("; ".join(filter(None, (outcome, where))),)
    if skipped := _skipped(result):
        yield f"skipped: {first_few(skipped)}"
    if result.undone:
        yield f"taken back: {', '.join(map(_undone, result.undone))}"
    if left := result.summary.abandoned_threads:
        names = first_few([record.node for record in result.nodes if record.reason == GOES_ON])
        yield f"left behind, as it did not end in time: {count(left, 'node')}" + (f" ({names})" if names else "")
    if temporary is not None:
        yield f"files that its nodes left are in {temporary}"
    if result.status == "waiting":
        yield f"once that is decided, run {flow} again"
    lost: list[str] = []
    plain(dict(result.outputs), lost)
    if lost:
        yield f"outputs are told by type and size where they hold what is no data: {', '.join(dict.fromkeys(lost))}"
    yield from result.problems


def _outcome(result: Result) -> str:
    took = duration(result.seconds)
    match result.status:
        case "succeeded":
            return f"succeeded in {took}"
        case "degraded":
            return f"degraded in {took}: {lacking(result.nodes)}"
        case "interrupted":
            return f"interrupted after {took}"
        case "failed":
            return f"failed after {took}{_error(result, of_type=True)}"
        case "limit":
            return f"ended by a limit after {took}{_error(result)}"
        case "waiting":
            return f"waits{_error(result)}"


def _skipped(result: Result) -> list[str]:
    """Of a run that came to its end, the nodes that never ran; those inside others are these nodes' own business."""
    if result.status not in {"succeeded", "degraded"}:
        return []
    ran = {record.node for record in result.nodes if record.status != "skipped"}
    return [
        name for name in dict.fromkeys(record.node for record in result.nodes) if name not in ran and "." not in name
    ]


def _error(result: Result, *, of_type: bool = False) -> str:
    error = result.error
    if error is None:
        return ""
    node = error.node + "".join(f"[{number}]" for number in error.at)
    return ": " + ": ".join(part for part in (node, error.type if of_type else "", error.message) if part)


def _undone(record: NodeRecord) -> str:
    return record.node if record.error is None else f"{record.node} (failed: {record.error.message})"
