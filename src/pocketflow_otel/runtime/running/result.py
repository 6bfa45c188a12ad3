"""A result as JSON, and as text for people."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.runtime.values.envelope import content_type

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
        "error": None if result.error is None else dataclasses.asdict(result.error),
        "nodes": [plain(record.as_json()) for record in result.nodes],
        "undone": [plain(record.as_json()) for record in result.undone],
        "summary": plain(dataclasses.asdict(result.summary)),
        "problems": list(result.problems),
    }
    return told if secrets is None else secrets.masked(told)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: a table by its first rows, bytes as text where they are, others by type and size."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _told(value)


def _told(value: Any) -> Any:
    dump = getattr(type(value), "model_dump", None)
    if callable(dump):
        return plain(dump(value, mode="json"))
    if content_type(value) == "table":
        return plain(value.preview())
    if isinstance(value, dt.date | dt.time | PurePath):
        return value.isoformat() if not isinstance(value, PurePath) else str(value)
    if isinstance(value, bytes | bytearray):
        return _text_of(bytes(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return shape(value)


def _text_of(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return shape(data)
