"""Switches on PocketFlow's instrumentation and every other that is installed.

An instrumentation imports what it instruments, and clients of language models take up to a second each to import. So
theirs wait until the program imports the client itself.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

import wrapt
from opentelemetry.instrumentation.dependencies import DependencyConflictError

from pocketflow_otel.export import problems
from pocketflow_otel.llm import clients

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP: Final = "opentelemetry_instrumentor"
DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_OURS: Final = "pocketflow"


def instrument_all(providers: Mapping[str, object], options: Mapping[str, Any]) -> None:
    """Instruments PocketFlow and all else there is an instrumentation for, each on its own. Never raises.

    Args:
        providers: The providers, by the names that instrumentors give their arguments.
        options: Options of the PocketFlow instrumentation.
    """
    disabled = disabled_names()
    if "*" in disabled:
        return
    # PocketFlow first: what another one imports may hold a copy of it.
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name != _OURS):
        if point.name in disabled:
            continue
        client = clients.instrumented_by(point)
        if point.name == _OURS:
            _instrument(point, {**providers, **options})
        elif client is None or client.module in sys.modules:
            _instrument(point, providers)
        else:
            _instrument_once_imported(client.module, point, providers)


def disabled_names() -> frozenset[str]:
    """The instrumentations that the environment switches off; ``*`` means all."""
    return frozenset(name.strip() for name in os.environ.get(DISABLED, "").split(","))


def _instrument_once_imported(module: str, point: EntryPoint, arguments: Mapping[str, Any]) -> None:
    wrapt.register_post_import_hook(lambda _: _instrument(point, arguments), module)


def _instrument(point: EntryPoint, arguments: Mapping[str, Any]) -> None:
    try:
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(raise_exception_on_conflict=True, **arguments)
    except (DependencyConflictError, ModuleNotFoundError):
        # The library is not installed, or not in a version that this instrumentation knows.
        return
    except Exception as error:  # noqa: BLE001 - an instrumentation is anybody's code
        problems.report(f"instrumentation {point.name}", f"{type(error).__name__}: {error}")
