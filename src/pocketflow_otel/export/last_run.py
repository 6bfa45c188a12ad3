"""What went wrong in the last run, kept for ``pocketflow-otel doctor``."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pocketflow_otel.export import places, problems

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = "last-run.json"


_RUN: Final = uuid.uuid4().hex
"""Of this process and of the children it forks."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run in which something was dropped or went wrong."""

    program: str
    ended: str
    """ISO 8601, UTC."""
    problems: dict[str, problems.Problem]
    """By source, in all processes that the program forked."""
    run: str = ""
    """What its processes know each other by."""


def remember(program: str) -> None:
    """Keeps the problems of this process; after a run without any, forgets those of the one before. Never raises.

    Args:
        program: Which program ran.
    """
    found = problems.snapshot()
    path = _path()
    with contextlib.suppress(OSError):
        if not found and not path.exists():
            return
        places.make_private(path.parent)
        with _locked(path.parent):
            before = recall()
            if before is not None and before.run == _RUN:
                found = _added(before.problems, found)
            if found:
                _write(path, LastRun(program, datetime.now(UTC).isoformat(timespec="seconds"), found, _RUN))
            else:
                path.unlink(missing_ok=True)


def recall() -> LastRun | None:
    """The last run, if something went wrong in it."""
    try:
        kept = json.loads(_path().read_text(encoding="utf-8"))
        found = {source: problems.Problem(**problem) for source, problem in kept["problems"].items()}
        return LastRun(str(kept["program"]), str(kept["ended"]), found, str(kept.get("run", "")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _added(before: dict[str, problems.Problem], found: dict[str, problems.Problem]) -> dict[str, problems.Problem]:
    both = before | found
    for source in before.keys() & found.keys():
        both[source] = before[source].plus(found[source])
    return both


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keeps other processes of the same run out: only such as can fork have any."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, run: LastRun) -> None:
    # Written beside and moved into place: who reads meanwhile must not get half of it.
    beside = path.with_name(f"{_NAME}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8", opener=_private) as file:
        json.dump(asdict(run, dict_factory=_kept), file)
    beside.replace(path)


def _path() -> Path:
    return places.state_dir() / _NAME


def _kept(fields: list[tuple[str, object]]) -> dict[str, object]:
    return {name: value for name, value in fields if name != "told"}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)
