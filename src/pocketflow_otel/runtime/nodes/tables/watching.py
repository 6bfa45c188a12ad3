"""What a run sees of rows that go by, and how it ends what takes long."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

    from pocketflow_otel.runtime.registry.node_types import Context

_LOOK_SECONDS: Final = 0.1
_TELL_SECONDS: Final = 0.5


class Cancelled(RuntimeError):  # noqa: N818 - it is no fault
    """The run wants to end; what was begun has been undone."""


def passing(batches: Iterable[pa.RecordBatch], context: Context, total: int | None = None) -> Iterator[pa.RecordBatch]:
    """The batches, while progress is told, and the run can end between two of them.

    Args:
        batches: The batches.
        context: Whom to tell.
        total: How many rows there are, if that is known.

    Raises:
        Cancelled: The run wants to end.
    """
    rows, told = 0, time.monotonic()
    for batch in batches:
        if context.cancelled:
            raise Cancelled("the run has ended it")
        yield batch
        rows += batch.num_rows
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            context.progress(rows, total, "rows")


@contextmanager
def cancelling(context: Context, cancel: Callable[[], None]) -> Iterator[None]:
    """Has what takes long in its block end when the run wants to.

    Args:
        context: The run.
        cancel: Has it end with an error; called again until it does.

    Raises:
        Cancelled: Instead of any other error, once the run wants to end.
    """
    over = threading.Event()

    def watch() -> None:
        # Not the other way round: what is over soon would have to wait for the next look.
        while not over.wait(_LOOK_SECONDS):
            if context.cancelled:
                cancel()

    watcher = threading.Thread(target=watch, name="pocketflow-otel-cancelling", daemon=True)
    watcher.start()
    try:
        yield
    except Exception as error:
        if context.cancelled and not isinstance(error, Cancelled):
            raise Cancelled("the run has ended it") from error
        raise
    finally:
        over.set()
        watcher.join()
