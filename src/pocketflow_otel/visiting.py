"""What a program that runs nodes itself knows of a visit, to be told on the visit's span.

PocketFlow's own loop knows nothing of the kind; the workflow runtime does. It tells through a context variable, so that
it need not know of spans, nor the instrumentation of the runtime.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Paused(Exception):  # noqa: N818 - nothing has failed
    """Ends a visit, and the flows around it, because it waits for what the program can't bring about, such as a person.

    A span that it passes is no error: it tells what is waited for, which is what this says.
    """


class Measured(NamedTuple):
    """What a visit took, up to now.

    Attributes:
        cpu_seconds: Processor time of the thread that ran it, or of its steps in an event loop.
        memory_bytes: By how much the process's resident memory has grown; negative where it has shrunk. Of nodes that
            run side by side each is told the same growth.
        read_bytes: Bytes it has read, from files, sockets and pipes.
        written_bytes: Bytes it has written to them.
        counts: What it says to have done, by name: ``rows_read``.
    """

    cpu_seconds: float
    memory_bytes: int
    read_bytes: int
    written_bytes: int
    counts: Mapping[str, float]


class Visiting(Protocol):
    """A visit, as whoever runs the node knows it.

    Attributes:
        instance: The node; visits of other nodes inside it are not meant.
        follows: The node because of which it runs now, if any.
    """

    instance: Any
    follows: str | None

    def measured(self) -> Measured:
        """What it took."""


class OwnTraffic(threading.local):
    """What tracing itself has read and written in a thread, which is no node's doing.

    Attributes:
        read: Bytes.
        written: Bytes.
    """

    read = 0
    written = 0


OWN_TRAFFIC: Final = OwnTraffic()


class StoreView:
    """The base of mappings through which a node sees a store under other keys: what is recorded is the store itself.

    Attributes:
        viewed_store: The store.
    """

    viewed_store: dict[Any, Any]


VISITING: Final[ContextVar[Visiting | None]] = ContextVar("pocketflow-visiting", default=None)
"""The visit that is about to begin, or under way, where somebody but PocketFlow runs it."""
