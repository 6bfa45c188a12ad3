"""The event loop in which a run's coroutines are run: one of its own, or the caller's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

_LEAST_WAIT = 0.05


class Loop:
    """An event loop in a thread that is started when it is first needed.

    Args:
        loop: A loop that runs already, which is used instead.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._is_own = loop is None
        self._loop = loop
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ends = False

    @property
    def serves(self) -> bool:
        """Whether there is one that does what is asked of it from this thread."""
        return self._loop is not None and self._loop.is_running() and not self.runs_here()

    def get(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        with self._lock:
            if self._loop is None:
                # It would keep the context that it is made in, with the step that is under way there.
                self._loop = contextvars.Context().run(asyncio.new_event_loop)
                self._thread = threading.Thread(target=self._serve, name="pocketflow-loop", daemon=True)
                self._thread.start()
            return self._loop

    def runs_here(self) -> bool:
        """Whether this thread is the loop's, which nothing can wait for here."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, started: Callable[[Any], None]) -> None:
        """Starts a coroutine as a task.

        Args:
            coroutine: The coroutine; nobody waits for it.
            context: In which it runs.
            started: Is given the task, in the loop's thread, before it takes its first step.
        """
        loop = self.get()
        if self.runs_here():
            started(loop.create_task(coroutine, context=context))
            return
        loop.call_soon_threadsafe(lambda: started(loop.create_task(coroutine, context=context)))

    def close(self, seconds: float = 1.0) -> None:
        """Ends a loop of its own; tasks that are left in it are cancelled, and waited for so long."""
        if self._loop is None or not self._is_own or self._thread is None:
            return
        self._ends = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(max(seconds, _LEAST_WAIT))

    def _serve(self) -> None:
        loop = self._loop
        if loop is None:
            return
        asyncio.set_event_loop(loop)
        try:
            while not self._ends:
                # A node may have stopped it, or a task of its own may end Python; others need it still.
                with contextlib.suppress(SystemExit, KeyboardInterrupt):
                    loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=_LEAST_WAIT))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
