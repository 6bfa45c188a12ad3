"""Imports that are made late, to keep start-up fast, and must not be under way when the program forks.

A child of a fork waits for good for a module that another thread was importing: that thread is not there, and Python's
lock of the module still is its own.
"""

from __future__ import annotations

import os
import threading
from typing import Final

_LONGEST_WAIT: Final = 5.0
"""Seconds that a fork waits for an import to end."""


class _Importing:
    """Held around late imports: ``with importing: from … import …``. A thread may hold it more than once."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._held_for_fork = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        self._held_for_fork = self._lock.acquire(timeout=_LONGEST_WAIT)

    def after_fork_in_parent(self) -> None:
        if self._held_for_fork:
            self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock = threading.RLock()


importing: Final = _Importing()

# A registration can't be taken back; this one holds nothing alive.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=importing.before_fork,
        after_in_parent=importing.after_fork_in_parent,
        after_in_child=importing.after_fork_in_child,
    )
