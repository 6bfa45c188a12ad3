"""What one instrumentation works with: the tracer and meters, the settings, and what is known of classes and stores."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry._logs import Logger, LogRecord
from opentelemetry.trace import SpanKind

from pocketflow_otel.budgets import Budget, Limits, with_budget
from pocketflow_otel.capture import told
from pocketflow_otel.capture.encoding import Encoded, safe_key
from pocketflow_otel.capture.redaction import Redactor
from pocketflow_otel.instrumentation.attribution import StoreWatches
from pocketflow_otel.instrumentation.classes import Classes
from pocketflow_otel.instrumentation.selection import Level, Selection
from pocketflow_otel.late import importing
from pocketflow_otel.llm.accounts import Accounts
from pocketflow_otel.options import ContentMode, Options
from pocketflow_otel.sessions import SESSION, session_attributes, session_of_baggage

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from pocketflow_otel.capture.seen import SeenSecrets
    from pocketflow_otel.instrumentation.metrics import Metrics
    from pocketflow_otel.llm.prices import Prices

_TRACES_REMEMBERED: Final = 256
_NAMES_REMEMBERED: Final = 4096
_LONGEST_NAME: Final = 1024
_DETAILED_DEPTH: Final = 4


class Outlet(NamedTuple):
    """Where content of one kind goes."""

    on_spans: bool
    on_events: bool


class Policy(NamedTuple):
    """What is recorded of a flow or node.

    Attributes:
        values: Where values and params go; None where they are not recorded.
        output: Where printed text goes, likewise.
        io: Where inputs and outputs go, likewise.
        any_content: Whether any content is recorded.
        store_depth: How deep changes in place are looked for.
    """

    values: Outlet | None
    output: Outlet | None
    io: Outlet | None
    any_content: bool
    store_depth: int


def _policy(options: Options, *, detailed: bool) -> Policy:
    outlets: list[Outlet | None] = []
    for capture in (options.capture_values, options.capture_output, options.capture_io):
        mode = options.content(capture)
        if detailed and mode is ContentMode.NO_CONTENT:
            mode = ContentMode.SPAN_ONLY
        outlets.append(None if mode is ContentMode.NO_CONTENT else Outlet(mode.on_spans, mode.on_events))
    depth = max(options.store_depth, _DETAILED_DEPTH) if detailed else options.store_depth
    values, output, io = outlets
    return Policy(values, output, io, any(outlets), depth)


class Tracing:
    """One instrumentation's means. Read in hot paths, so all is a plain attribute.

    Attributes:
        generation: Exchanged in the child of a fork: what was begun before is the parent's to end.
        accounts: The calls of models.
        limits: What each outermost flow may use.
        names: Keys and names rendered lately, as `safe_name` does.
        short_texts: Texts rendered lately, in which no secret was found.
    """

    def __init__(
        self, options: Options, tracer: Tracer, instruments: Metrics, logger: Logger, *, provider_given: bool
    ) -> None:
        self._provider_given = provider_given
        self.options = options
        self.start_span = tracer.start_span
        self.metrics = instruments
        self.accounts = Accounts(self._start_call, instruments, self._prices, self.safe)
        self.limits = Limits(*options.limits)
        if options.price_file is not None:
            self.accounts.pricing.read()
        self.classes = Classes()
        self.selection = Selection(options.include, options.exclude, options.detailed)
        self.watches = StoreWatches()
        self.generation = object()
        self.redactor = Redactor(hook=options.redact) if callable(options.redact) else Redactor(patterns=options.redact)
        self.max_value_bytes = options.max_value_bytes
        self.max_store_keys = options.max_store_keys
        self._logger = logger
        self._normal = _policy(options, detailed=False)
        self._detailed = _policy(options, detailed=True)
        self._secrets: OrderedDict[int, SeenSecrets] = OrderedDict()
        self.names: dict[str, tuple[str, bool]] = {}
        self.short_texts: dict[str, Encoded] = {}
        _tracings.add(self)

    def _start_call(self, name: str, attributes: dict[str, Any], around: Context, started: int) -> Span:
        session = session_attributes(around)
        if session is not None:
            attributes = {**attributes, **session}
        return self.start_span(name, around, SpanKind.CLIENT, attributes, start_time=started)

    def _prices(self) -> Prices:
        from pocketflow_otel.llm.prices import Prices

        return Prices.of_options(self.options.price_file, refresh=self.options.refresh_prices)

    def around_flow(self, around: Context) -> Context:
        """The context for an outermost flow: with the budget that options give it, and the session of a request."""
        if self.limits:
            around = with_budget(around, Budget(self.limits))
        session = session_of_baggage(around)
        return around if session is None else otel_context.set_value(SESSION, session, around)

    def policy(self, level: Level) -> Policy:
        """What to record at a level."""
        return self._detailed if level is Level.DETAILED else self._normal

    def enabled(self) -> bool:
        """Whether the program has not suppressed instrumentation here."""
        # Asked where a flow begins, and imported there: it brings much along.
        with importing:
            from opentelemetry.instrumentation.utils import is_instrumentation_enabled

        return bool(is_instrumentation_enabled())

    def is_live(self) -> bool:
        """Whether there is anyone to tell: a provider that was given, or one set for the whole program by now."""
        if self._provider_given:
            return True
        # The API's stand-in for a meter provider is private; its name tells it as well.
        return not (
            isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
            and type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider"
        )

    def secrets_of(self, trace_id: int) -> SeenSecrets:
        """The secrets met so far in a trace."""
        seen = self._secrets.get(trace_id)
        if seen is None:
            seen = self._secrets.setdefault(trace_id, told.new_trace())
            while len(self._secrets) > _TRACES_REMEMBERED:
                self._secrets.popitem(last=False)
        return seen

    def safe(self, value: object) -> str:
        """A name, key or action fit to be shown."""
        return self.safe_name(value)[0]

    def safe_name(self, value: object) -> tuple[str, bool]:
        """A name, key or action fit to be shown, and whether it is the name of a secret."""
        if type(value) is not str:
            return safe_key(value, self.redactor, None), False
        known = self.names.get(value)
        if known is None:
            known = safe_key(value, self.redactor, None), self.redactor.is_secret_name(value)
            if len(self.names) >= _NAMES_REMEMBERED:
                self.names.clear()
            if len(value) <= _LONGEST_NAME:
                self.names[value] = known
        return known

    def log_content(self, event: str, attributes: dict[str, Any], context: Context) -> None:
        """Writes content as a log record that belongs to a span.

        Args:
            event: The record's event name.
            attributes: The content.
            context: Where the span is current.
        """
        self._logger.emit(LogRecord(event_name=event, attributes=attributes, context=context))

    def after_fork(self) -> None:
        """Starts anew in the child of a fork."""
        self.generation = object()
        self.watches.after_fork()
        self.accounts.after_fork()
        for seen in self._secrets.values():
            seen.after_fork()


SCOPE: Final = otel_context.create_key("pocketflow-scope")
"""The innermost flow, node, item or try, in the OpenTelemetry context: it goes wherever the current span goes."""


_tracings: Final[weakref.WeakSet[Tracing]] = weakref.WeakSet()


def _after_fork() -> None:
    for tracing in list(_tracings):
        tracing.after_fork()


# A registration can't be taken back, so there is one, which holds nothing alive.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
