"""Watches spans that are not ours: they may report calls of models, belong to sessions, and hold secrets.

The SDK's class of spans is hooked rather than a processor added: providers have no way to give one up again, and those
of other tools, which nobody tells us of, have spans too.
"""

from __future__ import annotations

import sys
import weakref
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import StatusCode

from pocketflow_otel import semconv
from pocketflow_otel.budgets import BUDGETS
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation.patching import Method, patch_method, restore
from pocketflow_otel.instrumentation.told_secrets import mask_told
from pocketflow_otel.instrumentation.tracing import SCOPE
from pocketflow_otel.sessions import session_attributes

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from pocketflow_otel.llm.accounts import Accounts
    from pocketflow_otel.llm.ledger import SpanOfOthers

_SDK: Final = "opentelemetry.sdk.trace"
_NAMES: Final = frozenset({"start", "end"})
_NOTE: Final = "__pocketflow_note__"
_OURS: Final = semconv.INSTRUMENTATION_NAME


class SdkSpans:
    """The hooks on the SDK's spans; `install` does nothing until the program has loaded the SDK.

    Args:
        accounts: Told of the spans that begin and end in flows.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._active = True
        self._hooked: type | None = None
        # The scope that our tracer gives its spans: known by itself, for its name takes longer to ask for.
        self._own: object = object()
        # Open spans by id, for those that begin inside: one that is never ended goes with its span object.
        self._open: weakref.WeakValueDictionary[int, SpanOfOthers] = weakref.WeakValueDictionary()

    def install(self) -> None:
        """Hooks the SDK's spans, where the SDK is loaded."""
        sdk = sys.modules.get(_SDK)
        if self._hooked is not None or sdk is None:
            return
        span: Any = getattr(sdk, "Span", None)
        if isinstance(span, type) and span.__dict__.keys() >= _NAMES:
            self._hooked = span
            patch_method(span, "start", self._start_hook)
            patch_method(span, "end", self._end_hook)

    def remove(self) -> None:
        """Takes the hooks away."""
        self._active = False
        if self._hooked is not None:
            restore(self._hooked, _NAMES)
            self._hooked = None

    def _start_hook(self, _owner: type, call: Method, _is_async: bool) -> Method:
        def start(span: Any, start_time: int | None = None, parent_context: Context | None = None) -> None:
            try:
                if span.instrumentation_scope is not self._own and self._is_of_others(span) and self._active:
                    self._begins(span, parent_context)
            except Exception:  # noqa: BLE001 - the guard decides
                guard.caught("noting where a span begins")
            call(span, start_time, parent_context)

        return start

    def _end_hook(self, _owner: type, call: Method, _is_async: bool) -> Method:
        def end(span: Any, end_time: int | None = None) -> None:
            try:
                if span.instrumentation_scope is not self._own and self._is_of_others(span):
                    self._ends(span, end_time)
                    if self._active and span.is_recording():
                        mask_told(span)
            except Exception:  # noqa: BLE001 - the guard decides
                guard.caught("reading a span that ends")
            call(span, end_time)

        return end

    def _is_of_others(self, span: Any) -> bool:
        scope = span.instrumentation_scope
        if getattr(scope, "name", None) != _OURS:
            return True
        self._own = scope
        return False

    def _begins(self, span: Any, parent_context: Context | None) -> None:
        context = parent_context if parent_context is not None else otel_context.get_current()
        session = session_attributes(context)
        if session:
            # What a span says itself goes before: others know conversations by ids of their own.
            span.set_attributes({name: value for name, value in session.items() if name not in span.attributes})
        scope = context.get(SCOPE)
        budgets: Any = context.get(BUDGETS) or ()
        if scope is None and not budgets:
            return
        parent = span.parent
        around = self._open.get(parent.span_id) if parent is not None else None
        note = self._accounts.span_began(scope, budgets, around, span.attributes)
        span.__dict__[_NOTE] = note
        self._open[span.get_span_context().span_id] = note

    def _ends(self, span: Any, end_time: int | None) -> None:
        note: SpanOfOthers | None = span.__dict__.pop(_NOTE, None)
        if note is None or not self._active:
            return
        times = span.start_time, time_ns() if end_time is None else end_time
        failed = span.status.status_code is StatusCode.ERROR
        self._accounts.span_ended(
            note, span.attributes, getattr(span.instrumentation_scope, "name", "") or "", times, failed=failed
        )
