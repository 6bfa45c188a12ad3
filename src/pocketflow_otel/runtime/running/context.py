"""What a node's code may know of, and ask from, its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.running.steps import Step
    from pocketflow_otel.runtime.secrets import MaskedStream


class NodeContext:
    """The `Context` of one try of a visit."""

    __slots__ = ("_chunks", "_step", "attempt")

    def __init__(self, step: Step) -> None:
        self._step = step
        self._chunks: MaskedStream | None = None
        self.attempt = step.attempt

    @property
    def run_id(self) -> str:
        """The run."""
        return self._step.frame.run.id

    @property
    def workflow(self) -> str:
        """The workflow's name."""
        return self._step.frame.home.document.name

    @property
    def node(self) -> str:
        """The node."""
        return self._step.planned.path

    @property
    def visit(self) -> int:
        """Which visit of it."""
        return self._step.number

    @property
    def key(self) -> str:
        """The same for every try of the visit."""
        return self._step.key

    @property
    def base(self) -> Path:
        """The document's folder."""
        return self._step.frame.home.document.loaded.base

    @property
    def allow_shell(self) -> bool:
        """Whether commands may be run."""
        return self._step.frame.run.plan.allow_shell

    @property
    def decisions(self) -> Mapping[str, str]:
        """What people have decided beforehand."""
        return self._step.frame.run.decisions

    @property
    def may_ask(self) -> bool:
        """Whether a person may be waited for."""
        return self._step.frame.run.may_ask

    @property
    def artifacts(self) -> Path:
        """The run's folder for files that stay."""
        return self._step.frame.run.folder.artifacts

    @property
    def working(self) -> Path:
        """The run's folder for files that go."""
        return self._step.frame.run.folder.working

    @property
    def cancelled(self) -> bool:
        """Whether the run wants to end."""
        return self._step.role != "undo" and self._step.frame.stopped is not None

    def wait(self, seconds: float) -> bool:
        """Waits, but not longer than the run goes on."""
        if self._step.role == "undo":
            import time

            time.sleep(seconds)
            return False
        return self._step.frame.stop_event.wait(seconds)

    def connection(self, reference: str) -> Any:
        """What ``@family.alias`` stands for, opened."""
        return self._step.frame.home.connections.get(reference)

    def count(self, **counts: float) -> None:
        """Adds to what the node is said to have done."""
        held = self._step.meter.counts
        for name, amount in self._step.frame.run.secrets.masked(counts).items():
            held[name] = held.get(name, 0) + amount

    def progress(self, done: int, total: int | None = None, unit: str = "items") -> None:
        """Tells how far the node has come."""
        told = {"done": done, "total": total, "unit": self.mask(unit)}
        self._step.frame.run.tell("node.progress", self._step, lambda: told)

    def chunk(self, text: str) -> None:
        """Tells a piece of an output that is still being made."""
        if self._chunks is None:
            self._chunks = self._step.frame.run.secrets.stream()
        self._tell_chunk(self._chunks.piece(text))

    def tell_rest(self) -> None:
        """Tells what was kept back of the pieces, as no more come."""
        if self._chunks is not None:
            self._tell_chunk(self._chunks.rest())

    def _tell_chunk(self, text: str) -> None:
        if text:
            self._step.frame.run.tell("node.chunk", self._step, lambda: {"text": text})

    def mask(self, text: str) -> str:
        """The text without the run's secrets."""
        return self._step.frame.run.secrets.mask(text)
