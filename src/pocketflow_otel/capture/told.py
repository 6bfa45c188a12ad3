"""Secrets that the program itself has told: masked in every trace of the process from then on.

A trace takes them over when it begins, and those under way take over what is told later: so looking at a value costs
the same whether or not anything was told. A process that runs for long tells ever new ones, and each makes every look
at a value dearer: of so many the latest are kept.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final

from pocketflow_otel.capture.seen import SeenSecrets

MOST: Final = 1000
"""How many secrets new traces take over: the latest that were told."""

_told: Final = SeenSecrets()
_under_way: Final[weakref.WeakSet[SeenSecrets]] = weakref.WeakSet()
_lock = threading.Lock()


def tell(secrets: SeenSecrets) -> None:
    """Has secrets masked in all traces of the process, those under way included."""
    with _lock:
        _told.adopt(secrets)
        _told.forget_all_but(MOST)
        for seen in _under_way:
            seen.adopt(secrets)


def is_anything_known() -> bool:
    """Whether anything was told that is masked."""
    return _told.known


def mask(text: str) -> str:
    """The text with a mask in place of every secret that was told."""
    return _told.mask(text) if _told.known else text


def new_trace() -> SeenSecrets:
    """What remembers the secrets of a new trace: it knows what has been told, and learns what will be."""
    seen = SeenSecrets()
    with _lock:
        _under_way.add(seen)
        seen.adopt(_told)
    return seen


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread that is not there
    _lock = threading.Lock()
    _told.after_fork()


# A registration can't be taken back; this one holds nothing alive.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
