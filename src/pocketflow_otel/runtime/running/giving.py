"""What a node gives: an output for others, keys of the store, an action."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture.shapes import shape
from pocketflow_otel.capture.store import ADDED, MODIFIED, REMOVED, same_value
from pocketflow_otel.runtime.errors import Cancelled
from pocketflow_otel.runtime.registry.node_types import FunctionType, Output
from pocketflow_otel.runtime.values.envelope import Envelope, content_type, copied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.running.steps import Step

_MISSING: Final = object()
_NO_META: Final[Mapping[str, Any]] = MappingProxyType({})


def publish(step: Step, shared: dict[Any, Any], result: Any) -> str | None:
    """Takes what a function, or what holds nodes, gave.

    Returns:
        The action.

    Raises:
        Cancelled: It was given up meanwhile.
        TypeError: The action is no text.
    """
    if step.is_over:
        raise Cancelled("the run has given this node up: what it gives now is not kept")
    output = result if issubclass(type(result), Output) else Output(result)
    body = copied(output.body)
    # A node whose action can't be made out has failed, and gives nothing.
    step.action = output.action if step.planned.action is None else _templated_action(step, body)
    hand_on(step, shared, body, output.meta)
    if step.role == "node":
        for key in step.frame.let_go(step.planned):
            _note_change(step, REMOVED, key, None)
    return step.action


def hand_on(step: Step, shared: dict[Any, Any], body: Any, meta: Mapping[str, Any] = _NO_META) -> None:
    """Lets others see an output, by reference and in the store."""
    keep(step, body, meta)
    if step.role == "undo":
        return
    planned, frame = step.planned, step.frame
    name = planned.name
    if step.stands_for is not None and not frame.scope.by_action:
        name = step.stands_for.planned.name
    written = {name: copied(body) if frame.run.has_classes else body}
    if isinstance(planned.type, FunctionType) and planned.type.writes_store and type(body) is dict:
        written |= body
    for key, value in written.items():
        _write(step, shared, key, value)


def keep(step: Step, body: Any, meta: Mapping[str, Any] = _NO_META) -> None:
    """Lets others see an output by reference alone: a class writes to the store itself."""
    frame, name = step.frame, step.planned.name
    meta = MappingProxyType(dict(meta)) if meta else _NO_META
    envelope = Envelope(step.key, step.planned.path, content_type(body), body, meta, time.time())
    step.output = envelope
    if step.role != "undo":
        frame.outputs[name] = envelope
        if step.stands_for is not None and not frame.scope.by_action:
            frame.outputs[step.stands_for.planned.name] = envelope


def _write(step: Step, shared: dict[Any, Any], key: Any, value: Any) -> None:
    before = shared.get(key, _MISSING)
    shared[key] = value
    if before is _MISSING:
        _note_change(step, ADDED, key, value)
    elif not (before is value or same_value(before, value)):
        _note_change(step, MODIFIED, key, value)


def _note_change(step: Step, change: str, key: Any, value: Any) -> None:
    if step.store_changes is not None:
        step.store_changes.append((change, key, value))


def _templated_action(step: Step, body: Any) -> str | None:
    planned = step.planned
    if planned.action is None:
        return None
    own = ("output", planned.name)
    action = planned.action.resolve(lambda head: body if head in own else step.lookup(head))
    if action is not None and not issubclass(type(action), str):
        raise TypeError(f"the action is a text, not {shape(action)}")
    return action or None
