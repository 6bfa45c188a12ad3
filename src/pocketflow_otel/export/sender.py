"""An exporter that is asked again where that may help: in smaller batches, and once more at the end of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel.export.attempt import Failure, attempt, listen_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from pocketflow_otel.export.background import Losses


class Sender:
    """Sends batches by an exporter; never raises.

    Args:
        exporter: The exporter.
        timeout_seconds: The timeout that it works under.
        renew: Makes another one like it: one that has been made to give up takes nothing any more.
        optional: Whether nothing is lost where the receiver has no such signal.
    """

    def __init__(
        self,
        exporter: SpanExporter | LogRecordExporter,
        timeout_seconds: float,
        *,
        renew: Callable[[], SpanExporter | LogRecordExporter] | None = None,
        optional: bool = False,
    ) -> None:
        listen_to(exporter)
        self._exporter: Any = exporter
        self._timeout_seconds = timeout_seconds
        self._renew = renew
        self._optional = optional
        self._given_up = False

    def send(self, batch: list[Any]) -> Losses:
        """Sends a batch, in parts where it is too large for the receiver.

        Returns:
            What was lost: how many for which reason.
        """
        failure = self._attempt(batch)
        if failure is not None and failure.given_up and self._renew is not None:
            # It was waiting to try again; the receiver may be back by now.
            failure = self._attempt(batch)
        if failure is None or (self._optional and failure.unsupported):
            return []
        if failure.too_large:
            middle = len(batch) // 2
            return self.send(batch[:middle]) + self.send(batch[middle:])
        return [(failure.reason, len(batch) if failure.rejected is None else min(failure.rejected, len(batch)))]

    def shutdown(self) -> None:
        """Shuts the exporter down, whatever it makes of that."""
        attempt(self._stop, self._timeout_seconds)

    def _attempt(self, batch: list[Any]) -> Failure | None:
        divisible = len(batch) > 1
        failure = attempt(lambda: self._export(batch), self._timeout_seconds, self._stop, divisible=divisible)
        self._given_up = failure is not None and failure.given_up
        return failure

    def _export(self, batch: list[Any]) -> object:
        if self._given_up and self._renew is not None:
            self._exporter = self._renew()
        return self._exporter.export(batch)

    def _stop(self) -> None:
        self._exporter.shutdown()
