"""Sets tracing up in a process that was started for it; the program runs whatever comes of that."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def _hold_to_budget(limits: Mapping[str, Any] | None) -> None:
    """Makes a budget hold for all that the program runs: its threads and tasks get this context too."""
    if limits:
        from opentelemetry import context

        from pocketflow_otel.budgets import Budget, Limits, with_budget

        context.attach(with_budget(context.get_current(), Budget(Limits(**limits))))


def start(arguments: Mapping[str, Any]) -> None:
    """Calls `configure`; if that fails, says so in one line. Never raises.

    Args:
        arguments: The arguments for it; and ``budget``, the limits of what the whole program may use.
    """
    try:
        # `python -W error` is about the program's warnings, not about those of libraries that only we import.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pocketflow_otel.boot import tracebacks
            from pocketflow_otel.export.configure import configure

            settings = dict(arguments)
            _hold_to_budget(settings.pop("budget", None))
            configure(**settings)
            tracebacks.install()
    except Exception as error:  # noqa: BLE001 - whatever it is, the program is to run
        from pocketflow_otel.export import problems

        problems.report("tracing could not start", f"{type(error).__name__}: {error}")
