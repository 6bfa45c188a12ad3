"""What a program that runs nodes itself knows of a visit, to be told on the visit's span.

PocketFlow's own loop knows nothing of the kind; the workflow runtime does. It tells through a context variable, so that
it need not know of spans, nor the instrumentation of the runtime.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pocketflow_otel.capture.store import Change


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
        role: What it runs for: ``node``; ``handler`` of another that failed; ``undo`` of another's visit.
        number: Which visit of its node it is, from 1.
        attempt: Which try it is, from 1, where the node is run again as a whole; 0 where a try begins only in ``exec``.
        given_up: What ends the spans of the visit that are open, the innermost last. Whoever waits no longer for a try,
            which goes on, calls those that have come with it, the last first, with the reason.
        store_changes: What it has done to the shared store, each key once; None where that is to be found out.
    """

    instance: Any
    follows: str | None
    role: Literal["node", "handler", "undo"]
    number: int
    attempt: int
    given_up: list[Callable[[BaseException], None]]
    store_changes: list[Change] | None

    @property
    def tries(self) -> int:
        """How often it may be tried."""

    def tries_again(self, error: BaseException) -> bool:
        """Whether it is tried again after this try, which has failed with an error."""

    def measured(self) -> Measured:
        """What it took."""


def takes_end(visiting: Visiting, end: Callable[[BaseException], None]) -> bool:
    """Whether it is for the caller to end a span: a thread that is given up may come to its end at the same time.

    Args:
        visiting: The visit.
        end: What was put among those of ``given_up``.
    """
    try:
        visiting.given_up.remove(end)
    except ValueError:
        return False
    return True


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
