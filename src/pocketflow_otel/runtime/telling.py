"""What came of a run, told to people: its outputs as text, and a line or a few about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from pocketflow_otel.figures import count, duration
from pocketflow_otel.runtime.running.result import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.runtime.running.records import NodeRecord, Result
    from pocketflow_otel.runtime.secrets import Secrets

_WIDTH: Final = 100


def as_text(result: Result, secrets: Secrets) -> str:
    """The outputs of a run.

    Args:
        result: What came of it.
        secrets: What is masked in it.

    Returns:
        Of a single output that is a text, the text; else the outputs by name, as YAML. Nothing where there are none.
    """
    outputs = secrets.masked(plain(dict(result.outputs)))
    if not outputs:
        return ""
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    if isinstance(only, str):
        return only if only.endswith("\n") or not only else f"{only}\n"
    return yaml.dump(outputs, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def sentences(result: Result, folder: str | None, flow: str) -> Iterator[str]:
    """What came of a run, the most important thing first."""
    where = f"; see {folder}" if folder else ""
    yield f"{result.workflow}: {_ENDS[result.status]} {duration(result.seconds)}{_why(result)}{where}"
    if result.undone:
        yield f"undone: {', '.join(map(_undone, result.undone))}"
    if result.summary.abandoned_threads:
        yield f"{count(result.summary.abandoned_threads, 'node')} did not end in time, and were left where they were"
    if result.status == "waiting":
        yield f"run {flow} again with the decision"
    yield from result.problems


_ENDS: Final = {
    "succeeded": "succeeded in",
    "degraded": "succeeded, degraded, in",
    "failed": "failed after",
    "limit": "reached a limit after",
    "interrupted": "interrupted after",
    "waiting": "waits since",
}


def _why(result: Result) -> str:
    if result.status == "degraded":
        names = dict.fromkeys(record.node for record in result.nodes if record.status == "degraded")
        return f": without {', '.join(names)}"
    if result.error is None or result.status == "interrupted":
        return ""
    error = result.error
    node = f"{error.node}: " if error.node else ""
    kind = "" if result.status in {"limit", "waiting"} else f"{error.type}: "
    return f": {node}{kind}{error.message}"


def _undone(record: NodeRecord) -> str:
    return record.node if record.error is None else f"{record.node} (failed: {record.error.message})"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _text(dumper: _Dumper, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
