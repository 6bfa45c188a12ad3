"""What a node or flow did to the shared store, from the windows in which it could write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.store import ADDED, MODIFIED, REMOVED, Snapshot, count_keys, read_store
from pocketflow_otel.instrumentation import content

if TYPE_CHECKING:
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


class StoreDelta:
    """Gathers the changes of one visit.

    Args:
        visit: The visit; its store is looked at.
    """

    __slots__ = ("_keys", "_shapes", "_snapshot", "_values", "_visit")

    def __init__(self, visit: Any) -> None:
        self._visit = visit
        self._snapshot: Snapshot | None = None
        self._keys: dict[str, str] = {}
        self._shapes: dict[str, str] = {}
        self._values: dict[str, Encoded] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def window_opened(self, snapshot: Snapshot) -> None:
        """Takes the store as a window opens."""
        self._snapshot = snapshot

    def window_closed(self) -> Snapshot | None:
        """Takes what changed in the store since the window opened, and renders it at once: values live on.

        Returns:
            The store as it is now.
        """
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is None:
            return None
        visit = self._visit
        keys, shapes = self._keys, self._shapes
        for change, key, value in snapshot.move_on(visit.store):
            if change is REMOVED:
                self.merge(content.key_name(visit, key), change)
                continue
            name = content.noted_key(visit, key, value)
            if name in keys:
                self.merge(name, change)
            else:
                keys[name] = change
            if len(shapes) < visit.tracing.max_store_keys or name in shapes:
                self._render(name, value)
        return snapshot

    def _render(self, name: str, value: Any) -> None:
        self._shapes[name] = shape(value)
        if self._visit.place.policy.values is not None:
            self._values[name] = content.encode(self._visit, value, name)

    def merge(self, name: str, change: str) -> None:
        """Adds a change of a key to those there are."""
        before = self._keys.get(name)
        if before is None:
            self._keys[name] = change
            return
        after = _BOTH[before, change]
        if after is None:
            del self._keys[name]
        else:
            self._keys[name] = after

    def hand_to(self, outer: StoreDelta) -> None:
        """Adds these changes to those of the flow around."""
        for name, change in self._keys.items():
            outer.merge(name, change)

    def render_keys_of_nodes(self) -> None:
        """Renders what a nested flow's nodes changed, as the store holds it now."""
        missing = self._keys.keys() - self._shapes.keys()
        if not missing:
            return
        for key, value in (read_store(self._visit.store) or {}).items():
            if len(self._shapes) >= self._visit.tracing.max_store_keys:
                return
            name = content.key_name(self._visit, key)
            if name in missing:
                self._render(name, value)

    def tell(self, attributes: dict[str, Any], truncated: list[str]) -> None:
        """Writes the changes into a span's attributes.

        Args:
            attributes: Where they go.
            truncated: Gets the names of attributes that were shortened.
        """
        visit, keys = self._visit, self._keys
        number = count_keys(visit.store)
        if number:
            attributes[semconv.STORE_KEYS] = number
        if not keys:
            return
        most = visit.tracing.max_store_keys
        for name in sorted(keys)[: most * _NAMES_FOR_EACH_SHAPE] if len(keys) > 1 else keys:
            attributes.setdefault(_LISTED_UNDER[keys[name]], []).append(name)
        for name, text in self._shapes.items():
            if keys.get(name, REMOVED) is not REMOVED:
                attributes[semconv.STORE_SHAPE_PREFIX + name] = text
        if self._values:
            self._tell_values(attributes, truncated)
        if len(keys) > most:
            attributes[semconv.STORE_OMITTED] = len(keys) - most
        if visit.overlapped:
            attributes[semconv.STORE_ATTRIBUTION] = semconv.ATTRIBUTION_SHARED

    def _tell_values(self, attributes: dict[str, Any], truncated: list[str]) -> None:
        visit = self._visit
        outlet = visit.place.policy.values
        for name, value in self._values.items():
            if self._keys.get(name, REMOVED) is REMOVED:
                continue
            attribute = semconv.STORE_VALUE_PREFIX + name
            if outlet.on_spans:
                attributes[attribute] = value.text
                if value.truncated:
                    truncated.append(attribute)
            if outlet.on_events:
                visit.tracing.log_content(semconv.LOG_STORE_CHANGE, {attribute: value.text}, visit.context)
