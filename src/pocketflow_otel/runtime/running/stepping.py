"""Runs that stop before each node, for someone to look and decide."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from pocketflow_otel.runtime.errors import Cancelled
from pocketflow_otel.runtime.running.showing import qualified, said
from pocketflow_otel.runtime.running.views import View
from pocketflow_otel.runtime.values.plain import plain

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.run import Run
    from pocketflow_otel.runtime.running.steps import Step

StepDecision = Literal["step", "continue", "stop"]
"""``step``: the node runs, and the run stops before the next one. ``continue``: the run stops no more. ``stop``: it is
interrupted, and the node does not run."""


class Pause:
    """A node that is about to run. What it tells is data, as JSON has it, without secrets.

    Attributes:
        workflow: The workflow's name.
        node: The node; of one inside others ``outer.inner``.
        type: Its type.
        visit: Which visit, from 1.
        at: Of a node inside maps: the numbers of the items, the outermost first.
        role: What it runs for: ``node``; ``handler`` of another that failed; ``undo`` of another's visit.
    """

    def __init__(self, step: Step) -> None:
        self.workflow = step.frame.home.document.name
        self.node = step.planned.path
        self.type = step.planned.node.type
        self.visit = step.number
        self.at = step.frame.at
        self.role = step.role
        self._step = step

    @property
    def given(self) -> Any:
        """What its ``with`` comes to; of a node that holds others there is none.

        Raises:
            ValueError: A reference leads nowhere.
        """
        config = self._step.planned.config
        return None if config is None else self._told(config.resolve(self._step.lookup))

    @property
    def store(self) -> dict[str, Any]:
        """What it finds in the shared store, stores around it included; a class under the keys that it reads."""
        step = self._step
        reads = {key: source for key, source in step.planned.reads.items() if isinstance(source, str)}
        told: dict[str, Any] = self._told(dict(View(step.frame.stores(), reads, step.planned.node.writes, {})))
        return told

    @property
    def is_over(self) -> bool:
        """Whether nobody needs an answer any more, as the run is coming to its end."""
        return self._step.is_to_end

    def _told(self, value: Any) -> Any:
        return self._step.frame.run.secrets.masked(plain(value))


OnStep = Callable[[Pause], StepDecision | None]
"""Decides at a pause; None is ``step``."""


class Stepping:
    """Stops a run before its nodes, one after the other.

    Args:
        run: The run.
        on_step: Decides; is called in a thread of the run's.
    """

    def __init__(self, run: Run, on_step: OnStep) -> None:
        self._run = run
        self._on_step = on_step
        self._lock = threading.Lock()
        self._goes_on = False

    def pause(self, step: Step) -> None:
        """Stops before a node runs.

        Raises:
            Cancelled: It is not to run.
        """
        with self._lock:
            if self._goes_on or step.is_to_end:
                return
            decision = self._decision(Pause(step))
            self._goes_on = decision != "step"
            if decision == "stop":
                self._run.interrupt()
        if step.is_to_end or step.is_over or decision == "stop":
            raise Cancelled("the run was stopped before this node")
        if decision == "continue":
            self._run.step_no_more()

    def _decision(self, pause: Pause) -> StepDecision:
        try:
            decision = self._on_step(pause) or "step"
        except BaseException as error:  # noqa: BLE001 - the user's code: it must end no thread of the run
            self._run.problems.append(f"on_step failed: {qualified(error)}: {self._run.secrets.shown(said(error))}")
            return "stop"
        if decision not in ("step", "continue", "stop"):
            self._run.problems.append(f"on_step gave {decision!r}: expected step, continue or stop")
            return "stop"
        return decision
