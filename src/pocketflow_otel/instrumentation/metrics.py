"""The metrics of flows and nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Meter

# Seconds. The GenAI conventions' advice for durations of model operations, which flows are made of.
_BUCKETS: Final = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]


class Metrics:
    """Records durations, retries and errors.

    Args:
        meter: Where the instruments are made.
    """

    def __init__(self, meter: Meter) -> None:
        self._flow_duration = meter.create_histogram(
            semconv.METRIC_FLOW_DURATION,
            unit="s",
            description="Duration of a flow's run.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._node_duration = meter.create_histogram(
            semconv.METRIC_NODE_DURATION,
            unit="s",
            description="Duration of a node's visit.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._retries = meter.create_counter(
            semconv.METRIC_NODE_RETRIES, unit="{retry}", description="Tries of exec after the first."
        )
        self._errors = meter.create_counter(
            semconv.METRIC_NODE_ERRORS, unit="{error}", description="Visits of nodes that raised."
        )

    def flow_ended(self, seconds: float, attributes: Mapping[str, str], error: str | None) -> None:
        """Records a flow's run.

        Args:
            seconds: How long it took.
            attributes: Its name.
            error: ``error.type`` if it raised.
        """
        self._flow_duration.record(seconds, _with_error(attributes, error))

    def node_ended(self, seconds: float, attributes: Mapping[str, str], error: str | None) -> None:
        """Records a node's visit.

        Args:
            seconds: How long it took.
            attributes: Its name, and its flow's.
            error: ``error.type`` if it raised.
        """
        if error is not None:
            attributes = _with_error(attributes, error)
            self._errors.add(1, attributes)
        self._node_duration.record(seconds, attributes)

    def retried(self, retries: int, attributes: Mapping[str, str]) -> None:
        """Counts tries after the first."""
        self._retries.add(retries, attributes)


def _with_error(attributes: Mapping[str, str], error: str | None) -> Mapping[str, str]:
    return attributes if error is None else {**attributes, semconv.ERROR_TYPE: error}
