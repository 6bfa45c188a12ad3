"""Visits of nodes: what is known at the start, on the way through prep, exec and post, and at the end."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import INVALID_SPAN

from pocketflow_otel import semconv
from pocketflow_otel.capture.containers import SCALARS
from pocketflow_otel.capture.output import Printed
from pocketflow_otel.capture.reading import count_keys
from pocketflow_otel.capture.seen import NOTHING_SEEN
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation import content, errors, store_delta
from pocketflow_otel.instrumentation.filling import set_attributes
from pocketflow_otel.instrumentation.places import Place
from pocketflow_otel.instrumentation.scopes import NO_CONTEXT, Orchestration, Scope, numbers
from pocketflow_otel.instrumentation.tracing import SCOPE, Tracing
from pocketflow_otel.instrumentation.tries import MOST_RETRIES, Trial
from pocketflow_otel.visiting import VISITING, Paused, takes_end

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from pocketflow_otel.capture.encoding import Encoded
    from pocketflow_otel.capture.store import Change, Snapshot
    from pocketflow_otel.instrumentation.attribution import StoreWatch
    from pocketflow_otel.instrumentation.classes import ClassInfo
    from pocketflow_otel.instrumentation.store_delta import KeyChange
    from pocketflow_otel.visiting import Measured, Visiting

_LEAST_SECONDS: Final = 0.0001
_LEAST_MEMORY: Final = 64 * 1024
"""Bytes of growth below which it is the interpreter's own housekeeping."""
_NUMBERS: Final = frozenset({int, float})

# Actions whose truth and hash are the interpreter's own business; of others no code is run to follow them.
_PLAIN_ACTIONS: Final = frozenset({str, bool, int, float, bytes, type(None)})


