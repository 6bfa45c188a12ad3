"""What a node or flow did to the shared store, from the windows in which it could write to it."""

from __future__ import annotations

import enum
from typing import Any, Final, NamedTuple

from pocketflow_otel import semconv
from pocketflow_otel.capture.encoding import Encoded
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.store import Changes, Snapshot, count_keys, read_store
from pocketflow_otel.instrumentation import content
from pocketflow_otel.options import ContentMode

_NAMES_FOR_EACH_SHAPE: Final = 8
"""Names of changed keys cost little, and tell who wrote a key: more of them are listed than shapes."""


class Change(enum.Enum):
    """What happened to a key; its value is the attribute that lists such keys."""

    ADDED = semconv.STORE_ADDED
    MODIFIED = semconv.STORE_MODIFIED
    REMOVED = semconv.STORE_REMOVED


_Outcome = Change | None

# What two changes one after the other come to. None: the key is as it was, for it came and went.
_BOTH: Final[dict[tuple[Change, Change], _Outcome]] = {
    (Change.ADDED, Change.ADDED): Change.ADDED,
    (Change.ADDED, Change.MODIFIED): Change.ADDED,
    (Change.ADDED, Change.REMOVED): None,
    (Change.MODIFIED, Change.ADDED): Change.MODIFIED,
    (Change.MODIFIED, Change.MODIFIED): Change.MODIFIED,
    (Change.MODIFIED, Change.REMOVED): Change.REMOVED,
    (Change.REMOVED, Change.ADDED): Change.MODIFIED,
    (Change.REMOVED, Change.MODIFIED): Change.MODIFIED,
    (Change.REMOVED, Change.REMOVED): Change.REMOVED,
}


class _Rendered(NamedTuple):
    shape: str
    value: Encoded | None


class StoreDelta:
    """Gathers the changes of one visit.

    Args:
        visit: The visit; its store is looked at.

    Attributes:
        in_phases: Whether there are separate windows for ``prep`` and ``post``.
    """

    __slots__ = ("_keys", "_rendered", "_snapshot", "_visit", "in_phases")

    def __init__(self, visit: Any) -> None:
        self.in_phases = False
        self._visit = visit
        self._snapshot: Snapshot | None = None
        self._keys: dict[str, Change] = {}
        self._rendered: dict[str, _Rendered] = {}

    def window_opened(self) -> None:
        """Looks at the store as a window opens."""
        self._snapshot = Snapshot(self._visit.store, self._visit.place.policy.store_depth)

    def window_closed(self) -> None:
        """Takes what changed in the store since the window opened, and renders it at once: values live on."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is None:
            return
        changes = snapshot.changes_until(self._visit.store)
        if changes:
            self._take(changes)

    def _take(self, changes: Changes) -> None:
        visit = self._visit
        for kind, pairs in ((Change.ADDED, changes.added), (Change.MODIFIED, changes.modified)):
            for key, value in pairs:
                content.remember_key(visit, key, value)
                name = content.key_name(visit, key)
                self.merge(name, kind)
                if len(self._rendered) < visit.tracing.max_store_keys or name in self._rendered:
                    self._rendered[name] = self._render(name, value)
        for key in changes.removed:
            self.merge(content.key_name(visit, key), Change.REMOVED)

    def _render(self, name: str, value: Any) -> _Rendered:
        if self._visit.place.policy.values is ContentMode.NO_CONTENT:
            return _Rendered(shape(value), None)
        return _Rendered(shape(value), content.encode(self._visit, value, name))

    def merge(self, name: str, change: Change) -> None:
        """Adds a change of a key to those there are."""
        before = self._keys.get(name)
        after = change if before is None else _BOTH[before, change]
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
        missing = self._keys.keys() - self._rendered.keys()
        if not missing:
            return
        for key, value in (read_store(self._visit.store) or {}).items():
            if len(self._rendered) >= self._visit.tracing.max_store_keys:
                return
            name = content.key_name(self._visit, key)
            if name in missing:
                self._rendered[name] = self._render(name, value)

    def tell(self, attributes: dict[str, Any], truncated: list[str]) -> None:
        """Writes the changes into a span's attributes.

        Args:
            attributes: Where they go.
            truncated: Gets the names of attributes that were shortened.
        """
        keys = count_keys(self._visit.store)
        if keys:
            attributes[semconv.STORE_KEYS] = keys
        if not self._keys:
            return
        listed: dict[Change, list[str]] = {}
        most_names = self._visit.tracing.max_store_keys * _NAMES_FOR_EACH_SHAPE
        for name in sorted(self._keys)[:most_names]:
            listed.setdefault(self._keys[name], []).append(name)
        for change, names in listed.items():
            attributes[change.value] = names
        self._tell_values(attributes, truncated)
        omitted = len(self._keys) - self._visit.tracing.max_store_keys
        if omitted > 0:
            attributes[semconv.STORE_OMITTED] = omitted
        if self._visit.overlapped:
            attributes[semconv.STORE_ATTRIBUTION] = semconv.ATTRIBUTION_SHARED

    def _tell_values(self, attributes: dict[str, Any], truncated: list[str]) -> None:
        mode = self._visit.place.policy.values
        for name, rendered in self._rendered.items():
            if self._keys.get(name) in (None, Change.REMOVED):
                continue
            attributes[semconv.STORE_SHAPE_PREFIX + name] = rendered.shape
            if rendered.value is None:
                continue
            attribute = semconv.STORE_VALUE_PREFIX + name
            if mode.on_spans:
                attributes[attribute] = rendered.value.text
                if rendered.value.truncated:
                    truncated.append(attribute)
            if mode.on_events:
                self._visit.tracing.log_content(
                    semconv.LOG_STORE_CHANGE, {attribute: rendered.value.text}, self._visit.context
                )
