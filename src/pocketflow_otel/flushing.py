"""``flush``: what is queued is sent now, for whoever can't wait for the end of the process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry import _logs, metrics, trace

if TYPE_CHECKING:
    from collections.abc import Callable


def flush(timeout_seconds: float = 5.0) -> bool:
    """Sends the spans, metrics and log records that are queued, and waits until they are sent.

    For processes that are frozen, or end without a normal exit: serverless functions, workers of servers. It goes to
    the providers in force, whoever set them up; without any there is nothing to do. It never raises.

    Args:
        timeout_seconds: How long to wait at most, all together. Exporters of others may take longer.

    Returns:
        Whether everything was sent in time, as far as exporters tell.
    """
    deadline = time.monotonic() + timeout_seconds
    # Spans first: the others matter less where time is short.
    providers = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())
    # The API's own providers, which do nothing, have nothing to flush.
    flushes = [provider.force_flush for provider in providers if hasattr(provider, "force_flush")]
    done = [_flush(one, deadline) for one in flushes]
    return all(done)


def _flush(force_flush: Callable[[int], object], deadline: float) -> bool:
    milliseconds = max(0, int(1000 * (deadline - time.monotonic())))
    try:
        # Some give nothing back, which means that nothing went wrong.
        return force_flush(milliseconds) is not False
    except Exception:  # noqa: BLE001 - a provider is anybody's code, and the SDK's of metrics raises when its time is up
        return False
