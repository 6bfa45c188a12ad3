"""What a node or flow did to the shared store, from the windows in which it could write to it."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.capture.containers import SCALARS
from pocketflow_otel.capture.reading import count_keys, read_store
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.store import ADDED, MODIFIED, REMOVED, Change, Snapshot
from pocketflow_otel.instrumentation import content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.capture.encoding import Encoded

_NAMES_FOR_EACH_SHAPE: Final = 8
"""Names of changed keys cost little, and tell who wrote a key: more of them are listed than shapes."""

# What two changes one after the other come to. None: the key is as it was, for it came and went.
_BOTH: Final[dict[tuple[str, str], str | None]] = {
    (ADDED, ADDED): ADDED,
    (ADDED, MODIFIED): ADDED,
    (ADDED, REMOVED): None,
    (MODIFIED, ADDED): MODIFIED,
    (MODIFIED, MODIFIED): MODIFIED,
    (MODIFIED, REMOVED): REMOVED,
    (REMOVED, ADDED): MODIFIED,
    (REMOVED, MODIFIED): MODIFIED,
    (REMOVED, REMOVED): REMOVED,
}

_LISTED_UNDER: Final = {
    ADDED: semconv.STORE_ADDED,
    MODIFIED: semconv.STORE_MODIFIED,
    REMOVED: semconv.STORE_REMOVED,
}


KeyChange = tuple[str, str, "str | None", "Encoded | None"]
"""What happened to a key, rendered at once, for values live on: the key, fit to be shown; `ADDED`, `MODIFIED` or
`REMOVED`; type and size of its value, None where it has none or more keys changed than are described; the value, where
content is recorded."""


class StoreDelta:
    """Gathers the changes of one visit, which is handed to each method: it holds its delta, and is not held by it.

    Attributes:
        changes: The keys that changed, each once.
        snapshot: The store as the window that is open was opened.
    """

    __slots__ = ("changes", "snapshot")

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.changes: list[KeyChange] = []

    def window_closed(self, visit: Any) -> Snapshot | None:
        """Takes what changed in the store since the window opened.

        Returns:
            The store as it is now.
        """
        snapshot, self.snapshot = self.snapshot, None
        if snapshot is not None and (found := snapshot.move_on(visit.store)):
            self.add(self._described(visit, found))
        return snapshot

    def _described(self, visit: Any, found: list[Change]) -> list[KeyChange]:
        left = visit.tracing.max_store_keys
        without_values = visit.place.policy.values is None
        changes: list[KeyChange] = []
        holding: list[tuple[str, Any]] = []
        for change, key, value in found:
            if change is REMOVED:
                changes.append((content.key_name(visit, key), REMOVED, None, None))
                continue
            name = content.noted_key(visit, key, value)
            if not (type(type(value)) is type and type(value) in SCALARS):
                holding.append((name, value))
            described = shape(value) if left > 0 else None
            encoded = None if without_values or left <= 0 else content.encode(visit, value, name)
            changes.append((name, change, described, encoded))
            left -= 1
        if holding:
            visit.tracing.accounts.stored(visit, holding)
        return changes

    def add(self, changes: Iterable[KeyChange]) -> None:
        """Adds changes to those there are, made before them."""
        self.changes = list(changes) if not self.changes else _one_after_the_other(self.changes, changes)

    def tell(self, visit: Any, attributes: dict[str, Any]) -> None:
        """Writes the changes into a span's attributes."""
        changes, store = self.changes, visit.store
        if number := len(store) if type(store) is dict else count_keys(store):
            attributes[semconv.STORE_KEYS] = number
        if not changes:
            return
        most = visit.tracing.max_store_keys
        if len(changes) > 1:
            changes.sort(key=_name)
            if len(changes) > most:
                attributes[semconv.STORE_OMITTED] = len(changes) - most
                changes = changes[: most * _NAMES_FOR_EACH_SHAPE]
        for name, change, described, value in changes:
            listed = attributes.get(_LISTED_UNDER[change])
            if listed is None:
                attributes[_LISTED_UNDER[change]] = [name]
            else:
                listed.append(name)
            if described is not None:
                attributes[semconv.STORE_SHAPE_PREFIX + name] = described
            if value is not None:
                self._tell_value(visit, name, value, attributes)
        if visit.overlapped:
            attributes[semconv.STORE_ATTRIBUTION] = semconv.ATTRIBUTION_SHARED

    def _tell_value(self, visit: Any, name: str, value: Encoded, attributes: dict[str, Any]) -> None:
        outlet = visit.place.policy.values
        attribute = semconv.STORE_VALUE_PREFIX + name
        if outlet.on_spans:
            attributes[attribute] = value.text
            if value.truncated:
                visit.shortened(attribute)
        if outlet.on_events:
            visit.tracing.log_content(semconv.LOG_STORE_CHANGE, {attribute: value.text}, visit.context)


class FlowDelta(StoreDelta):
    """Gathers the changes of a flow's run: its nodes', and its own in ``prep`` and ``post``."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, str] = {}

    def add(self, changes: Iterable[KeyChange]) -> None:
        """Adds changes to those there are, made before them."""
        keys = self._keys
        for name, change, _, _ in changes:
            # A key that is there and is modified again is what it was: by far the most.
            if change is not MODIFIED or keys.get(name, REMOVED) is REMOVED:
                merge(keys, name, change)

    def settle(self, visit: Any, *, described: bool) -> None:
        """Makes `changes` of what was gathered.

        Args:
            visit: The flow's run.
            described: Whether to tell shapes and values, as the store holds them now.
        """
        values: dict[str, Any] = {}
        if described and self._keys:
            values = {content.key_name(visit, key): value for key, value in (read_store(visit.store) or {}).items()}
        left = visit.tracing.max_store_keys
        self.changes = []
        for name in sorted(self._keys):
            change = self._keys[name]
            if change is not REMOVED and left > 0 and name in values:
                left -= 1
                value = values[name]
                encoded = None if visit.place.policy.values is None else content.encode(visit, value, name)
                self.changes.append((name, change, shape(value), encoded))
            else:
                self.changes.append((name, change, None, None))


_name: Final = itemgetter(0)


def merge(keys: dict[str, str], name: str, change: str) -> None:
    """Adds a change of a key to those there are."""
    before = keys.get(name)
    if before is None:
        keys[name] = change
        return
    after = _BOTH[before, change]
    if after is None:
        del keys[name]
    else:
        keys[name] = after


def _one_after_the_other(first: list[KeyChange], then: Iterable[KeyChange]) -> list[KeyChange]:
    latest = {change[0]: change for change in first}
    for name, change, described, value in then:
        before = latest.get(name)
        after = change if before is None else _BOTH[before[1], change]
        if after is None:
            del latest[name]
        else:
            latest[name] = name, after, described, value
    return list(latest.values())
