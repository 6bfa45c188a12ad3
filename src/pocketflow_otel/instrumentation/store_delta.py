"""What a node or flow did to the shared store, from the windows in which it could write to it."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.capture.containers import SCALARS
from pocketflow_otel.capture.reading import read_store
from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.store import ADDED, MODIFIED, REMOVED, Change
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


def described(visit: Any, found: list[Change]) -> list[KeyChange]:
    """Renders what has changed in a visit's store; secrets among it are remembered, and calls of models counted."""
    tracing, seen = visit.tracing, visit.seen
    left, names = tracing.max_store_keys, tracing.names
    with_values = visit.place.policy.values is not None
    changes: list[KeyChange] = []
    holding: list[tuple[str, Any]] = []
    for change, key, value in found:
        name, is_secret = (names.get(key) if type(key) is str else None) or tracing.safe_name(key)
        kind = type(value)
        holds = type(kind) is not type or kind not in SCALARS
        if is_secret or holds:
            content.remember_changed(visit, key, value)
        if seen.known:
            name = seen.mask(name)
        if holds:
            holding.append((name, value))
        if change is REMOVED or left <= 0:
            changes.append((name, change, None, None))
            continue
        left -= 1
        changes.append((name, change, shape(value), content.encode(visit, value, name) if with_values else None))
    if holding:
        tracing.accounts.stored(visit, holding)
    return changes


def tell(visit: Any, changes: list[KeyChange], attributes: dict[str, Any]) -> None:
    """Writes the changes of a visit into its span's attributes."""
    most = visit.tracing.max_store_keys
    if len(changes) > 1:
        changes.sort(key=_name)
        if len(changes) > most:
            attributes[semconv.STORE_OMITTED] = len(changes) - most
            changes = changes[: most * _NAMES_FOR_EACH_SHAPE]
    listed: dict[str, list[str]] = {}
    for name, change, shown, value in changes:
        listed.setdefault(_LISTED_UNDER[change], []).append(name)
        if shown is not None:
            attributes[semconv.STORE_SHAPE_PREFIX + name] = shown
        if value is not None:
            _tell_value(visit, name, value, attributes)
    for attribute, names in listed.items():
        attributes[attribute] = tuple(names)
    if visit.overlapped:
        attributes[semconv.STORE_ATTRIBUTION] = semconv.ATTRIBUTION_SHARED


def _tell_value(visit: Any, name: str, value: Encoded, attributes: dict[str, Any]) -> None:
    outlet = visit.place.policy.values
    attribute = semconv.STORE_VALUE_PREFIX + name
    if outlet.on_spans:
        attributes[attribute] = value.text
        if value.truncated:
            visit.shortened(attribute)
    if outlet.on_events:
        visit.tracing.log_content(semconv.LOG_STORE_CHANGE, {attribute: value.text}, visit.context)


def settled(visit: Any, keys: dict[str, str], *, described: bool) -> list[KeyChange]:
    """What has become of keys, in a flow's run that is over.

    Args:
        visit: The flow's run.
        keys: `ADDED`, `MODIFIED` or `REMOVED`, by key.
        described: Whether to tell shapes and values, as the store holds them now.
    """
    values: dict[str, Any] = {}
    if described and keys:
        values = {content.key_name(visit, key): value for key, value in (read_store(visit.store) or {}).items()}
    left = visit.tracing.max_store_keys
    changes: list[KeyChange] = []
    for name in sorted(keys):
        change = keys[name]
        if change is not REMOVED and left > 0 and name in values:
            left -= 1
            value = values[name]
            encoded = None if visit.place.policy.values is None else content.encode(visit, value, name)
            changes.append((name, change, shape(value), encoded))
        else:
            changes.append((name, change, None, None))
    return changes


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


def one_after_the_other(first: list[KeyChange], then: Iterable[KeyChange]) -> list[KeyChange]:
    """What changes, and others made after them, come to: each key once."""
    latest = {change[0]: change for change in first}
    for name, change, described, value in then:
        before = latest.get(name)
        after = change if before is None else _BOTH[before[1], change]
        if after is None:
            del latest[name]
        else:
            latest[name] = name, after, described, value
    return list(latest.values())
