"""Visits of nodes and runs of flows: what is known at the start, on the way through its phases, and at the end."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from pocketflow_otel import semconv
from pocketflow_otel.capture.output import Printed
from pocketflow_otel.instrumentation import content, errors, graph
from pocketflow_otel.instrumentation.attribution import StoreWatch
from pocketflow_otel.instrumentation.classes import ClassInfo
from pocketflow_otel.instrumentation.guard import guard
from pocketflow_otel.instrumentation.places import Place, Places
from pocketflow_otel.instrumentation.scopes import Orchestration, Scope, Trial, numbers
from pocketflow_otel.instrumentation.store_delta import StoreDelta
from pocketflow_otel.instrumentation.tracing import SCOPE, Tracing
from pocketflow_otel.options import ContentMode

_LEAST_SECONDS: Final = 0.0001

# Actions whose truth and hash are the interpreter's own business; of others no code is run to follow them.
_PLAIN_ACTIONS: Final = frozenset({str, bool, int, float, bytes, type(None)})


class Visit(Trial):
    """A visit of a node, or a flow's run.

    Attributes:
        info: Its class.
        place: Its place in the flow around it, or one of its own.
        store: The shared store it was given.
        delta: What it does to the store; None where that is not recorded.
        overlapped: Whether another node may have written to the store in the same time.
        item_numbers: Numbers the items of a batch node, or a batch flow's rounds.
        items_failed: How many of them failed.
    """

    __slots__ = ("_batch_size", "_exec_began", "_exec_ended", "_in_exec", "_inputs", "_printed", "_started",
                 "_ended", "_watch", "_watch_is_own", "attributes", "delta", "info", "item_numbers", "items_failed", "orchestration",
                 "overlapped", "place", "retries", "store")  # fmt: skip

    def __init__(
        self, tracing: Tracing, owner: type, instance: Any, info: ClassInfo, parent: Scope | None, store: Any
    ) -> None:
        super().__init__(tracing, parent)
        self.instance = self.node = instance
        self.owner = owner
        self.info = info
        self.store = store
        self.attributes = info.attributes(instance)
        self.orchestration = parent if type(parent) is Orchestration else None
        self.place = self._find_place()
        self.max_retries = self.attributes.get("max_retries", 1)
        self.wait = self.attributes.get("wait", 0)
        self.item_numbers: Any = None
        self.items_failed = 0
        self.retries = 0
        self.overlapped = False
        self.delta: StoreDelta | None = None
        self._watch: StoreWatch | None = None
        self._watch_is_own = False
        self._printed: dict[str, Printed] | None = None
        self._inputs: dict[str, Any] | None = None
        self._in_exec = False
        self._exec_began = self._exec_ended = 0.0
        self._batch_size: int | None = None
        self._started = self._ended = 0.0

    def _find_place(self) -> Place:
        if self.orchestration is not None:
            place: Place = self.orchestration.flow.places.of(self.instance, self.attributes)
            return place
        tracing = self.tracing
        name = tracing.safe(graph.own_name(self.instance, self.info.name))
        class_name = None
        if not self.info.is_flow:
            class_name = tracing.safe(graph.source_place(type(self.instance)).qualified_name)
        successors = self.attributes.get("successors")
        return Place(tracing, self.info, name, successors if type(successors) is dict else {}, class_name=class_name)

    # -- beginning

    def begin(self, around: Context) -> None:
        """Starts the span, makes it current, and looks at the store."""
        place = self.place
        attributes = place.attributes.copy()
        if self.orchestration is not None or not self.info.is_flow:
            attributes[semconv.NODE_VISIT] = place.next_visit()
        if self.orchestration is not None and self.orchestration.previous is not None:
            attributes[semconv.GRAPH_NODE_PARENT_ID] = self.orchestration.previous
        attributes.update(self.more_at_start())
        self.start_span(place.span_name, attributes, around)
        self.enter(around)
        self._started = perf_counter()
        if self.recording:
            self.recording_began()

    def more_at_start(self) -> dict[str, Any]:
        """More to tell at the start."""
        if self.info.is_batch:
            self.item_numbers = numbers()
        return self.params_content(self.attributes.get("params"))

    def params_content(self, params: Any) -> dict[str, Any]:
        """A visit's params, where content is on."""
        if not params or type(params) is not dict or not self.place.policy.values.on_spans:
            return {}
        return {semconv.PARAMS: content.encode(self, params, "params").text}

    def recording_began(self) -> None:
        """Opens the visit's window on the store."""
        if self.store is None:
            return
        parent = self.parent
        while parent is not None and not isinstance(parent, Visit):
            parent = parent.parent
        if parent is not None and parent.store is self.store and parent._watch is not None:
            self._watch = parent._watch
        else:
            self._watch = self.tracing.watches.acquire(self.store)
            self._watch_is_own = True
        self.delta = StoreDelta(self)
        self._open_window()

    @property
    def in_phases(self) -> bool:
        """Whether others may write to the store while this runs, so that prep and post are looked at each on its own."""
        return self.info.is_async or self.tracing.watches.busy

    def _open_window(self) -> None:
        if self._watch is not None and self.delta is not None:
            self._watch.open(self)
            self.delta.window_opened()

    def _close_window(self) -> None:
        if self._watch is not None and self.delta is not None:
            try:
                self.delta.window_closed()
            finally:
                self._watch.close(self)

    def _hand_changes_on(self) -> None:
        flow = self.orchestration.flow if self.orchestration is not None else None
        while flow is not None and flow.is_transparent:
            flow = flow.orchestration.flow if flow.orchestration is not None else None
        if self.delta is not None and flow is not None and flow.delta is not None and flow.store is self.store:
            self.delta.hand_to(flow.delta)

    # -- the way through exec

    @property
    def in_exec(self) -> bool:
        """Whether ``exec`` is under way."""
        return self._in_exec

    def exec_began(self, prepared: Any) -> None:
        """Takes what ``prep`` returned, as ``_exec`` is about to use it."""
        self._in_exec = True
        self._exec_began = perf_counter()
        if not self.recording:
            return
        if self.info.is_batch:
            self._batch_size = content.known_size(prepared)
        if self.place.policy.io is not ContentMode.NO_CONTENT:
            self._note_io(semconv.INPUT_VALUE, prepared)
        if self.delta is not None and self.in_phases:
            self.delta.in_phases = True
            self._close_window()

    def exec_returned(self, result: Any) -> None:
        """Takes what ``_exec`` returned."""
        self._exec_is_over()
        self._error_id = 0
        if self.recording and self.place.policy.io is not ContentMode.NO_CONTENT:
            self._note_io(semconv.OUTPUT_VALUE, result)

    def exec_raised(self) -> None:
        """Notes that ``_exec`` raised."""
        self._exec_is_over()

    def _exec_is_over(self) -> None:
        self._in_exec = False
        self._exec_ended = perf_counter()
        if self.delta is not None and self.delta.in_phases:
            self._open_window()

    def count_retries(self, attempts: int) -> None:
        """Adds the tries of an item, or of the node itself, after the first."""
        if attempts > 1:
            self.retries += attempts - 1

    def _note_io(self, name: str, value: Any) -> None:
        if value is None:
            return
        if self._inputs is None:
            self._inputs = {}
        self._inputs[name] = content.encode(self, value, None)

    # -- printed text

    @property
    def listener(self) -> Any:
        """This visit."""
        return self

    def printed(self, stream: str, text: str) -> None:
        """Takes what was printed during the visit."""
        if not self.recording:
            return
        if self._printed is None:
            self._printed = {}
        buffer = self._printed.get(stream)
        if buffer is None:
            shown = self.place.policy.output is not ContentMode.NO_CONTENT
            buffer = self._printed.setdefault(stream, Printed(self.tracing.max_value_bytes if shown else 0))
        buffer.add(text)

    # -- the end

    def finish(self, result: Any = None) -> None:
        """Ends the visit, which returned an action."""
        try:
            if self.is_ours_to_end:
                self.over(None)
                if self.recording:
                    self.span.set_attributes(self.at_the_end(result, returned=True))
                    if self.orchestration is not None:
                        self.orchestration.previous = self.place.name
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught(f"recording {self.place.span_name}")
        self.end()

    def fail(self, error: BaseException) -> None:
        """Ends the visit, which raised."""
        try:
            if self.is_ours_to_end:
                self.over(errors.error_type(error))
                if self.recording:
                    self.span.set_attributes(self.at_the_end(None, returned=False))
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught(f"recording {self.place.span_name}")
        super().fail(error)

    def over(self, error: str | None) -> None:
        """Closes the window on the store, and records metrics."""
        self._ended = perf_counter()
        try:
            if self.recording:
                self._close_window()
                self._hand_changes_on()
        finally:
            if self._watch_is_own and self._watch is not None:
                self.tracing.watches.release(self._watch)
        if not self.info.is_batch:
            self.count_retries(self.attempts)
        self.record_metrics(self._ended - self._started, error)

    def record_metrics(self, seconds: float, error: str | None) -> None:
        """Records the visit's metrics."""
        metrics = self.tracing.metrics
        metrics.node_ended(seconds, self.place.metric_attributes, error)
        if self.retries:
            metrics.retried(self.retries, self.place.metric_attributes)

    def at_the_end(self, action: Any, *, returned: bool) -> dict[str, Any]:
        """All that is told of the visit once it is over."""
        attributes: dict[str, Any] = {}
        truncated: list[str] = []
        if returned:
            self._tell_action(action, attributes)
        self._tell_phases(attributes)
        self._tell_tries(attributes)
        if self.delta is not None:
            self.delta.tell(attributes, truncated)
        if self._printed is not None:
            content.tell_printed(self, self._printed, attributes, truncated)
        if self._inputs is not None:
            content.tell_io(self, self._inputs, attributes, truncated)
        if truncated:
            attributes[semconv.TRUNCATED] = truncated
        return attributes

    def _tell_action(self, action: Any, attributes: dict[str, Any]) -> None:
        plain = type(action) in _PLAIN_ACTIONS
        routed = (action or semconv.DEFAULT_ACTION) if plain else action
        attributes[semconv.ACTION] = self.tracing.safe(routed)
        orchestration = self.orchestration
        if orchestration is None or not plain or orchestration.flow.info.own_routing:
            return
        successors = self.place.successors
        if routed in successors:
            following = successors[routed]
            if following is not None and (name := orchestration.flow.places.name_of(following)) is not None:
                attributes[semconv.NODE_NEXT] = name
        elif successors:
            attributes[semconv.ACTION_UNROUTED] = True

    def _tell_phases(self, attributes: dict[str, Any]) -> None:
        if not self._exec_ended:
            return
        for name, seconds in (
            (semconv.PREP_SECONDS, self._exec_began - self._started),
            (semconv.EXEC_SECONDS, self._exec_ended - self._exec_began),
            (semconv.POST_SECONDS, self._ended - self._exec_ended),
        ):
            if seconds >= _LEAST_SECONDS:
                attributes[name] = seconds

    def _tell_tries(self, attributes: dict[str, Any]) -> None:
        if self.info.is_batch or self.info.is_batch_flow:
            size = self._batch_size
            if size is None and self.item_numbers is not None:
                size = next(self.item_numbers)
            if size:
                attributes[semconv.BATCH_SIZE] = size
            if self.items_failed:
                attributes[semconv.BATCH_FAILED] = self.items_failed
            if type(self.max_retries) is int and self.max_retries != 1 and not self.info.is_flow:
                attributes[semconv.MAX_RETRIES] = self.max_retries
        elif not self.info.is_flow and self._exec_ended:
            attributes.update(self.attempt_attributes())

    # -- secrets

    def remember_secrets(self) -> None:
        """Looks for secrets in the store and params."""
        content.remember(self, self.store)
        content.remember(self, self.attributes.get("params"))
        super().remember_secrets()


