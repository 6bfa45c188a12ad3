"""Runs of flows: outermost ones, which tell their graph, and those that are nodes of another flow."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from pocketflow_otel import semconv
from pocketflow_otel.budgets import nothing_recorded
from pocketflow_otel.capture.reading import read_store
from pocketflow_otel.capture.store import MODIFIED, REMOVED
from pocketflow_otel.instrumentation import content, graph
from pocketflow_otel.instrumentation.places import Places
from pocketflow_otel.instrumentation.store_delta import merge, settled
from pocketflow_otel.instrumentation.visits import Visit

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from pocketflow_otel.instrumentation.classes import ClassInfo
    from pocketflow_otel.instrumentation.scopes import Scope
    from pocketflow_otel.instrumentation.store_delta import KeyChange
    from pocketflow_otel.instrumentation.tracing import Tracing


class FlowRun(Visit):
    """A flow's run.

    Attributes:
        places: The places of its nodes.
        is_transparent: Whether it has no span, because it is not among the flows asked for.
    """

    __slots__ = ("_keys", "_rounds", "is_transparent", "places")

    def __init__(
        self, tracing: Tracing, owner: type, instance: Any, info: ClassInfo, parent: Scope | None, store: Any
    ) -> None:
        super().__init__(tracing, owner, instance, info, parent, store)
        self.is_transparent = False
        self._rounds = 0
        self._keys: dict[str, str] = {}  # what has become of each key of the store
        self.places = Places(tracing, graph.starts(instance), self.place.name)

    def begin(self, around: Context) -> None:
        """Starts the run; where nothing of it is recorded, budgets say what they don't see."""
        super().begin(around)
        if not self.recording and self.parent is None:
            nothing_recorded(around)

    def begin_transparent(self, around: Context) -> None:
        """Begins a flow without a span of its own; its nodes' spans hang below the span around it."""
        self.is_transparent = True
        self.enter_without_span(around)
        self._started = perf_counter()

    def recording_began(self) -> None:
        """Tells the graph of an outermost flow, and what the store holds."""
        super().recording_began()
        content.remember(self, self.attributes.get("params"))
        if self.orchestration is None:
            self.tracing.accounts.pricing.flow_began()
            self.tracing.accounts.store_given(self, read_store(self.store) or {})
            content.remember(self, self.store)
            self.tell_at_once(self._graph_attributes())
        if self.place.policy.io is not None:
            self.note_io(semconv.INPUT_VALUE, content.public_store(self.store))

    def _graph_attributes(self) -> dict[str, Any]:
        tracing = self.tracing
        place = graph.source_place(type(self.instance))
        attributes: dict[str, Any] = {
            semconv.FLOW_GRAPH: self._graph(),
            semconv.CODE_FUNCTION_NAME: tracing.safe(place.qualified_name),
        }
        if place.file is not None:
            attributes[semconv.CODE_FILE_PATH] = tracing.safe(place.file)
        if place.line is not None:
            attributes[semconv.CODE_LINE_NUMBER] = place.line
        return attributes

    def _graph(self) -> str:
        described, shortened = graph.describe(
            self.instance, self.tracing.classes, lambda value: content.key_name(self, value)
        )
        if shortened:
            self.shortened(semconv.FLOW_GRAPH)
        return described

    def add_changes(self, changes: list[KeyChange]) -> None:
        """Adds changes of the flow's own, or of its nodes, to those there are."""
        keys = self._keys
        for name, change, _, _ in changes:
            # A key that is there and is modified again is what it was: by far the most.
            if change is not MODIFIED or keys.get(name, REMOVED) is REMOVED:
                merge(keys, name, change)

    def settle(self) -> None:
        """Puts together what the flow and its nodes changed; a flow that is a node describes it as nodes do."""
        if self.watch is not None:
            self.changes = settled(self, self._keys, described=self.orchestration is not None)
        if self.recording and self.place.policy.io is not None:
            self.note_io(semconv.OUTPUT_VALUE, content.public_store(self.store))

    def orchestration_began(self) -> None:
        """Closes the window that is open during ``prep`` and ``post``: from here on the nodes write."""
        self._rounds += 1
        if not self.recording:
            return
        if not self._exec_began:
            self._exec_began = perf_counter()
        if self._rounds == 1 and self.watch is not None:
            self.close_window()

    def orchestration_ended(self) -> None:
        """Opens the window again where no other round is under way."""
        self._rounds -= 1
        if not self.recording:
            return
        self._exec_ended = perf_counter()
        if self._rounds == 0:
            self.open_window(follows=self.info.goes_straight)

    def record_metrics(self, seconds: float, error: str | None) -> None:
        """Records the flow's metrics."""
        if not self.is_transparent:
            names = self.place.metric_attributes
            if self.seen.known:
                names = content.masked(self.seen, names)
            self.tracing.metrics.flow_ended(seconds, names, error)

    def known_at_end(self, ended: float, action: Any, *, returned: bool) -> dict[str, Any]:
        """All that is told of the run once it is over."""
        attributes = super().known_at_end(ended, action, returned=returned)
        if visits := self.places.visits:
            attributes[semconv.FLOW_VISITS] = visits
        if self.seen.known and self.orchestration is None:
            attributes[semconv.FLOW_GRAPH] = self._graph()  # what was told at the start may be known for a secret now
        return attributes

    def _tell_tries(self, attributes: dict[str, Any]) -> None:
        if self.info.is_batch_flow:
            self._tell_batch(attributes)
