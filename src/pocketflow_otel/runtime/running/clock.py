"""Calls things later, in a thread of its own: a node that keeps the event loop busy does not keep time from passing."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """What is to happen later in a run. Its thread is started when it is first needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._calls: list[tuple[float, int]] = []
        self._waiting: dict[int, Callable[[], object]] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def later(self, seconds: float, call: Callable[[], object]) -> Callable[[], None]:
        """Calls something after some time, unless what is returned is called before. It must not raise.

        Raises:
            RuntimeError: There is no thread yet that could do so, and the system gives none.
        """
        with self._changed:
            if self._thread is None:
                # Not in the context of the step that happens to need it first.
                serve = contextvars.Context().run
                thread = threading.Thread(target=serve, args=(self._serve,), name="pocketflow-clock", daemon=True)
                thread.start()
                self._thread = thread
            number = next(self._numbers)
            self._waiting[number] = call
            self._drop_forgotten()
            heapq.heappush(self._calls, (time.monotonic() + seconds, number))
            if self._calls[0][1] == number:
                self._changed.notify()

        def forget() -> None:
            with self._changed:
                self._waiting.pop(number, None)

        return forget

    def close(self) -> None:
        """Calls nothing any more."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            call = self._next()
            if call is None:
                return
            call()

    def _next(self) -> Callable[[], object] | None:
        """Waits for what is due next; None at the end."""
        with self._changed:
            while not self._is_closed:
                self._drop_forgotten()
                left = self._calls[0][0] - time.monotonic() if self._calls else None
                if left is not None and left <= 0:
                    return self._waiting.pop(heapq.heappop(self._calls)[1])
                self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
            return None

    def _drop_forgotten(self) -> None:
        while self._calls and self._calls[0][1] not in self._waiting:
            heapq.heappop(self._calls)
