"""Tells whose a change of the store is, where several nodes may have written to it in the same time.

A node has a *window* on the store while it may write: in ``prep`` and ``post`` where others may run in between, else
for its whole visit. Two windows of different branches on one store that overlap make both nodes' changes ``shared``.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from pocketflow_otel.capture.store import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


class Writer(Protocol):
    """A visit that may write to a store."""

    overlapped: bool
    exec_alone: bool
    parent: Any


class StoreWatch:
    """The windows open on one store.

    Attributes:
        store: The store; held, so that its identity is not given to another.
        users: How many flows and lone nodes work on it.
    """

    __slots__ = ("_executing", "_kept", "_kept_at", "_open", "_opened", "store", "users")

    def __init__(self, store: object) -> None:
        self.store = store
        self.users = 0
        self._open: set[Any] = set()
        self._executing: set[Any] = set()
        self._opened = 0
        self._kept: Snapshot | None = None
        self._kept_at = 0

    def open(self, writer: Writer, depth: int, *, follows: bool) -> Snapshot:
        """Opens a writer's window.

        Args:
            writer: Who may write from now on.
            depth: How deep changes in place are looked for.
            follows: Whether nobody can have written since the window before this one was closed.

        Returns:
            The store as it is now.
        """
        kept, self._kept = self._kept, None
        if not follows or kept is None or self._kept_at != self._opened or kept.depth != depth:
            kept = None
        self._opened += 1
        # Of two threads at least one sees the other, for each adds itself before it looks.
        self._open.add(writer)
        if len(self._open) > 1:
            for other in _others(self._open, writer):
                other.overlapped = writer.overlapped = True
        return Snapshot(self.store, depth) if kept is None else kept

    def after_fork(self) -> None:
        """Forgets windows that are the parent's."""
        self._open.clear()
        self._kept = None

    def close(self, writer: Writer, snapshot: Snapshot | None) -> None:
        """Closes a writer's window.

        Args:
            writer: Who wrote.
            snapshot: The store as it was left, for the window that follows.
        """
        self._open.discard(writer)
        if not self._open:
            self._kept, self._kept_at = snapshot, self._opened

    def written_by(self, writer: Writer) -> None:
        """Notes that a writer has written without a window: what others find in theirs may be its doing."""
        self._kept = None
        for other in _others(self._open, writer):
            other.overlapped = True

    def exec_began(self, writer: Writer) -> None:
        """Notes that a writer's window is closed while its ``exec`` runs."""
        writer.exec_alone = True
        self._executing.add(writer)
        if len(self._executing) > 1:
            for other in _others(self._executing, writer):
                other.exec_alone = writer.exec_alone = False

    def exec_ended(self, writer: Writer) -> bool:
        """Tells whether what has changed during a writer's ``exec`` can only be its own."""
        self._executing.discard(writer)
        return writer.exec_alone


def _others(writers: set[Any], writer: Writer) -> Iterator[Any]:
    """The writers on other branches than a given one."""
    for other in tuple(writers):
        if other is not writer and not _is_inside(writer, other) and not _is_inside(other, writer):
            yield other


def _is_inside(writer: Writer, around: Writer) -> bool:
    scope = writer.parent
    while scope is not None:
        if scope is around:
            return True
        scope = scope.parent
    return False


class StoreWatches:
    """The stores that flows and nodes work on right now, by identity.

    Attributes:
        users: How many outermost flows and lone nodes run right now, on whatever stores.
    """

    def __init__(self) -> None:
        self._watches: Final[dict[int, StoreWatch]] = {}
        self._lock = threading.Lock()
        self.users = 0

    def acquire(self, store: object) -> StoreWatch:
        """The watch of a store, to be given back by `release`."""
        with self._lock:
            watch = self._watches.get(id(store))
            if watch is None:
                watch = self._watches[id(store)] = StoreWatch(store)
            watch.users += 1
            self.users += 1
            return watch

    def release(self, watch: StoreWatch) -> None:
        """Gives a watch back."""
        with self._lock:
            watch.users -= 1
            self.users -= 1
            if watch.users == 0:
                self._watches.pop(id(watch.store), None)

    def after_fork(self) -> None:
        """Starts anew in a child, where the lock may be held by a thread that is not there."""
        self._lock = threading.Lock()
        for watch in self._watches.values():
            watch.after_fork()
        self._watches.clear()
        self.users = 0
