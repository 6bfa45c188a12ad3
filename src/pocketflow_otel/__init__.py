"""OpenTelemetry for PocketFlow.

`PocketFlowInstrumentor` traces flows and nodes with the program's own OpenTelemetry set-up; `configure` also makes the
set-up, for programs that have none. `session` and `budget` say what a run belongs to and what it may use,
`record_llm_usage` tells of calls of models that nothing else sees, `carry` takes all that along into threads, and
`flush` sends what is queued at once.
"""

from typing import TYPE_CHECKING, Any

from pocketflow_otel.version import __version__

if TYPE_CHECKING:
    from pocketflow_otel.budgets import Budget, BudgetExceeded, budget
    from pocketflow_otel.carrying import carry
    from pocketflow_otel.export.configure import configure
    from pocketflow_otel.flushing import flush
    from pocketflow_otel.instrumentation import PocketFlowInstrumentor
    from pocketflow_otel.llm.recording import record_llm_usage
    from pocketflow_otel.sessions import session

__all__ = [
    "Budget",
    "BudgetExceeded",
    "PocketFlowInstrumentor",
    "__version__",
    "budget",
    "carry",
    "configure",
    "flush",
    "record_llm_usage",
    "session",
]

_HOMES = {
    "Budget": "pocketflow_otel.budgets",
    "BudgetExceeded": "pocketflow_otel.budgets",
    "PocketFlowInstrumentor": "pocketflow_otel.instrumentation",
    "budget": "pocketflow_otel.budgets",
    "carry": "pocketflow_otel.carrying",
    "configure": "pocketflow_otel.export.configure",
    "flush": "pocketflow_otel.flushing",
    "record_llm_usage": "pocketflow_otel.llm.recording",
    "session": "pocketflow_otel.sessions",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: instrumenting must not load the SDK, nor reading a trace the instrumentation.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
