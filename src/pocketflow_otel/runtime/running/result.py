"""A result as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.values.plain import plain

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.secrets import Secrets


def as_json(result: Result, secrets: Secrets | None = None) -> dict[str, Any]:
    """The result as JSON can hold it; the store is left out.

    Args:
        result: The result.
        secrets: What is masked in it.
    """
    told = {
        "run_id": result.run_id,
        "workflow": result.workflow,
        "status": result.status,
        "started": result.started,
        "seconds": result.seconds,
        "outputs": plain(dict(result.outputs)),
        "error": None if result.error is None else result.error.as_json(),
        "nodes": [plain(record.as_json()) for record in result.nodes],
        "undone": [plain(record.as_json()) for record in result.undone],
        "summary": plain(dataclasses.asdict(result.summary)),
        "problems": list(result.problems),
    }
    return told if secrets is None else secrets.masked(told)