class Visit(Trial):
    """A visit of a node; `FlowRun` makes a flow's run of it.

    Attributes:
        info: The node's class.
        attributes: The node's instance attributes.
        orchestration: The round of the flow that visits it; None where it runs by itself.
        place: Its place in that flow, or one of its own.
        store: The shared store it was given.
        watch: The windows open on that store; None where what it does to the store is not recorded.
        changes: What it has done to the store, each key once.
        known_changes: The same, as whoever runs the node knows it, up to now; None where it has to be found out.
        overlapped: Whether another node may have written to the store in the same time.
        exec_alone: Whether no node on another branch was in its ``exec`` in the same time.
        in_exec: Whether ``exec`` is under way.
        item_numbers: Numbers the items of a batch node, or a batch flow's rounds.
        items_failed: How many of them failed.
    """

    keeps_ledger = True
    __slots__ = ("_batch_size", "_exec_began", "_exec_ended", "_io", "_phased", "_prepared", "_printed", "_retries",
                 "_snapshot", "_started", "_watch_is_own", "attributes", "changes", "exec_alone", "in_exec", "info",
                 "item_numbers", "items_failed", "known_changes", "orchestration", "overlapped", "store",
                 "watch")  # fmt: skip

    def __init__(
        self, tracing: Tracing, owner: type, instance: Any, info: ClassInfo, parent: Scope | None, store: Any
    ) -> None:
        # Written out, not left to the classes above: at every visit each of their calls takes as long as ten lines.
        self.tracing = tracing
        self.parent = parent
        self.owner = owner
        self.instance = self.node = instance
        self.info = info
        self.store = store
        self.seen = NOTHING_SEEN if parent is None else parent.seen
        self.span = INVALID_SPAN
        self.recording = False
        self.context = NO_CONTEXT
        self._token = None
        self._generation = tracing.generation
        self._told = self._shortened = ()
        self.sums = self.ledger = self.memory = None
        self.max_retries = 1
        self.attempts = self.items_failed = self._retries = 0
        self.waits = self.fallback = self.in_exec = self._watch_is_own = False
        self.last_try_ended = 0.0
        self.orchestration: Orchestration | None = None
        self.watch: StoreWatch | None = None
        self.changes: list[KeyChange] | None = None
        self._snapshot: Snapshot | None = None
        self.known_changes: list[Change] | None = None
        self.visiting = None
        self.tries_inside = False
        self.attributes = attributes = info.attributes(instance)
        retries = attributes.get("max_retries", 1)
        if type(retries) is int and retries != 1:  # of anything else no code is run
            self.max_retries = max(-MOST_RETRIES, min(retries, MOST_RETRIES))
            wait: Any = attributes.get("wait")
            self.waits = (type(type(wait)) is type and type(wait) in _NUMBERS) and wait > 0
        if type(parent) is Orchestration:
            self.orchestration = parent
            places = parent.flow.places
            self.place = places.known.get(id(attributes.get("successors"))) or places.of(instance, attributes)
        else:
            self.place = Place.alone(tracing, info, instance, attributes)
        if info.repeats:
            self.item_numbers = numbers()

    # The beginning.

    def begin(self, around: Context) -> None:
        """Starts the span, makes it current, and looks at the store."""
        place, orchestration, visiting = self.place, self.orchestration, VISITING.get()
        name, attributes = place.span_name, place.attributes.copy()
        if orchestration is not None or not self.info.is_flow:
            if visiting is not None and visiting.instance is self.instance:
                self.visiting = visiting
                previous = visiting.follows
                self._tell_visiting(visiting, attributes)
            else:
                attributes[semconv.NODE_VISIT] = place.visits = next(place.numbers)
                previous = None if orchestration is None else orchestration.previous
            if previous is not None:
                attributes[semconv.GRAPH_NODE_PARENT_ID] = previous
        if self.seen.known:  # a name may be a secret, known for one by now
            name, attributes = self.seen.mask(name), content.masked(self.seen, attributes)
        self.enter(name, attributes, around)
        self._started = perf_counter()
        if self.recording:
            try:
                self.recording_began()
            except Exception:  # noqa: BLE001 - the guard decides; the visit has begun, and must end
                guard.caught(f"recording {name}")
        if self.visiting is not None:  # from here on there is a span to end
            self.visiting.given_up.append(self.fail)

    def _tell_visiting(self, visiting: Visiting, attributes: dict[str, Any]) -> None:
        """Takes what whoever runs the node knows of the visit: which it is, which try, and what for."""
        self.known_changes = visiting.store_changes
        attributes[semconv.NODE_VISIT] = visiting.number
        if visiting.role != "node":
            attributes[semconv.NODE_ROLE] = visiting.role
        self.tries_inside = visiting.attempt == 0
        if visiting.attempt <= 1:
            self.place.visits = next(self.place.numbers)
        if not self.tries_inside and visiting.tries > 1:
            attributes[semconv.NODE_TRIES] = visiting.tries
            if visiting.attempt > 1:
                attributes[semconv.NODE_TRY] = visiting.attempt

    def recording_began(self) -> None:
        """Sets what only a recorded visit has, and opens its window on the store."""
        self.overlapped = self._phased = False
        self.exec_alone = True
        self._exec_began = self._exec_ended = 0.0
        self._batch_size: int | None = None
        self._io: dict[str, Encoded] | None = None
        self._printed: dict[str, Printed] | None = None
        self._prepared: Any = None
        policy = self.place.policy
        if policy.values is not None:
            self.tell_at_once(content.params(self, self.attributes.get("params")))
        if self.store is None:
            return
        flow = None if self.orchestration is None else self.orchestration.flow
        if flow is not None and flow.watch is not None and flow.store is self.store:
            self.watch = watch = flow.watch
        else:
            watch = self._find_watch()
        if self.known_changes is None:
            follows = flow is not None and flow.info.goes_straight
            self._snapshot = watch.open(self, policy.store_depth, follows=follows)

    def _find_watch(self) -> StoreWatch:
        """The watch of the store, acquired where no visit around has one."""
        scope: Any = self.parent
        while scope is not None:
            if isinstance(scope, Visit) and scope.watch is not None and scope.store is self.store:
                self.watch = scope.watch
                return self.watch
            scope = scope.parent
        self.watch, self._watch_is_own = self.tracing.watches.acquire(self.store), True
        return self.watch

    def open_window(self, *, follows: bool) -> None:
        """Begins to look at what happens to the store.

        Args:
            follows: Whether no code but PocketFlow's has run since the window before was closed.
        """
        if self.watch is not None:
            self._snapshot = self.watch.open(self, self.place.policy.store_depth, follows=follows)

    def close_window(self) -> None:
        """Takes what has happened to the store."""
        snapshot, self._snapshot = self._snapshot, None
        left: Snapshot | None = None
        try:
            if snapshot is not None and (found := snapshot.move_on(self.store)):
                self.add_changes(store_delta.described(self, found))
            left = snapshot
        finally:
            if self.watch is not None:
                self.watch.close(self, left)

    def add_changes(self, changes: list[KeyChange]) -> None:
        """Adds changes of the store to those there are, made before them."""
        self.changes = changes if not self.changes else store_delta.one_after_the_other(self.changes, changes)

    # The way through exec.

    def exec_began(self, prepared: Any) -> None:
        """Takes what ``prep`` returned, as ``_exec`` is about to use it."""
        self.in_exec = True
        if not self.recording:
            return
        self._exec_began = perf_counter()
        if self.info.is_batch:
            self._batch_size = content.known_size(prepared)
        renders = self.place.policy.io is not None
        if renders and type(type(prepared)) is type and type(prepared) in SCALARS:
            # It can't change: what is rendered at the end needs no look at the store for secrets now.
            self._prepared = prepared
            renders = False
        # Where others may write to the store during exec, prep and post are looked at each on its own; and where prep's
        # result is recorded, a secret that prep has put into the store must be known before.
        if self.known_changes is None and (
            self.info.is_async or self.tracing.watches.users > 1 or (renders and self._has_written())
        ):
            self._phased = True
            self.close_window()
            if self.watch is not None:
                self.watch.exec_began(self)
        if renders:
            self.note_io(semconv.INPUT_VALUE, prepared)

    def _has_written(self) -> bool:
        return self._snapshot is not None and not self._snapshot.is_still(self.store)

    def exec_returned(self, result: Any) -> None:
        """Takes what ``_exec`` returned."""
        self.in_exec = False
        if self.recording:
            self._exec_ended = perf_counter()
            if self._phased:
                self._open_after_exec()
        if self._told:
            self._told = ()  # what was raised in between was caught: it would keep alive what was there
        kind = type(result)
        if (type(kind) is not type or kind not in SCALARS) and not self.info.is_batch:  # each item has told of its own
            self.returned(result)
        if self.recording and self.place.policy.io is not None:
            self.note_io(semconv.OUTPUT_VALUE, result)

    def exec_raised(self) -> None:
        """Notes that ``_exec`` raised."""
        self.in_exec = False
        if self.recording:
            self._exec_ended = perf_counter()
            if self._phased:
                self._open_after_exec()

    def _open_after_exec(self) -> None:
        if self.watch is not None:
            self.open_window(follows=self.watch.exec_ended(self))

    def count_retries(self, attempts: int) -> None:
        """Adds the tries of an item, or of the node itself, after the first."""
        if attempts > 1:
            self._retries += attempts - 1

    def note_io(self, name: str, value: Any) -> None:
        """Renders an input or output at once: what is recorded of a value is what it was then."""
        if value is not None:
            self._io = {**(self._io or {}), name: content.encode(self, value, None)}

    # Printed text.

    @property
    def listener(self) -> Any:
        """This visit."""
        return self

    def printed(self, stream: str, text: str) -> None:
        """Takes what was printed during the visit."""
        if not text or not self.recording or self._token is None or not self.is_ours_to_end:
            return
        if self._printed is None:
            self._printed = {}
        buffer = self._printed.get(stream)
        if buffer is None:
            shown = self.place.policy.output is not None
            buffer = self._printed.setdefault(stream, Printed(self.tracing.max_value_bytes if shown else 0))
        buffer.add(text)

    # The end.

    def finish(self, result: Any = None) -> None:
        """Ends the visit, which returned an action."""
        if self.visiting is not None and not takes_end(self.visiting, self.fail):
            return
        try:
            if self._generation is self.tracing.generation:
                self._over(result, None, returned=True)
                if self.orchestration is not None:
                    self.orchestration.previous = self.place.name
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught(f"recording {self.place.span_name}")
        finally:
            self.end()

    def fail(self, error: BaseException) -> None:
        """Ends the visit, which raised, or is given up."""
        if self.visiting is not None and not takes_end(self.visiting, self.fail):
            return
        try:
            if self._generation is self.tracing.generation:
                is_error = not issubclass(type(error), Paused) and not self._is_tried_again(error)
                self._over(None, errors.error_type(error) if is_error else None, returned=False)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught(f"recording {self.place.span_name}")
        finally:
            super().fail(error)
            self.recording = False  # it may have been given up, and go on

    def _is_tried_again(self, error: BaseException) -> bool:
        """Whether the node is run again as a whole; where it is not, though it might have been, that is told."""
        visiting = self.visiting
        if visiting is None or self.tries_inside or visiting.attempt >= visiting.tries:
            return False
        if visiting.tries_again(error):
            self._retries += 1
            return True
        if self.recording:
            self.span.set_attribute(semconv.ATTEMPT_LAST, True)
        return False

    def _over(self, action: Any, error: str | None, *, returned: bool) -> None:
        """Closes the window on the store, records metrics, and tells what is known at the end."""
        ended = perf_counter()
        if self.recording:
            self._leave_store()
        if self.attempts > 1 and not self.info.is_batch:
            self.count_retries(self.attempts)
        self.record_metrics(ended - self._started, error)
        if self.recording:
            set_attributes(self.span, self.known_at_end(ended, action, returned=returned))

    def _leave_store(self) -> None:
        """Takes the last changes of the store, and hands them on to the flow around."""
        orchestration = self.orchestration
        try:
            if self.known_changes is not None:
                self._take_known(self.known_changes)
            elif self.watch is not None:
                self.close_window()
            if self.info.is_flow:
                self.settle()
            if self.changes and orchestration is not None:
                flow = orchestration.flow if not orchestration.flow.is_transparent else _around(orchestration.flow)
                if flow is not None and flow.watch is not None and flow.store is self.store:
                    flow.add_changes(self.changes)
        finally:
            if self._watch_is_own and self.watch is not None:
                self.tracing.watches.release(self.watch)

    def _take_known(self, changes: list[Change]) -> None:
        """Takes what whoever runs the node knows that it did to the store; nobody else can have done it."""
        if self.watch is not None:
            # Also without changes: what stands in for a node that failed is written once its span is over.
            self.watch.written_by(self)
        if changes:
            self.add_changes(store_delta.described(self, changes))

    def settle(self) -> None:
        """Called at a flow's end, once no more changes of the store will come."""

    def record_metrics(self, seconds: float, error: str | None) -> None:
        """Records the visit's metrics."""
        names = self.place.metric_attributes
        if self.seen.known:
            names = content.masked(self.seen, names)
        self.tracing.metrics.node_ended(seconds, names, error, self._retries)

    def known_at_end(self, ended: float, action: Any, *, returned: bool) -> dict[str, Any]:
        """All that is told of the visit once it is over.

        Args:
            ended: When, in seconds of the performance counter.
            action: What it returned.
            returned: Whether it did return.
        """
        attributes = self._routed(action) if returned else {}
        if self._exec_ended and ended - self._started >= _LEAST_SECONDS:
            self._tell_phases(ended, attributes)
        if self.info.repeats or self.max_retries != 1 or self.fallback:
            self._tell_tries(attributes)
        if self.watch is not None:
            store = self.store
            if number := len(store) if type(store) is dict else count_keys(store):
                attributes[semconv.STORE_KEYS] = number
            if self.changes:
                store_delta.tell(self, self.changes, attributes)
        if self.visiting is not None:
            _tell_measured(self.visiting.measured(), attributes)
        if self._printed is not None:
            content.tell_printed(self, self._printed, attributes)
        if self._prepared is not None:
            self.note_io(semconv.INPUT_VALUE, self._prepared)
        if self._io is not None:
            content.tell_io(self, self._io, attributes)
        return attributes

    def _routed(self, action: Any) -> dict[str, Any]:
        """The action, and the node that follows."""
        place, successors = self.place, self.place.successors
        if (type(action) is str or action is None) and action in place.routes and not self.seen.known:
            following, known = place.routes[action]
            if successors.get(action or semconv.DEFAULT_ACTION) is following:
                return known.copy()
        plain = type(type(action)) is type and type(action) in _PLAIN_ACTIONS
        routed = (action or semconv.DEFAULT_ACTION) if plain else action
        attributes: dict[str, Any] = {semconv.ACTION: content.key_name(self, routed)}
        if not (successors and plain) or self.orchestration is None or self.orchestration.flow.info.own_routing:
            return attributes
        following = successors.get(routed, self)
        if following is self:
            attributes[semconv.ACTION_UNROUTED] = True
        elif following is not None and (name := self.orchestration.flow.places.name_of(following)) is not None:
            attributes[semconv.NODE_NEXT] = self.seen.mask(name) if self.seen.known else name
            if (type(action) is str or action is None) and not self.seen.known:
                place.routes[action] = following, attributes.copy()
        return attributes

    def _tell_phases(self, ended: float, attributes: dict[str, Any]) -> None:
        seconds = self._exec_began - self._started
        if seconds >= _LEAST_SECONDS:
            attributes[semconv.PREP_SECONDS] = seconds
        seconds = self._exec_ended - self._exec_began
        if seconds >= _LEAST_SECONDS:
            attributes[semconv.EXEC_SECONDS] = seconds
        seconds = ended - self._exec_ended
        if seconds >= _LEAST_SECONDS:
            attributes[semconv.POST_SECONDS] = seconds

    def _tell_tries(self, attributes: dict[str, Any]) -> None:
        if self.info.is_batch:
            self._tell_batch(attributes)
            if self.max_retries != 1:
                attributes[semconv.MAX_RETRIES] = self.max_retries
        elif self._exec_ended:
            attributes.update(self.attempt_attributes())

    def _tell_batch(self, attributes: dict[str, Any]) -> None:
        size = self._batch_size
        if size is None:
            size = next(self.item_numbers)
        if size:
            attributes[semconv.BATCH_SIZE] = size
        if self.items_failed:
            attributes[semconv.BATCH_FAILED] = self.items_failed

    # Secrets.

    def remember_secrets(self) -> None:
        """Looks for secrets in the store and params."""
        content.remember(self, self.store)
        content.remember(self, self.attributes.get("params"))
        super().remember_secrets()


def _around(flow: Any) -> Any:
    """The innermost flow around one that has no span, which has one of its own; None without."""
    while flow is not None and flow.is_transparent:
        flow = flow.orchestration.flow if flow.orchestration is not None else None
    return flow


def _tell_measured(measured: Measured, attributes: dict[str, Any]) -> None:
    if measured.cpu_seconds >= _LEAST_SECONDS:
        attributes[semconv.NODE_CPU_SECONDS] = measured.cpu_seconds
    if abs(measured.memory_bytes) >= _LEAST_MEMORY:
        attributes[semconv.NODE_MEMORY_BYTES] = measured.memory_bytes
    if measured.read_bytes:
        attributes[semconv.NODE_READ_BYTES] = measured.read_bytes
    if measured.written_bytes:
        attributes[semconv.NODE_WRITTEN_BYTES] = measured.written_bytes
    for name, count in measured.counts.items():
        attributes[semconv.NODE_COUNT_PREFIX + name] = count


def current_scope() -> Any:
    """The innermost scope, if any."""
    return otel_context.get_value(SCOPE)
