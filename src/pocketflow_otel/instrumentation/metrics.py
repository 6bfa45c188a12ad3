"""The metrics of flows and nodes, and of what was called in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.metrics import Meter

    from pocketflow_otel.llm.usage import Usage

# The GenAI conventions' advice for tokens; and in seconds for durations of model operations, which flows are made of.
_TOKEN_BUCKETS: Final = [4.0**power for power in range(14)]
_BUCKETS: Final = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]


class Metrics:
    """Records durations, retries, errors, tokens and cost.

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

        self._cost = meter.create_counter(semconv.METRIC_COST, unit="USD", description="Cost of calls of models.")
        self._tokens = meter.create_histogram(
            semconv.METRIC_TOKEN_USAGE,
            unit="{token}",
            description="Tokens of calls that no other instrumentation knows of.",
            explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
        )
        self._call_duration = meter.create_histogram(
            semconv.METRIC_CALL_DURATION,
            unit="s",
            description="Duration of calls that no other instrumentation knows of.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )

    def flow_ended(self, seconds: float, attributes: Mapping[str, str], error: str | None) -> None:
        """Records a flow's run.

        Args:
            seconds: How long it took.
            attributes: Its name.
            error: ``error.type`` if it raised.
        """
        self._flow_duration.record(seconds, _with_error(attributes, error))

    def node_ended(self, seconds: float, attributes: Mapping[str, str], error: str | None, retries: int) -> None:
        """Records a node's visit.

        Args:
            seconds: How long it took.
            attributes: Its name, and its flow's.
            error: ``error.type`` if it raised.
            retries: How often ``exec`` was tried again.
        """
        if retries:
            self._retries.add(retries, attributes)
        if error is not None:
            attributes = _with_error(attributes, error)
            self._errors.add(1, attributes)
        self._node_duration.record(seconds, attributes)

    def call_priced(self, usd: float, model: str) -> None:
        """Records what a call of a model cost."""
        self._cost.add(usd, {semconv.REQUEST_MODEL: model})

    def call_told(self, usage: Usage, seconds: float | None, attributes: Mapping[str, str]) -> None:
        """Records a call that no other instrumentation knows of.

        Args:
            usage: What it used.
            seconds: How long it took; None where that is not known.
            attributes: Its operation, provider and model.
        """
        self._tokens.record(usage.input_tokens, {**attributes, semconv.TOKEN_TYPE: semconv.TOKEN_INPUT})
        self._tokens.record(usage.output_tokens, {**attributes, semconv.TOKEN_TYPE: semconv.TOKEN_OUTPUT})
        if seconds is not None:
            self._call_duration.record(seconds, attributes)


def _with_error(attributes: Mapping[str, str], error: str | None) -> Mapping[str, str]:
    return attributes if error is None else {**attributes, semconv.ERROR_TYPE: error}
