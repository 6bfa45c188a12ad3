"""Tells of calls: spans of those that nobody else has one of, metrics, and warnings."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from pocketflow_otel import log, semconv
from pocketflow_otel.guard import guard
from pocketflow_otel.llm.sums import source_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span

    from pocketflow_otel.llm.ledger import Call
    from pocketflow_otel.llm.usage import Usage

    StartCall = Callable[[str, dict[str, Any], Any, int], Span]
    """Starts the span of a call: (name, attributes, context around, start in nanoseconds since the epoch)."""

_METRIC_NAMES: Final = (semconv.OPERATION_NAME, semconv.PROVIDER_NAME, semconv.REQUEST_MODEL)


class CallMetrics(Protocol):
    """Records what calls used and cost."""

    def call_priced(self, usd: float, model: str) -> None:
        """Records what a call cost."""

    def call_told(self, usage: Usage, seconds: float | None, attributes: Mapping[str, str]) -> None:
        """Records a call that no other instrumentation knows of."""


class _Here(threading.local):
    is_saying = False


class Telling:
    """Tells of calls, apart from counting them: logs and metrics are the program's, and no lock may be held meanwhile.

    Args:
        start_call: Starts the span of a call that nobody else has one of.
        metrics: Records what calls used and cost.
        clean: Makes a name fit to be shown.
    """

    def __init__(self, start_call: StartCall, metrics: CallMetrics, clean: Callable[[str], str]) -> None:
        self._start_call = start_call
        self._metrics = metrics
        self._clean = clean
        self._warnings: deque[str] = deque()
        self._costs: deque[tuple[float, str]] = deque()
        self._here = _Here()

    def cost(self, usd: float, model: str) -> None:
        """Notes what a call cost, for `say`."""
        self._costs.append((usd, model))

    def warning(self, message: str) -> None:
        """Notes a warning, for `say`."""
        self._warnings.append(message)

    def say(self) -> None:
        """Records the costs and logs the warnings noted so far.

        A finalizer may end a call in the middle of this; what it has to say is said when this goes on.
        """
        if self._here.is_saying:
            return
        self._here.is_saying = True
        try:
            while self._costs:
                self._metrics.call_priced(*self._costs.popleft())
            while self._warnings:
                log.warn("%s", self._warnings.popleft())
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("telling what calls cost")
        finally:
            self._here.is_saying = False

    def call(self, call: Call, usage: Usage, context: Any, started: int, seconds: float | None) -> None:
        """Makes the span of a call that only we know of, and records its metrics.

        Args:
            call: The call.
            usage: What it used.
            context: The context around it.
            started: When it began, in nanoseconds since the epoch.
            seconds: How long it took; None where that is not known.
        """
        if call.scope is not None and call.scope.is_silent:
            return
        attributes = self._attributes(call, usage)
        span = self._start_call(f"{semconv.SPAN_CHAT} {call.name}", attributes, context, started)
        span.end(call.ended)
        names: dict[str, str] = {name: attributes[name] for name in _METRIC_NAMES if name in attributes}
        self._metrics.call_told(usage, seconds, names)

    def shown(self, name: str | None, scope: Any) -> str | None:
        """A name that a program or another tool gave, as a span may tell it: masked, and cut where it is long."""
        if name is None:
            return None
        shown = self._clean(name)
        return str(scope.seen.mask(shown)) if scope is not None and scope.seen.known else shown

    def _attributes(self, call: Call, usage: Usage) -> dict[str, Any]:
        """What the span of a call tells, under the conventions' names."""
        told: dict[str, Any] = {
            semconv.OPERATION_NAME: semconv.OPERATION_CHAT,
            semconv.PROVIDER_NAME: self.shown(usage.provider, call.scope),
            semconv.REQUEST_MODEL: call.model,
            semconv.RESPONSE_ID: self.shown(usage.response_id, call.scope),
            semconv.CALL_INPUT_TOKENS: usage.input_tokens,
            semconv.CALL_OUTPUT_TOKENS: usage.output_tokens,
            semconv.CALL_CACHE_READ_TOKENS: usage.cached_input_tokens,
            semconv.CALL_CACHE_WRITE_TOKENS: usage.cache_write_tokens,
            semconv.CALL_REASONING_TOKENS: usage.reasoning_tokens,
        }
        if call.price is not None:
            told |= {
                semconv.CALL_COST: call.price.usd,
                semconv.OPERATION_COST: call.price.usd,
                semconv.PRICE_SOURCE: source_name(call.price.source),
                semconv.PRICE_AS_OF: call.price.as_of,
            }
        return {name: value for name, value in told.items() if value}
