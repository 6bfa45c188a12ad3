"""The end of a run: what is open is closed, and all that came of it is put together, told and kept."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

from pocketflow_otel.budgets import BudgetExceeded
from pocketflow_otel.runtime.errors import Interrupted, LimitReached
from pocketflow_otel.runtime.registry.node_types import Waiting
from pocketflow_otel.runtime.running.events import Event
from pocketflow_otel.runtime.running.recording import left_behind
from pocketflow_otel.runtime.running.records import Result
from pocketflow_otel.runtime.running.result import Masks
from pocketflow_otel.runtime.running.summaries import summary_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.running.records import NodeRecord, RunStatus
    from pocketflow_otel.runtime.running.run import Run

_BUSY_SECONDS = 5.0
_STATUSES: Final[Mapping[type[BaseException], RunStatus]] = {
    Interrupted: "interrupted",
    Waiting: "waiting",
    LimitReached: "limit",
    BudgetExceeded: "limit",
}


def finished(run: Run, *, is_left: bool) -> Result:
    """Ends a run: its connections and its loop are closed, its result is saved.

    Args:
        run: The run.
        is_left: Whether something of it still goes on, which is waited for no longer.
    """
    if is_left:
        run.failure = run.failure or run.root.failure
        _record_left(run)
        run.ended = time.perf_counter()
    run.clock.close()
    run.problems += run.homes.close()
    run.loop.close()
    result = _result_of(run)
    event = Event("run.finished", time.time(), run.id, data={"status": result.status})
    run.happenings.tell(event, _BUSY_SECONDS if is_left else -1)
    _save(run, result)
    try:
        run.folder.close(succeeded=result.status in {"succeeded", "degraded"} and not is_left)
    except OSError as error:
        run.problems.append(f"the run's folder: {error}")
    return dataclasses.replace(result, problems=(*run.problems, *run.happenings.problems))


def _record_left(run: Run) -> None:
    """Records what goes on in its thread though the run is over."""
    with run.crew.lock:
        frames = [run.root]
        while frames:
            frame = frames.pop()
            frames.extend(frame.children)
            for step in list(frame.running):
                if step.status is None and not step.planned.is_holder:
                    run.abandoned += 1
                    run.recorder.record(left_behind(step))


def _result_of(run: Run) -> Result:
    records = list(run.recorder.records)
    status = _status_of(run, records)
    seconds = run.ended - run.began
    return Result(
        run_id=run.id,
        workflow=run.plan.document.name,
        status=status,
        started=run.about["started"],
        seconds=seconds,
        outputs=run.outputs,
        error=run.failure if status not in {"succeeded", "degraded"} else None,
        nodes=tuple(record for record in records if record.role != "undo"),
        undone=tuple(record for record in records if record.role == "undo"),
        summary=summary_of(run.plan.document, records, seconds, run.root.home.budget.spent, abandoned=run.abandoned),
        problems=(*run.problems, *run.happenings.problems),
        store=run.root.store,
        masks=Masks(run.secrets),
    )


def _status_of(run: Run, records: list[NodeRecord]) -> RunStatus:
    error = run.root.stopped or run.ended_by
    if error is None:
        return "degraded" if any(record.status == "degraded" for record in records) else "succeeded"
    # By its class alone: an error's own code may tell another one, or fail at it.
    found = (status for kind, status in _STATUSES.items() if issubclass(type(error), kind))
    return next(found, "failed")


def _save(run: Run, result: Result) -> None:
    if run.folder.path is None:
        return
    try:
        run.folder.save(result.as_json())
    except OSError as error:
        run.problems.append(f"the result can't be saved in {run.folder.path}: {error.strerror or error}")
