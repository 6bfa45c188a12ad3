"""Runs plans: in this thread's time, or in an event loop's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pocketflow_otel.runtime.running.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.planning import Plan
    from pocketflow_otel.runtime.running.events import Event
    from pocketflow_otel.runtime.running.records import Result


def execute(
    plan: Plan,
    *,
    on_event: Callable[[Event], object] | None = None,
    directory: Path | None = None,
    decisions: Mapping[str, str] | None = None,
    may_ask: bool = True,
) -> Run:
    """Runs a plan to its end. What goes wrong in it is no exception here: `collect` tells.

    Args:
        plan: The plan.
        on_event: Is told of what happens as it happens.
        directory: The run's own folder; without one, nothing is kept but artifacts.
        decisions: What people have decided beforehand, by the names of ``approve`` nodes.
        may_ask: Whether a person may be waited for.

    Raises:
        OSError: The folder can't be made.
    """
    run = Run(plan, on_event=on_event, directory=directory, decisions=decisions, may_ask=may_ask)
    return run.start().wait()


async def execute_async(
    plan: Plan,
    *,
    on_event: Callable[[Event], object] | None = None,
    directory: Path | None = None,
    decisions: Mapping[str, str] | None = None,
    may_ask: bool = True,
) -> Run:
    """As `execute`, in an event loop: coroutine functions of nodes run in it. Cancelling this interrupts the run."""
    loop = asyncio.get_running_loop()
    run = Run(plan, on_event=on_event, directory=directory, decisions=decisions, may_ask=may_ask, loop=loop)
    run.start()
    await run.wait_async()
    await run.result_async()
    return run


def collect(run: Run) -> Result:
    """What came of a run; waits for its end."""
    return run.result()
