"""How far a run has come, told on standard error: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.figures import count, first_few
from pocketflow_otel.runtime.streams import say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pocketflow_otel.runtime.running.events import Event

LINE_EVERY_SECONDS: Final = 5.0

_Visit = tuple[str, int, tuple[int, ...]]


class Follower:
    """Follows a run by its events.

    Args:
        asking: The nodes that ask people.

    Attributes:
        ended: How many visits of nodes have ended.
    """

    def __init__(self, asking: Collection[str] = ()) -> None:
        self.ended = 0
        self._asking = frozenset(asking)
        self._running: dict[_Visit, Any] = {}
        self._lock = threading.Lock()

    @property
    def is_asking(self) -> bool:
        """Whether a person is being asked."""
        with self._lock:
            return any(visit[0] in self._asking for visit in self._running)

    def note(self, event: Event) -> None:
        """Takes what happens: a listener for runs."""
        visit = (event.node, event.visit, event.at)
        with self._lock:
            match event.kind:
                case "node.started":
                    self._running[visit] = None
                case "node.progress":
                    self._running[visit] = event.data
                case "node.finished":
                    self.ended += 1
                    self._running.pop(visit, None)

    def sentence(self, *, nodes: bool) -> str:
        """How far it has come.

        Args:
            nodes: Whether to tell of all nodes; else of those alone that tell how far they have come themselves.

        Returns:
            A sentence; empty where there is nothing to tell.
        """
        with self._lock:
            running, ended = dict(self._running), self.ended
        telling = [visit for visit, data in running.items() if data is not None]
        outermost = [visit for visit in telling if not any(_is_inside(visit, other) for other in telling)]
        told = [_told(visit, running[visit]) for visit in outermost]
        if nodes:
            others = [
                _name(visit)
                for visit in running
                if not any(_is_inside(visit, other) for other in outermost)
                and visit not in outermost
                and not any(_is_inside(other, visit) for other in running)
            ]
            told = [f"{count(ended, 'node')} done", *told, *([f"running: {first_few(others)}"] if others else [])]
        return ", ".join(told)

    def furthest(self) -> tuple[int, int] | None:
        """Of the outermost node that tells how much it has to do: how much is done, and out of what."""
        with self._lock:
            known = [data for data in self._running.values() if data is not None and data.get("total")]
        return (known[0]["done"], known[0]["total"]) if known else None


def _is_inside(visit: _Visit, other: _Visit) -> bool:
    """Whether a visit's node is held by that of another."""
    return visit[0].startswith(f"{other[0]}.")


def _name(visit: _Visit) -> str:
    return visit[0] + "".join(f"[{number}]" for number in visit[2])


def _told(visit: _Visit, data: Any) -> str:
    total = f" of {data['total']:,}" if data.get("total") else ""
    return f"{_name(visit)} {data['done']:,}{total} {data.get('unit', 'items')}"


@contextlib.contextmanager
def following(*, quiet: bool, nodes_told: bool, asking: Collection[str] = ()) -> Iterator[Follower]:
    """Tells how far a run has come while the block runs.

    Args:
        quiet: Whether nothing is to be told.
        nodes_told: Whether the live console tells of nodes: between its lines a bar would be torn apart, and only what
            it does not tell is worth a line.
        asking: The nodes that ask people: a bar would stand where they answer, and lines wait until they have.
    """
    follower = Follower(asking)
    if quiet or sys.stderr is None:
        yield follower
    elif nodes_told or asking or not sys.stderr.isatty():
        with _every(LINE_EVERY_SECONDS, lambda: _line(follower, nodes=not nodes_told)):
            yield follower
    else:
        with _bar(follower):
            yield follower


def _line(follower: Follower, *, nodes: bool) -> None:
    if not follower.is_asking and (sentence := follower.sentence(nodes=nodes)):
        say(sentence)


@contextlib.contextmanager
def _every(seconds: float, call: Callable[[], object]) -> Iterator[None]:
    over = threading.Event()

    def work() -> None:
        due = time.monotonic() + seconds
        while not over.wait(max(0.0, due - time.monotonic())):
            call()
            due += seconds

    thread = threading.Thread(target=work, name="pocketflow-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _bar(follower: Follower) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(20), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("", total=None)

        def draw() -> None:
            done, total = follower.furthest() or (0, None)
            display.update(task, completed=done, total=total, description=follower.sentence(nodes=True))

        with _every(0.2, draw):
            yield
