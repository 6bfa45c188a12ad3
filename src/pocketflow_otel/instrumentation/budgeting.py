"""Holds flows to their budgets: looks at them before each node, and tells on the flow's span why no further one ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel import budgets, semconv
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation.flows import FlowRun

if TYPE_CHECKING:
    from opentelemetry.context import Context


def begin_visit(around: Context, node: str, parent: Any) -> None:
    """Counts a visit that is about to begin in every budget that holds there.

    Args:
        around: The context in which it is to begin.
        node: The node's name.
        parent: The scope around it.

    Raises:
        BudgetExceeded: A limit is reached: the node must not run.
    """
    try:
        warned = budgets.begin_visit(budgets.budgets_of(around), node)
    except budgets.BudgetExceeded as error:
        _tell_exceeded(parent, error)
        raise
    if warned:
        _tell_warnings(parent, warned)


def _tell_exceeded(scope: Any, error: budgets.BudgetExceeded) -> None:
    try:
        span = _span_of_flow(scope)
        # Of several branches that are stopped the flow raises the first one's error.
        if span is not None and semconv.BUDGET_EXCEEDED not in (getattr(span, "attributes", None) or ()):
            span.set_attributes(_told(error.limit, error.allowed, error.spent))
    except Exception:  # noqa: BLE001 - the SDK may be anyone's
        guard.caught("telling of a budget")


def _tell_warnings(scope: Any, warned: list[budgets.Warned]) -> None:
    try:
        span = _span_of_flow(scope)
        if span is not None:
            for limit, allowed, spent in warned:
                span.add_event(semconv.EVENT_BUDGET_WARNING, _told(limit, allowed, spent))
    except Exception:  # noqa: BLE001 - the SDK may be anyone's
        guard.caught("telling of a budget")


def _told(limit: str, allowed: float, spent: float) -> dict[str, Any]:
    return {semconv.BUDGET_EXCEEDED: limit, semconv.BUDGET_LIMIT: allowed, semconv.BUDGET_SPENT: spent}


def _span_of_flow(scope: Any) -> Any:
    """The span of the innermost flow that has one; None where it has ended: its other branches may still be running."""
    while scope is not None and not (isinstance(scope, FlowRun) and scope.recording):
        scope = scope.parent
    return scope.span if scope is not None and scope.span.is_recording() else None
