"""Makes records of visits: the one place that all of them come by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pocketflow_otel.budgets import BudgetExceeded
from pocketflow_otel.runtime.errors import Cancelled, Interrupted, LimitReached, NodeTimeout
from pocketflow_otel.runtime.registry.node_types import Waiting
from pocketflow_otel.runtime.running.records import NodeRecord
from pocketflow_otel.runtime.running.showing import said, shown

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.records import NodeStatus
    from pocketflow_otel.runtime.running.steps import Step
    from pocketflow_otel.runtime.values.envelope import Envelope

GOES_ON: Final = "given up, and goes on in its thread"
"""Why a node was cancelled that nothing can end."""


class Recorder:
    """Keeps what came of each step, in the order in which they were over."""

    def __init__(self) -> None:
        self.records: list[NodeRecord] = []

    def record(self, record: NodeRecord) -> None:
        """Takes the record of a step that is over, and numbers it. The crew's lock is held."""
        self.records.append(record)
        record.number = len(self.records)


def record_of(step: Step, status: NodeStatus) -> NodeRecord:
    """What is recorded of a step that is over."""
    secrets, prints = step.frame.run.secrets, step.prints
    record = bare_record(step, status)
    record.attempts = step.attempt if step.attempt > 1 else 0
    record.action = secrets.mask(step.action or "")
    record.error = step.told_error
    record.reason = step.reason
    if step.has_begun:
        meter = step.meter
        took = meter.measured or meter.measure()
        record.seconds = meter.seconds
        record.cpu_seconds, record.memory_bytes = took.cpu_seconds, took.memory_bytes
        record.read_bytes, record.written_bytes = took.read_bytes, took.written_bytes
        if took.counts:
            record.counts = secrets.masked(dict(took.counts))
    if prints is not None and prints.streams:
        record.stdout = prints.text("stdout", secrets)
        record.stderr = prints.text("stderr", secrets)
    if status in {"succeeded", "degraded"}:
        record_output(step, record, step.output)
    return record


def record_output(step: Step, record: NodeRecord, output: Envelope | None) -> None:
    """Notes what a step gave, or what stands for it."""
    if output is not None:
        record.content_type = output.content_type
        record.output = step.frame.run.secrets.masked(shown(output.body))


def left_behind(step: Step) -> NodeRecord:
    """What is recorded of a step that goes on in its thread though the run is over."""
    record = bare_record(step, "cancelled")
    record.seconds = time.time() - step.started if step.started else 0.0
    record.reason = GOES_ON if not step.planned.is_async else "given up, and goes on"
    return record


def bare_record(step: Step, status: NodeStatus) -> NodeRecord:
    """What is known of a step in any case."""
    cause = 0 if step.cause is None else step.cause.number
    return NodeRecord(step.planned.path, step.number, status, step.role, step.frame.at, step.started, cause=cause)


def why_stopped(error: BaseException | None) -> str:
    """Why a node was ended that has not failed: what stopped those around it."""
    kind = type(error)
    if issubclass(kind, Interrupted):
        return "the run was interrupted"
    if issubclass(kind, LimitReached | BudgetExceeded):
        return "a limit was reached"
    if issubclass(kind, NodeTimeout):
        return "what holds it took longer than it may"
    if error is not None and issubclass(kind, Cancelled | Waiting):
        return said(error)
    return "another node failed"
