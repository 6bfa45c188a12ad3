"""Sends spans in batches, and counts what comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketflow_otel.sending.answers import Accepted, Refused, TooLarge, TryAgain, Unreachable
from pocketflow_otel.sending.batches import batches
from pocketflow_otel.sending.messages import request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pocketflow_otel.sending.answers import Answer, Transport
    from pocketflow_otel.sending.messages import GroupedSpan
    from pocketflow_otel.sending.retries import Retries
    from pocketflow_otel.sending.tally import Tally


class Sender:
    """Sends spans over a transport.

    After a server could not be reached for as long as the retries last, all that follows is counted as not sent.

    Args:
        transport: Carries the requests.
        retries: How long to ask again.
        tally: Where spans are counted.
        waits: Is told of each wait before the next try: the reason, and how many seconds.
    """

    def __init__(
        self, transport: Transport, retries: Retries, tally: Tally, waits: Callable[[str, float], object]
    ) -> None:
        self._transport = transport
        self._retries = retries
        self._tally = tally
        self._waits = waits
        self._gave_up: str | None = None

    def send_all(self, spans: Iterable[GroupedSpan], sent: Callable[[], object]) -> None:
        """Sends spans.

        Args:
            spans: The spans.
            sent: Is called after each batch.
        """
        for batch in batches(spans):
            self.send(batch)
            sent()

    def send(self, batch: Sequence[GroupedSpan]) -> None:
        """Sends a batch in one request, or in several where it is too large for the server."""
        if self._gave_up is not None:
            self._tally.leave(len(batch), self._gave_up)
            return
        request = request_of(batch)

        def ask() -> Answer:
            self._tally.requests += 1
            return self._transport.send(request)

        match self._retries.answer(ask, self._waits):
            case Accepted() as answer:
                self._count(answer, len(batch))
            case TooLarge() if len(batch) > 1:
                middle = len(batch) // 2
                self.send(batch[:middle])
                self.send(batch[middle:])
            case TooLarge(reason) | Refused(reason):
                self._tally.refuse(len(batch), reason)
            case TryAgain(reason) | Unreachable(reason):
                self._gave_up = reason
                self._tally.leave(len(batch), reason)

    def _count(self, answer: Accepted, spans: int) -> None:
        rejected = min(max(answer.rejected_spans, 0), spans)
        self._tally.accepted += spans - rejected
        if rejected:
            self._tally.refuse(rejected, answer.message or "the server did not say why")
        elif answer.message:
            self._tally.warn(answer.message)
