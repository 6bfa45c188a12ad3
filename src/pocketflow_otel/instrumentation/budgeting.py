"""Holds flows to their budgets: looks at them before each node, and tells on the flow's span why no further one ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel import semconv
from pocketflow_otel.budgets import BudgetExceeded, budgets_of
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation.scopes import Orchestration

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
    flow = parent.flow if type(parent) is Orchestration else parent
    for budget in budgets_of(around):
        try:
            warned = budget.begin_visit(node)
        except BudgetExceeded as error:
            _tell(flow, error)
            raise
        for warning in warned:
            _warn(flow, warning.limit, warning.allowed, warning.spent)


def _tell(flow: Any, error: BudgetExceeded) -> None:
    if flow is not None and flow.recording:
        flow.tell_at_once(
            {
                semconv.BUDGET_EXCEEDED: error.limit,
                semconv.BUDGET_LIMIT: error.allowed,
                semconv.BUDGET_SPENT: error.spent,
            }
        )


def _warn(flow: Any, limit: str, allowed: float, spent: float) -> None:
    if flow is None or not flow.recording:
        return
    try:
        told = {semconv.BUDGET_EXCEEDED: limit, semconv.BUDGET_LIMIT: allowed, semconv.BUDGET_SPENT: spent}
        flow.span.add_event(semconv.EVENT_BUDGET_WARNING, told)
    except Exception:  # noqa: BLE001 - the SDK may be anyone's
        guard.caught("telling of a budget")
