"""Documents as a run has them: what all frames of one document share, from its beginning to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pocketflow_otel.budgets import Budget, Limits
from pocketflow_otel.runtime.connections.families import Families
from pocketflow_otel.runtime.connections.opened import Connections
from pocketflow_otel.runtime.errors import LimitReached

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pocketflow_otel.runtime.planning import PlannedDocument
    from pocketflow_otel.runtime.running.run import Run

_CLOSING_SECONDS = 5.0


class Home:
    """What all frames of one document share.

    Args:
        document: The document.
        inputs: What it is given.
        known: What references may begin with, besides nodes: inputs, env, run.
        connections: Its connections.
        around: Of a document that is a node of another: that one's.

    Attributes:
        visits: How many visits of its nodes there were, those in documents inside it counted.
        most: How many there may be; None where that is not limited.
        budget: What calls of models may use, and have used.
        is_over: Whether it has been run.
        forget_time: Ends the count of the time that it may take, if that is limited.
    """

    def __init__(
        self,
        document: PlannedDocument,
        inputs: Mapping[str, Any],
        known: Mapping[str, Any],
        connections: Connections,
        around: Home | None,
    ) -> None:
        self.document = document
        self.inputs = inputs
        self.known = known
        self.connections = connections
        self.is_over = False
        self.forget_time: Callable[[], None] | None = None
        self.around = around
        self.visits = 0
        limits = document.loaded.document.limits
        self.most = limits.visits
        self.budget = Budget(Limits(usd=limits.usd, tokens=limits.tokens))

    def count_visit(self) -> None:
        """Counts a visit of a node, here and in the documents around. The crew's lock is held.

        Raises:
            LimitReached: There are more than there may be.
        """
        home: Home | None = self
        while home is not None:
            home.visits += 1
            if home.most is not None:
                check_visits(home.document.name, home.visits, home.most)
            home = home.around

    def over(self) -> None:
        """Takes note that it has been run: the time that it may take is counted no more."""
        self.is_over = True
        if self.forget_time is not None:
            self.forget_time()
            self.forget_time = None


class Homes:
    """The documents of a run.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: list[Home] = []
        # A node may change the working directory.
        self._base = str(run.plan.document.loaded.base.absolute())

    def open(self, document: PlannedDocument, inputs: dict[str, Any], around: Home | None) -> Home:
        """Begins a document: its secret inputs are kept secret from now on. Its time is not counted yet."""
        run, loaded = self._run, document.loaded
        for name, declared in loaded.document.inputs.items():
            if declared.secret:
                run.secrets.add_all(inputs.get(name))
        connections = Connections(
            loaded.document.connections, Families(), run.environment, run.secrets, inputs=inputs, base=loaded.base
        )
        known = {
            "inputs": inputs,
            "env": run.environment,
            "run": {**run.about, "workflow": document.name, "base": self._base},
        }
        home = Home(document, inputs, known, connections, around)
        self._open.append(home)
        return home

    def limit_time(self, home: Home) -> None:
        """Begins to count the time that a document may take."""
        seconds = home.document.loaded.document.limits.seconds
        if seconds is None or self._run.stepping is not None:
            return

        def end() -> None:
            if not home.is_over:
                name = home.document.name
                self._run.stop(LimitReached(f"{name} has taken the {seconds:g} s that it may take"))

        home.forget_time = self._run.clock.later(seconds, end)

    def leave(self, home: Home) -> list[str]:
        """Takes note that a document inside another has been run, and that nothing in it is to be taken back.

        Returns:
            What went wrong.
        """
        self._open.remove(home)
        return self._close([home])

    def close(self) -> list[str]:
        """Ends all documents.

        Returns:
            What went wrong.
        """
        homes, self._open = self._open, []
        for home in homes:
            home.over()
        return self._close(homes)

    def _close(self, homes: list[Home]) -> list[str]:
        async def close() -> list[str]:
            return [problem for home in homes for problem in await home.connections.aclose()]

        loop = self._run.loop
        if not loop.serves or not any(home.connections.is_used for home in homes):
            return [problem for home in homes for problem in home.connections.close()]
        try:
            return asyncio.run_coroutine_threadsafe(close(), loop.get()).result(_CLOSING_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever a connection raises
            return [f"connections can't be closed: {type(error).__name__}: {self._run.secrets.shown(str(error))}"]


def check_visits(name: str, visits: int, most: int) -> None:
    """Compares a number of visits with what there may be.

    Raises:
        LimitReached: There are more.
    """
    if visits > most:
        raise LimitReached(f"{name} has had the {most:,} visit{'s' if most != 1 else ''} that it may have")
