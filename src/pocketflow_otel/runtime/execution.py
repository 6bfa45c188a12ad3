"""Runs plans: in this thread's time, or in an event loop's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pocketflow_otel.runtime.approvals import misplaced
from pocketflow_otel.runtime.errors import InvalidInputs
from pocketflow_otel.runtime.needs import check_needs
from pocketflow_otel.runtime.running.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.planning import Plan
    from pocketflow_otel.runtime.running.events import Event
    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.running.stepping import OnStep


def execute(
    plan: Plan,
    *,
    on_event: Callable[[Event], object] | None = None,
    directory: Path | None = None,
    decisions: Mapping[str, str] | None = None,
    may_ask: bool = True,
    on_step: OnStep | None = None,
) -> Run:
    """Runs a plan to its end. What goes wrong in it is no exception here: `collect` tells.

    Args:
        plan: The plan.
        on_event: Is told of what happens as it happens.
        directory: The run's own folder; without one, nothing is kept but artifacts.
        decisions: What people have decided beforehand, by the names of ``approve`` nodes.
        may_ask: Whether a person may be waited for.
        on_step: Is asked before each node whether it is to run; nodes run one at a time then.

    Raises:
        InvalidInputs: An environment variable or a package is missing that the run is sure to need; a decision is for
            no node that asks, or none of its choices.
        OSError: The folder can't be made.
    """
    check_needs(plan)
    _check_decisions(plan, decisions)
    run = Run(plan, on_event=on_event, directory=directory, decisions=decisions, may_ask=may_ask, on_step=on_step)
    return run.start().wait()


async def execute_async(
    plan: Plan,
    *,
    on_event: Callable[[Event], object] | None = None,
    directory: Path | None = None,
    decisions: Mapping[str, str] | None = None,
    may_ask: bool = True,
    on_step: OnStep | None = None,
) -> Run:
    """As `execute`, in an event loop: coroutine functions of nodes run in it. Cancelling this interrupts the run."""
    loop = asyncio.get_running_loop()
    check_needs(plan)
    _check_decisions(plan, decisions)
    run = Run(
        plan, on_event=on_event, directory=directory, decisions=decisions, may_ask=may_ask, loop=loop, on_step=on_step
    )
    run.start()
    await run.wait_async()
    await run.result_async()
    return run


def collect(run: Run) -> Result:
    """What came of a run; waits for its end."""
    return run.result()


def _check_decisions(plan: Plan, decisions: Mapping[str, str] | None) -> None:
    if decisions and (problem := misplaced(decisions, plan.document.loaded)) is not None:
        raise InvalidInputs([f"decisions: {problem}"])