class FlowRun(Visit):
    """A flow's run: outermost, or as a node of another flow.

    Attributes:
        places: The places of its nodes.
        is_transparent: Whether it has no span, because it is not among the flows asked for.
    """

    __slots__ = ("_rounds", "is_transparent", "places")

    def __init__(
        self, tracing: Tracing, owner: type, instance: Any, info: ClassInfo, parent: Scope | None, store: Any
    ) -> None:
        super().__init__(tracing, owner, instance, info, parent, store)
        self.is_transparent = False
        self._rounds = 0
        self.places = Places(tracing, self.attributes.get("start_node"), self.place.name)

    def begin_transparent(self, around: Context) -> None:
        """Begins a flow without a span of its own; its nodes' spans hang below the span around it."""
        self.is_transparent = True
        self.enter_without_span(around)
        self._started = perf_counter()

    def more_at_start(self) -> dict[str, Any]:
        """The graph, on the outermost flow; params."""
        if self.info.is_batch_flow:
            self.item_numbers = numbers()
        return {} if self.orchestration is None else self.params_content(self.attributes.get("params"))

    def recording_began(self) -> None:
        """Tells the graph of an outermost flow, and what the store holds."""
        if self.orchestration is None:
            self.span.set_attributes(self._graph_attributes())
            content.remember(self, self.store)
        if self.place.policy.io is not ContentMode.NO_CONTENT:
            self._note_io(semconv.INPUT_VALUE, content.public_store(self.store))
        super().recording_began()

    def _graph_attributes(self) -> dict[str, Any]:
        tracing = self.tracing
        place = graph.source_place(type(self.instance))
        described, shortened = graph.describe(self.instance, tracing.classes, tracing.safe)
        attributes: dict[str, Any] = {
            semconv.FLOW_GRAPH: described,
            semconv.CODE_FUNCTION_NAME: tracing.safe(place.qualified_name),
        }
        if place.file is not None:
            attributes[semconv.CODE_FILE_PATH] = tracing.safe(place.file)
        if place.line is not None:
            attributes[semconv.CODE_LINE_NUMBER] = place.line
        if shortened:
            attributes[semconv.TRUNCATED] = [semconv.FLOW_GRAPH]
        return attributes

    def orchestration_began(self) -> None:
        """Closes the window that is open during ``prep`` and ``post``: from here on the nodes write."""
        self._rounds += 1
        if not self._exec_began:
            self._exec_began = perf_counter()
        if self._rounds == 1:
            self._close_window()

    def orchestration_ended(self) -> None:
        """Opens the window again where no other round is under way."""
        self._rounds -= 1
        self._exec_ended = perf_counter()
        if self._rounds == 0:
            self._open_window()

    def over(self, error: str | None) -> None:
        """Closes what is open, and hands the changes on to the flow around."""
        super().over(error)
        if self.recording and self.place.policy.io is not ContentMode.NO_CONTENT:
            self._note_io(semconv.OUTPUT_VALUE, content.public_store(self.store))
        if self.delta is not None and self.orchestration is not None:
            self.delta.render_keys_of_nodes()

    def record_metrics(self, seconds: float, error: str | None) -> None:
        """Records the flow's metrics."""
        if not self.is_transparent:
            self.tracing.metrics.flow_ended(seconds, self.place.metric_attributes, error)

    def at_the_end(self, action: Any, *, returned: bool) -> dict[str, Any]:
        """All that is told of the run once it is over."""
        attributes = super().at_the_end(action, returned=returned)
        if visits := self.places.visits:
            attributes[semconv.FLOW_VISITS] = visits
        return attributes


def current_scope() -> Any:
    """The innermost scope, if any."""
    return otel_context.get_value(SCOPE)
