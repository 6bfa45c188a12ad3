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
    """Held around late imports: ``with importing: from … import …``; never inside itself.

    Any number may be under way at once. A fork waits for all, and they for it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0
        self._forks = 0

    def __enter__(self) -> None:
        with self._changed:
            while self._forks:
                self._changed.wait()
            self._under_way += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._under_way = max(0, self._under_way - 1)  # a child may have been forked in between
            self._changed.notify_all()

    def before_fork(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: self._under_way == 0, _LONGEST_WAIT)

    def after_fork_in_parent(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        self.__init__()  # type: ignore[misc]  # nobody else is there, and the lock may be someone's who is not


importing: Final = _Importing()

# A registration can't be taken back; this one holds nothing alive.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=importing.before_fork,
        after_in_parent=importing.after_fork_in_parent,
        after_in_child=importing.after_fork_in_child,
    )
