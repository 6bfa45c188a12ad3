"""What signals do to a process that runs a workflow: the first one ends the run, the second one the process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.streams import say

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.running.run import Run

_LOOK_EVERY_SECONDS: Final = 0.1
_SAID_AFTER_SECONDS: Final = 0.3
SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """Handles the signals that end a process, from now on, in the main thread. One that is ignored stays ignored.

    Until a run begins, a signal is a `KeyboardInterrupt`.

    Attributes:
        first: The first signal that came, if any did.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self._runs = False
        # Its `put` may be called by a signal's handler wherever the main thread is.
        self._news: SimpleQueue[Result | BaseException | None] = SimpleQueue()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    @staticmethod
    def hold_back() -> None:
        """Lets signals wait until `Interrupts` are there, also in the program that this process becomes."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    @property
    def exit_code(self) -> int:
        """How a process ends that a signal has ended."""
        return 128 + (self.first or signal.SIGINT)

    def result(self, run: Run) -> Result:
        """Begins a run and waits for its end; interrupts it where a signal comes.

        Raises:
            OSError: The run's folder can't be made.
        """
        self._runs = True
        run.start()
        threading.Thread(target=self._watch, args=(run,), name="pocketflow-result", daemon=True).start()
        news = self._next()
        while news is None:
            run.interrupt()
            news = self._at_the_end()
        if isinstance(news, BaseException):
            raise news
        return news

    def _at_the_end(self) -> Result | BaseException | None:
        """What comes of an interrupted run; who waits longer than a moment is told for what."""
        from pocketflow_otel.runtime.running.run import GRACE_SECONDS

        with contextlib.suppress(Empty):
            return self._news.get(timeout=_SAID_AFTER_SECONDS)
        say(f"interrupted: what still runs has {GRACE_SECONDS:g} seconds to end; a second signal ends it at once")
        return self._next()

    def _next(self) -> Result | BaseException | None:
        # A signal that comes as this thread is about to wait, or comes to another one, does not wake it: Python looks
        # for those that came once the thread is back.
        while True:
            with contextlib.suppress(Empty):
                return self._news.get(timeout=_LOOK_EVERY_SECONDS)

    def _watch(self, run: Run) -> None:
        try:
            self._news.put(run.result())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            self._news.put(error)

    def _handle(self, number: int, _: object) -> None:
        if self.first is not None:
            self._kill()
        self.first = number
        if not self._runs:
            raise KeyboardInterrupt
        self._news.put(None)

    def _kill(self) -> None:
        end_children()
        os._exit(self.exit_code)


def end_children() -> None:
    """Kills all processes that this one has started, and theirs."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
