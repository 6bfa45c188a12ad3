"""The end of the program: what has ended is sent before it, by a normal exit or a SIGTERM, and it comes in time."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def at_exit(close: Callable[[], None], flush: Callable[[], None]) -> None:
    """Ends it all at the end of this process, after the program's own exit functions.

    Args:
        close: What to do. An interrupt ends it quietly: whoever presses Ctrl-C twice does not want to wait.
        flush: What to do in its place in forked children, which have spans of their own but leave the end to their
            parent.
    """
    process = os.getpid()

    def run() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            (close if os.getpid() == process else flush)()

    atexit.register(run)


def on_sigterm(flush: Callable[[], None]) -> None:
    """Flushes before a SIGTERM ends this process as it would have ended without us.

    Only where the program leaves the signal to the system: a handler that it installs replaces ours, and decides.
    Nothing happens where there is a handler already, or outside the main thread, where none can be installed.

    Args:
        flush: What to do, within bounds of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what handlers are called with
        # First, so that a second signal ends the process at once.
        signal.signal(number, signal.SIG_DFL)
        try:
            flush()
        finally:
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle)
