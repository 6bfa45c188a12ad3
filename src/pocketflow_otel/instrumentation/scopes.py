"""Things that happen, as spans: each begins once, is filled, and ends once, whatever happens.

A scope knows its span, the context in which that is current, and the scope around it. The innermost one travels in the
OpenTelemetry context, so that it is known wherever the current span is: in tasks, in threads that were handed the
context, and in the proxies of stdout and stderr.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from pocketflow_otel import semconv
from pocketflow_otel.budgets import BUDGETS
from pocketflow_otel.capture.encoding import plain
from pocketflow_otel.capture.seen import NOTHING_SEEN
from pocketflow_otel.capture.windows import encodable, first_bytes
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation import content, errors
from pocketflow_otel.instrumentation.tracing import SCOPE, Tracing
from pocketflow_otel.sessions import SESSION
from pocketflow_otel.visiting import Paused

if TYPE_CHECKING:
    from contextvars import Token

    from pocketflow_otel.capture.seen import SeenSecrets
    from pocketflow_otel.llm.ledger import Ledger
    from pocketflow_otel.llm.memory import Memory
    from pocketflow_otel.llm.sums import Sums

_MAX_MESSAGE: Final = 2048
_MOST_TOLD: Final = 256
_MAX_STACK: Final = 16 * 1024

# The API keeps the key of the current span to itself; asking it once saves two copies of the context at every span.
_SPAN_KEY: Final = next(iter(trace.set_span_in_context(INVALID_SPAN, Context())))


NO_CONTEXT: Final = Context()
_INTERNAL: Final = SpanKind.INTERNAL


class Scope:
    """Something that happens, with its span.

    Attributes:
        parent: The scope around it.
        span: Its span, or that of the scope around it where it has none of its own.
        recording: Whether it has a span of its own that is recorded.
        context: The OpenTelemetry context inside.
        instance: The node or flow object for which this is the visit or run; None for other scopes.
        owner: The class whose method began it: the same method again is a recursion, another one a call of ``super()``.
        seen: The secrets met so far in this trace.
        sums: What calls of models inside used and cost; None where there were none.
        ledger: Those calls, where it is a visit; ``keeps_ledger`` says so.
        memory: What is remembered of them, where no scope is around it.
        failed_try: Whether it was a try that failed.
        is_silent: Whether nothing inside is told of.
    """

    # Made and read at every visit: the interpreter is quickest with slots, and slowest with defaults in the class.
    __slots__ = (
        "_generation",
        "_shortened",
        "_token",
        "_told",
        "context",
        "instance",
        "ledger",
        "memory",
        "owner",
        "parent",
        "recording",
        "seen",
        "span",
        "sums",
        "tracing",
    )  # fmt: skip
    is_silent = False
    keeps_ledger = False
    failed_try = False

    def __init__(self, tracing: Tracing, parent: Scope | None) -> None:
        self.tracing = tracing
        self.parent = parent
        self.instance: Any = None
        self.owner: type | None = None
        self.recording = False
        self.span: Span = INVALID_SPAN
        self.seen: SeenSecrets = NOTHING_SEEN if parent is None else parent.seen
        self.context = NO_CONTEXT
        self._generation = tracing.generation
        self._token: Token[Context] | None = None
        self._told: tuple[BaseException, ...] = ()  # by scopes inside, of what they raised
        self._shortened: tuple[str, ...] = ()
        self.sums: Sums | None = None
        self.ledger: Ledger | None = None
        self.memory: Memory | None = None

    def enter(self, name: str, attributes: dict[str, Any], around: Context) -> None:
        """Starts the scope's span, and makes both the current ones."""
        tracing = self.tracing
        session: Any = around.get(SESSION)
        if session is not None:
            attributes = {**attributes, **session}
        self.span = span = tracing.start_span(name, around, _INTERNAL, attributes)
        try:
            self.recording = span.is_recording()
            if self.recording and self.seen is NOTHING_SEEN:
                self.seen = tracing.secrets_of(span.get_span_context().trace_id)
        except Exception:  # noqa: BLE001 - the SDK may be anyone's
            guard.caught("asking a span")
        self.context = context = Context({**around, _SPAN_KEY: span, SCOPE: self})
        self._token = otel_context.attach(context)

    def enter_without_span(self, around: Context) -> None:
        """Makes the scope current, leaving the current span as it is."""
        self.context = Context({**around, SCOPE: self})
        self._token = otel_context.attach(self.context)

    @property
    def is_ours_to_end(self) -> bool:
        """Whether this process began it: after a fork, the child has scopes that are its parent's to end."""
        return self._generation is self.tracing.generation

    def finish(self, result: Any = None) -> None:  # noqa: ARG002 - what a method returned matters to some scopes
        """Ends the scope after its method has returned."""
        self.end()

    def fail(self, error: BaseException) -> None:
        """Ends the scope after its method has raised."""
        try:
            if self.is_ours_to_end:
                self.note_error(error, with_trace=True)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("recording an error")
        finally:
            self.end()

    def end(self) -> None:
        """Leaves the scope and ends its span."""
        token, self._token, span = self._token, None, self.span
        try:
            if token is not None:
                # Where another scope is current it stays so: a coroutine may be closed from anywhere.
                current = otel_context.get_current()
                if current is self.context or _is_within(current.get(SCOPE), self):
                    otel_context.detach(token)
            if span is not INVALID_SPAN and self._generation is self.tracing.generation:
                if self.sums is not None and self.recording:
                    span.set_attributes(self.tracing.accounts.told(self.sums))
                if self._shortened:
                    span.set_attribute(semconv.TRUNCATED, self._shortened)
                span.end()
        except Exception:  # noqa: BLE001 - span processors are the user's
            guard.caught("ending a span")
        # Both refer back to the scope: without this each scope would have to wait for the garbage collector.
        self.context = NO_CONTEXT
        if self._told:
            self._told = ()

    def note_error(self, error: BaseException, *, with_trace: bool) -> None:
        """Records an exception on the span: as an event where it was raised, as a status on every span it passes."""
        first = not any(told is error for told in self._told)
        if self.parent is not None and (self.recording or not first):
            self.parent.was_told(error)
        if not self.recording:
            return
        kind = errors.error_type(error)
        self.remember_secrets()
        message = encodable(errors.message(error, self._masked))
        text = first_bytes(message, _MAX_MESSAGE)
        if issubclass(type(error), Paused):
            self.span.set_attribute(semconv.WAITING, text)
            return
        self.span.set_attribute(semconv.ERROR_TYPE, kind)
        self.span.set_status(Status(StatusCode.ERROR, text))
        if not first:
            return
        event = {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_MESSAGE: text}
        if with_trace:
            trace_text = encodable(errors.stack_trace(error, self._masked))
            event[semconv.EXCEPTION_STACKTRACE] = first_bytes(trace_text, _MAX_STACK)
        if len(text) < len(message):
            self.shortened(semconv.EXCEPTION_MESSAGE)
        self.span.add_event(semconv.EVENT_EXCEPTION, event)

    def _masked(self, text: str) -> str:
        return plain(text, _MAX_STACK, self.tracing.redactor, self.seen).text

    def returned(self, result: Any) -> None:
        """Looks for calls of models in what a node's code returned."""
        if self.recording or BUDGETS in self.context:
            self.tracing.accounts.result(self, result)

    def was_told(self, error: BaseException) -> None:
        """Notes that a scope inside has told an error, which may now come through here; or be caught before."""
        if len(self._told) < _MOST_TOLD:
            self._told = (*self._told, error)

    def forget_told(self) -> None:
        """Lets go of errors that will not come through here any more: they keep alive what was there."""
        self._told = ()

    def tell_at_once(self, attributes: dict[str, Any]) -> None:
        """Sets attributes that are known, but of no interest to samplers."""
        try:
            if attributes:
                self.span.set_attributes(attributes)
        except Exception:  # noqa: BLE001 - the SDK may be anyone's
            guard.caught("setting attributes")

    def shortened(self, attribute: str) -> None:
        """Notes that an attribute does not tell all there was."""
        if attribute not in self._shortened:
            self._shortened = (*self._shortened, attribute)

    def remember_secrets(self) -> None:
        """Looks for secrets in what the scope works on, before a text that may hold them is recorded."""
        if self.parent is not None:
            self.parent.remember_secrets()

    @property
    def listener(self) -> Any:
        """The visit of a node or flow that printed text belongs to."""
        return None if self.parent is None else self.parent.listener


