"""What went wrong in the last run, kept for ``pocketflow-otel doctor``."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pocketflow_otel.export import places, problems

if TYPE_CHECKING:
    from pathlib import Path

_NAME: Final = "last-run.json"


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run in which something was dropped or went wrong."""

    program: str
    ended: str
    """ISO 8601, UTC."""
    problems: dict[str, problems.Problem]
    """By source."""


def remember(program: str) -> None:
    """Keeps the problems of this process; after a run without any, forgets those of the one before. Never raises.

    Args:
        program: Which program ran.
    """
    path = _path()
    with contextlib.suppress(OSError):
        found = problems.snapshot()
        if not found:
            path.unlink(missing_ok=True)
            return
        places.make_private(path.parent)
        run = LastRun(program, datetime.now(UTC).isoformat(timespec="seconds"), found)
        # Written beside and moved into place: a run that ends at the same time must not mix its lines with ours.
        beside = path.with_name(f"{_NAME}.{os.getpid()}")
        with open(beside, "w", encoding="utf-8", opener=_private) as file:
            json.dump(asdict(run), file)
        beside.replace(path)


def recall() -> LastRun | None:
    """The last run, if something went wrong in it."""
    try:
        kept = json.loads(_path().read_text(encoding="utf-8"))
        found = {source: problems.Problem(**problem) for source, problem in kept["problems"].items()}
        return LastRun(str(kept["program"]), str(kept["ended"]), found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _path() -> Path:
    return places.state_dir() / _NAME


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)
