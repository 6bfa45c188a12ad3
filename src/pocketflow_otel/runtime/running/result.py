"""A result as JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.values.plain import plain

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.secrets import Secrets


class Masks:
    """Masks a run's secrets in its result. It stays in its process: a pickle of it holds no secrets.

    Args:
        secrets: What is masked.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self._secrets = secrets

    def masked(self, value: Any) -> Any:
        """As `Secrets.masked`.

        Raises:
            RuntimeError: It comes out of a pickle.
        """
        if self._secrets is None:
            raise RuntimeError("a pickled result knows its run's secrets no more: pickle what as_json() gives")
        return self._secrets.masked(value)

    def __deepcopy__(self, memo: object) -> Masks:
        return self

    def __reduce__(self) -> tuple[type[Masks], tuple[()]]:
        return Masks, ()


def as_json(result: Result) -> dict[str, Any]:
    """The result as JSON can hold it, its secrets masked; the store is left out."""
    told: dict[str, Any] = {
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
    masked: dict[str, Any] = result.masks.masked(told)
    return masked
