"""What is recorded of a run: an entry for each visit of a node, and the result of it all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.running.result import Masks

NodeStatus = Literal["succeeded", "degraded", "failed", "skipped", "cancelled", "limit", "waiting"]
RunStatus = Literal["succeeded", "degraded", "failed", "limit", "interrupted", "waiting"]

EXIT_CODES: Final[Mapping[str, int]] = {
    "succeeded": 0,
    "failed": 1,
    "degraded": 3,
    "limit": 4,
    "waiting": 5,
    "interrupted": 130,
}
"""How ``pocketflow-otel run`` ends; 2 is for a document or command line that makes no sense, 143 for SIGTERM."""


def iso(seconds: float) -> str:
    """A time in ISO 8601, in UTC, to the microsecond, so that texts are in the order of times.

    Args:
        seconds: Since 1970.
    """
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error, as it is told.

    Attributes:
        node: The node that failed.
        type: Name of the error's class, with its module unless that is built in or ours.
        message: What it says.
        at: Of a node inside maps: the numbers of the items, the outermost first.
    """

    node: str
    type: str
    message: str
    at: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What is worth telling: ``at`` only of a node inside maps."""
        told: dict[str, Any] = {"node": self.node, "type": self.type, "message": self.message}
        return {**told, "at": list(self.at)} if self.at else told


@dataclass(slots=True)
class NodeRecord:
    """One visit of a node, or that it was skipped.

    Attributes:
        node: The node; of one inside others ``outer.inner``.
        visit: Which visit, from 1, in its flow's run; 0 of a node that was skipped because of others.
        at: Of a node inside maps: the numbers of the items, the outermost first.
        status: What came of it.
        role: What it ran for: ``node``; ``handler`` of another that failed; ``undo`` of another's visit.
        seconds: How long it took.
        cpu_seconds: Processor time.
        memory_bytes: Growth of the process's resident memory meanwhile.
        read_bytes: Bytes read.
        written_bytes: Bytes written.
        attempts: How often it was tried.
        action: The action it chose; empty for the default one.
        error: Why it failed; of a degraded node, what another stands for.
        reason: Why it was skipped, or what is waited for.
        output: What it gave, if that is short; else what kind of thing, and how large.
        content_type: Which content that is; empty where there is none.
        counts: What it says to have done: ``rows_read``.
        stdout: What it printed.
        stderr: What it printed there.
        started: When it began, in seconds since 1970; as JSON in ISO 8601.
        number: Which record of the run it is, from 1, in the order in which visits ended.
        cause: The number of the visit because of which it could begin: the last of those it waited for; 0 where there
            was none.
    """

    node: str
    visit: int
    status: NodeStatus
    role: Literal["node", "handler", "undo"] = "node"
    at: tuple[int, ...] = ()
    started: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    attempts: int = 0
    action: str = ""
    error: ErrorInfo | None = None
    reason: str = ""
    output: Any = None
    content_type: str = ""
    counts: Mapping[str, float] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    number: int = field(default=0, compare=False)
    cause: int = field(default=0, compare=False)

    def as_json(self) -> dict[str, Any]:
        """What is worth telling: what is at its default is left out."""
        kept = {
            each.name: iso(value) if each.name == "started" else value
            for each in fields(self)
            if each.name not in _APART and ((value := getattr(self, each.name)) not in _NOTHING or each.name in _ALWAYS)
        }
        if self.at:
            kept["at"] = list(self.at)
        if self.error is not None:
            kept["error"] = self.error.as_json()
        if self.status in {"succeeded", "degraded"} and self.content_type:
            kept["output"] = self.output
        return kept


_APART: Final = frozenset({"number", "cause", "output", "error", "at"})
_ALWAYS: Final = frozenset({"node", "visit", "status", "seconds"})
_NOTHING: Final[tuple[Any, ...]] = (None, "", 0, 0.0, (), {}, "node")


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in figures.

    Attributes:
        visits: How many visits of nodes there were.
        by_status: How many nodes came to which end.
        retries: How many tries were made again.
        node_seconds: How long all nodes took, those that hold nodes left out.
        parallelism: How many of them were at work at once, on average.
        critical_path: The nodes that decided how long it took, in order, each because of the one before.
        critical_seconds: How long these took.
        tokens: Tokens of models, as far as they were seen.
        usd: What they cost in US dollars, as far as prices are known.
        abandoned_threads: Nodes that were given up while they went on in their thread.
    """

    visits: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    retries: int = 0
    node_seconds: float = 0.0
    parallelism: float = 0.0
    critical_path: tuple[str, ...] = ()
    critical_seconds: float = 0.0
    tokens: int = 0
    usd: float = 0.0
    abandoned_threads: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run.

    Attributes:
        run_id: The run.
        workflow: The workflow's name.
        status: What came of it.
        started: When it began, in ISO 8601.
        seconds: How long it took.
        outputs: What it gives back.
        error: Why it ended early.
        nodes: All visits, in the order in which they ended.
        undone: The undo nodes that ran, in order, with what came of each.
        summary: The run in figures.
        problems: What else went wrong, such as a connection that could not be closed.
        store: The shared store as the run left it.
        masks: What is masked in it as JSON.
    """

    run_id: str
    workflow: str
    status: RunStatus
    started: str
    seconds: float
    outputs: Mapping[str, Any]
    error: ErrorInfo | None
    nodes: tuple[NodeRecord, ...]
    undone: tuple[NodeRecord, ...]
    summary: Summary
    problems: tuple[str, ...]
    store: Mapping[Any, Any]
    masks: Masks = field(repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """All of it but the store, as ``--format json`` and ``result.json`` have it: the run's secrets are masked.

        Raises:
            RuntimeError: It comes out of a pickle, which knows no secrets.
        """
        from pocketflow_otel.runtime.running.result import as_json

        return as_json(self)

    @property
    def exit_code(self) -> int:
        """How a command ends that ran it."""
        return EXIT_CODES[self.status]
