"""OpenTelemetry for PocketFlow.

`PocketFlowInstrumentor` traces flows and nodes with the program's own OpenTelemetry set-up; `configure` also makes the
set-up, for programs that have none.
"""

from typing import TYPE_CHECKING, Any

from pocketflow_otel.version import __version__

if TYPE_CHECKING:
    from pocketflow_otel.export.configure import configure
    from pocketflow_otel.instrumentation import PocketFlowInstrumentor

__all__ = ["PocketFlowInstrumentor", "__version__", "configure"]

_HOMES = {
    "PocketFlowInstrumentor": "pocketflow_otel.instrumentation",
    "configure": "pocketflow_otel.export.configure",
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
