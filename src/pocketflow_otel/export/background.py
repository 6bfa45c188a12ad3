"""Sends items in batches from a thread of its own, and accounts for every one of them.

The SDK's batch processor says each full queue through `logging`, ignores the time given to a flush, and holds up a
shutdown for as long as its exporter likes. Here the program is never held up longer than one timeout, and what was
lost is counted.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from opentelemetry.instrumentation.utils import suppress_instrumentation

from pocketflow_otel.export.reasons import no_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Item = TypeVar("Item")
Losses = list[tuple[str, int]]
"""Why items were lost, and how many."""

QUEUE_ITEMS: Final = 32_768
"""A recorded span holds 3 to 5 KB, so a collector that answers nothing costs 160 MB at most; the SDK's own 2,048 lose a
third of a tight loop of 5,000 nodes."""
_BATCH_ITEMS: Final = 512
_DELAY_MILLISECONDS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and for how long."""

    queue_items: int = QUEUE_ITEMS
    batch_items: int = _BATCH_ITEMS
    delay_seconds: float = _DELAY_MILLISECONDS / 1000

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, prefix: str = "OTEL_BSP_") -> Limits:
        """Reads the standard variables of batch processors.

        Args:
            environ: The environment.
            prefix: ``OTEL_BSP_`` for spans, ``OTEL_BLRP_`` for log records.
        """
        queue = _positive(environ.get(f"{prefix}MAX_QUEUE_SIZE"), QUEUE_ITEMS)
        batch = _positive(environ.get(f"{prefix}MAX_EXPORT_BATCH_SIZE"), _BATCH_ITEMS)
        delay = _positive(environ.get(f"{prefix}SCHEDULE_DELAY"), _DELAY_MILLISECONDS)
        return cls(queue_items=queue, batch_items=min(batch, queue), delay_seconds=delay / 1000)


def _positive(text: str | None, default: int) -> int:
    try:
        number = int(text or "")
    except ValueError:
        return default
    return number if number > 0 else default


class Background(Generic[Item]):
    """A bounded queue, and a daemon thread that empties it; the thread starts with the first item.

    Args:
        name: Name of the thread.
        send: Sends a batch; returns what of it was lost. Must not raise.
        lost: Told why items were lost, and how many.
        close: Called once, after the last batch.
        stop_seconds: How long the end of the program may wait for what is queued.
        limits: Sizes and delay.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[list[Item]], Losses],
        lost: Callable[[str, int], None],
        close: Callable[[], None],
        *,
        stop_seconds: float,
        limits: Limits,
    ) -> None:
        self._name = name
        self._send = send
        self._lost = lost
        self._close = close
        self._stop_seconds = stop_seconds
        self._limits = limits
        self._reset()
        if hasattr(os, "register_at_fork"):
            after_fork = weakref.WeakMethod(self._after_fork_in_child)
            os.register_at_fork(after_in_child=lambda: (method := after_fork()) and method())

    def _after_fork_in_child(self) -> None:
        self._reset()
        # What is to be closed is the parent's too.
        self._close = lambda: None

    def _reset(self) -> None:
        # Re-entrant: a signal handler flushes while the frame it interrupted may be in here.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[Item] = deque()
        self._thread: threading.Thread | None = None
        self._accepted = self._settled = self._wanted = 0
        self._deadline: float | None = None
        self._closed = self._abandoned = False

    def put(self, item: Item) -> None:
        """Queues an item, or counts it as lost if the queue is full. Never waits."""
        with self._changed:
            if self._deadline is not None:
                return
            full = len(self._queue) >= self._limits.queue_items
            if not full:
                self._queue.append(item)
                self._accepted += 1
                if self._thread is None:
                    self._start()
                if len(self._queue) >= self._limits.batch_items:
                    self._changed.notify_all()
        if full:
            self._lost(f"the queue of {self._limits.queue_items} is full", 1)

    def flush(self, timeout_seconds: float) -> bool:
        """Waits until all that was put before this call is settled, sent or lost.

        Args:
            timeout_seconds: How long to wait at most.

        Returns:
            Whether it is.
        """
        with self._changed:
            target = self._wanted = self._accepted
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, timeout_seconds)

    def stop(self) -> None:
        """Takes no more items and hurries the rest; returns at once. The time that `join` may take runs from here."""
        with self._changed:
            if self._deadline is None:
                self._deadline = time.monotonic() + self._stop_seconds
                self._changed.notify_all()

    def join(self) -> None:
        """Stops, and waits until everything is settled or the time is up; what is left then is lost."""
        self.stop()
        if self._thread is None and not self._closed:
            # Nothing was put, or it came when the interpreter no longer started threads.
            self._work()
        with self._changed:
            remaining = max(0.0, (self._deadline or 0.0) - time.monotonic())
            left = 0 if self._changed.wait_for(lambda: self._closed, remaining) else self._accepted - self._settled
            reported, self._abandoned = self._abandoned, True
        if left and not reported:
            self._lost(no_answer(self._stop_seconds), left)

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._thread = thread

    def _work(self) -> None:
        with suppress_instrumentation():
            while batch := self._next():
                losses = self._send(batch)
                for reason, count in losses if not self._abandoned else ():
                    self._lost(reason, count)
                with self._changed:
                    self._settled += len(batch)
                    self._changed.notify_all()
            self._close()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> list[Item]:
        with self._changed:
            while True:
                self._changed.wait_for(self._due, self._limits.delay_seconds)
                if self._queue:
                    count = min(len(self._queue), self._limits.batch_items)
                    return [self._queue.popleft() for _ in range(count)]
                if self._deadline is not None:
                    return []

    def _due(self) -> bool:
        hurried = self._deadline is not None or self._wanted > self._settled
        return hurried or len(self._queue) >= self._limits.batch_items