def _is_within(scope: Any, around: Scope) -> bool:
    while scope is not None:
        if scope is around:
            return True
        scope = scope.parent
    return False


class Dormant(Scope):
    """Nothing inside is traced: it was excluded or suppressed, or there is no provider."""

    is_silent = True
    __slots__ = ("_node",)

    def __init__(self, tracing: Tracing, parent: Scope | None, owner: type | None, node: Any) -> None:
        super().__init__(tracing, parent)
        self.owner = owner
        self._node = node

    @property
    def is_flow(self) -> bool:
        """Whether it is a flow that is left out, and so what begins directly inside is visited by it."""
        return self._node is not None and self.tracing.classes.info(type(self._node)).is_flow

    def is_same_visit(self, owner: type, node: Any) -> bool:
        """Whether a method is part of the visit that this begins with: reached through ``super()``."""
        return self._node is node and self.owner is not owner

    def note_error(self, error: BaseException, *, with_trace: bool) -> None:
        """Leaves an error to the first scope around that tells it."""

    @property
    def listener(self) -> Any:
        """Nobody: what is printed inside belongs to nothing that is traced."""
        return None


class Orchestration(Scope):
    """A flow going from node to node: once, or in a batch flow once for each of its params, as an ``iteration`` span.

    Attributes:
        flow: The flow's run.
        previous: Name of the node visited last.
    """

    __slots__ = ("flow", "previous")

    def __init__(self, flow: Any, owner: type, params: Any, around: Context) -> None:
        super().__init__(flow.tracing, flow)
        self.flow = flow
        self.owner = owner
        self.previous: str | None = None
        if flow.info.is_batch_flow and not flow.is_transparent:
            attributes = {**flow.place.inside, semconv.BATCH_INDEX: next(flow.item_numbers)}
            self.enter(semconv.SPAN_ITERATION, attributes, around)
            if self.recording:
                self._recording_began(params)
        else:
            self.enter_without_span(around)
        flow.orchestration_began()

    def _recording_began(self, params: Any) -> None:
        flow = self.flow
        try:
            content.remember(flow, params)
            if flow.place.policy.values is not None:
                self.tell_at_once(content.params(flow, params))
        except Exception:  # noqa: BLE001 - the guard decides; the round has begun, and must end
            guard.caught("recording a round")

    def finish(self, result: Any = None) -> None:
        """Ends the round."""
        self.flow.orchestration_ended()
        super().finish(result)

    def fail(self, error: BaseException) -> None:
        """Ends the round, in which a node raised."""
        self.flow.items_failed += self.flow.info.is_batch_flow and not issubclass(type(error), Paused)
        self.flow.orchestration_ended()
        super().fail(error)


def numbers() -> Any:
    """Counts from 0, safely under threads."""
    return count()
