"""What happens in a run, told as it happens."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pocketflow_otel import log
from pocketflow_otel.runtime.running.records import iso
from pocketflow_otel.runtime.running.showing import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal[
    "run.started",
    "node.started",
    "node.tried",
    "node.progress",
    "node.chunk",
    "node.finished",
    "node.skipped",
    "run.finished",
]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: What.
        time: When, in seconds since 1970; as JSON in ISO 8601.
        run_id: In which run.
        node: To which node; empty where it is the run itself.
        visit: In which visit of it.
        at: Of a node inside maps: the numbers of the items.
        data: What else is known. Of ``node.finished`` and ``node.skipped``, the node's record; of ``node.tried``, the
            error and the seconds until the next try; of ``node.progress``, how much is done, out of what, in which
            unit; of ``node.chunk``, the text; of ``run.finished``, the status.
    """

    kind: Kind
    time: float
    run_id: str
    node: str = ""
    visit: int = 0
    at: tuple[int, ...] = ()
    data: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As one line of a file holds it."""
        told: dict[str, Any] = {"kind": self.kind, "time": iso(self.time), "run_id": self.run_id}
        if self.node:
            told |= {"node": self.node, "visit": self.visit}
        if self.at:
            told["at"] = list(self.at)
        return told | (dict(self.data) if self.data else {})

    def line(self) -> str:
        """As a line of a file."""
        return json.dumps(self.as_json(), ensure_ascii=False, default=str) + "\n"


class Events:
    """Hands events on, one after the other. A listener that fails is left out from then on, and the run goes on.

    Args:
        listeners: Are told of each event, in a thread of the run's.
        mask: Masks what is told of a listener that fails.
    """

    def __init__(self, listeners: list[Callable[[Event], object]], mask: Callable[[str], str]) -> None:
        self._listeners = list(listeners)
        self._mask = mask
        self._untold: deque[Event] = deque()
        # A listener may make something happen itself, which is told after what it is told of.
        self._lock = threading.RLock()
        self._is_telling = False
        self.problems: list[str] = []

    def add(self, listener: Callable[[Event], object]) -> None:
        """Adds a listener."""
        with self._lock:
            self._listeners.append(listener)

    def remove(self, listener: Callable[[Event], object]) -> None:
        """Removes a listener, if it is there; waits for none that is busy."""
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def note(self, event: Event) -> None:
        """Keeps an event until others are told: for those who hold a lock that a listener may wait for."""
        self._untold.append(event)

    def tell(self, event: Event | None = None, seconds: float = -1) -> None:
        """Tells of an event, after those that were noted before.

        Args:
            event: The event; None to tell only what was noted.
            seconds: How long to wait for listeners that are busy with another event; no limit where it is negative.
        """
        if event is not None:
            self._untold.append(event)
        if not self._untold:
            return
        if not self._lock.acquire(timeout=seconds):
            self.problems.append("events are not told any more: whoever listens is still busy with an earlier one")
            return
        try:
            self._tell_all()
        finally:
            self._lock.release()

    def _tell_all(self) -> None:
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._untold:
                event = self._untold.popleft()
                for listener in list(self._listeners):
                    # One before it may have taken long, and it may have gone meanwhile.
                    if listener in self._listeners:
                        self._tell_one(listener, event)
        finally:
            self._is_telling = False

    def _tell_one(self, listener: Callable[[Event], object], event: Event) -> None:
        try:
            listener(event)
        except BaseException as error:  # noqa: BLE001 - the user's code, or a full disk: it must end no thread of the run
            self.remove(listener)
            reason = self._mask(f"{type(error).__name__}: {said(error)}")
            problem = f"events are not told any more to {_named(listener)}: {reason}"
            self.problems.append(problem)
            log.warn("%s", problem)


def _named(listener: object) -> str:
    return getattr(listener, "__qualname__", type(listener).__name__)
