"""The live console: a line when a flow or node starts, a line when it ends."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from pocketflow_otel import semconv
from pocketflow_otel.export import problems
from pocketflow_otel.export.console.lines import MAX_NAME, Lines
from pocketflow_otel.export.console.places import (
    VISITED,
    Ending,
    Kind,
    Place,
    attributes_of,
    ending_of,
    kind_of,
)
from pocketflow_otel.export.console.terminal import Line, Terminal, plain
from pocketflow_otel.export.console.totals import Totals, closing_lines, totals_lines
from pocketflow_otel.export.streams import real_stream
from pocketflow_otel.options import Verbosity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

MAX_OTHERS: Final = 4096
"""Most open spans of other instrumentations that are remembered: some never end, as that of a stream nobody reads."""

_CONTAINERS: Final = frozenset({Kind.FLOW, Kind.NODE, Kind.ITERATION})
_PARTS: Final = frozenset({Kind.ITERATION, Kind.ITEM})

MAX_ITERATIONS: Final = 50
"""Most iterations of one flow that are told of; beyond them only what goes wrong in them, unless it is verbose."""

_Key = tuple[int, int]
_Answer = TypeVar("_Answer")


class LiveConsole(SpanProcessor):
    """Tells on a terminal what flows and nodes do while they do it.

    It reads the spans of the PocketFlow instrumentation, and mentions those of others where it is verbose. It never
    raises, and falls silent when its stream is gone.

    Args:
        stream: Where to write; by default the real standard error, also where what nodes print is being captured.
        verbosity: Minimal: outermost flows, errors and totals. Normal: flows, nodes, iterations, and attempts that were
            retried. Verbose: all there is.
        color: Whether to use colours. By default on a terminal only; ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM`` count.
        trace_files: Tells at the end which files hold the traces, the last one last.
        notes: Tells at the end what else the reader should know, a sentence each.
        clock: Tells the time up to which what has not ended has lasted, in nanoseconds since the epoch; by default it
            is now.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        verbosity: Verbosity = Verbosity.NORMAL,
        color: bool | None = None,
        trace_files: Callable[[], Sequence[Path]] | None = None,
        notes: Callable[[], Sequence[str]] | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._terminal = Terminal(real_stream(sys.stderr if stream is None else stream), color)
        self._minimal = verbosity is Verbosity.MINIMAL
        self._verbose = verbosity is Verbosity.VERBOSE
        self._lines = Lines(self._terminal, verbosity)
        self._trace_files = trace_files
        self._notes = notes
        # Re-entrant: a signal handler or a finalizer may end a span while a line is being written.
        self._lock = threading.RLock()
        self._places: dict[_Key, Place] = {}
        self._others: dict[_Key, Place] = {}
        self._last_flow: Place | None = None
        self._clock = clock
        self._totals = Totals(clock)
        _consoles.add(self)

    def on_start(self, span: ReadableSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        """Shows that a flow, node or iteration starts."""
        try:
            with self._lock:
                self._start(span)
        except Exception as error:  # noqa: BLE001 - nothing of ours may make the program fail
            _report(error)

    def on_end(self, span: ReadableSpan) -> None:
        """Shows that a flow or node has ended, and how."""
        try:
            with self._lock:
                self._end(span)
        except Exception as error:  # noqa: BLE001 - nothing of ours may make the program fail
            _report(error)

    def shutdown(self) -> None:
        """Writes the totals, once; nothing where no flow or node ran. Nothing is written after it."""
        try:
            with self._lock:
                self._write_totals()
        except Exception as error:  # noqa: BLE001 - nothing of ours may make the program fail
            _report(error)

    def summary(self) -> str:
        """The totals so far, the places of the traces and the notes, as plain text.

        Returns:
            Lines without a line end after the last; empty where no flow or node ran.
        """
        with self._lock:
            return plain([*self._total_lines(), *self._closing_lines()])

    def _start(self, span: ReadableSpan) -> None:
        kind = kind_of(span)
        parent = self._parent(span)
        if kind is None:
            if parent is not None:
                self._remember_other(span, parent)
            return
        place = self._place(kind, span, parent)
        self._places[_key(span.context)] = place
        if place.is_hushed and parent is not None and not parent.is_hushed and parent.parts == MAX_ITERATIONS + 1:
            self._terminal.write([self._lines.hushed(place)])
        if self._shows_start(place):
            self._terminal.write([*self._params_around(parent), self._lines.started(place, self._crumb(parent))])
            if kind is Kind.FLOW:
                self._last_flow = place

    def _end(self, span: ReadableSpan) -> None:
        kind = kind_of(span)
        if kind is None:
            self._end_other(span)
            return
        place = self._places.pop(_key(span.context), None)
        if place is None:
            # A console that was added while a flow ran has not seen it start.
            place = self._place(kind, span, self._parent(span))
            place.late = True
        if place.elsewhere:
            return
        ending = ending_of(span)
        place.number = place.number_in(ending.attributes) or place.number
        if kind is Kind.ATTEMPT:
            self._end_attempt(place, ending)
        else:
            self._end_work(place, ending)

    def _end_work(self, place: Place, ending: Ending) -> None:
        failure = ending.failure
        news = _is_news(place, ending)
        failed = failure is not None and news and not failure.stopped and not ending.is_tried_again_whole
        self._count(place, ending, failed=failed)
        if place.kind is Kind.ITEM and place.parent is not None and ending.attributes.get(semconv.FALLBACK):
            place.parent.fallbacks += 1
        if failure is not None:
            self._pass_on(place, news=news)
            if not news:
                ending.failure = dataclasses.replace(failure, message="")
        waits = bool(ending.waiting) and place.kind in VISITED
        if self._shows_end(place, is_trouble=failed or waits):
            self._terminal.write(self._lines.ended(place, ending, self._crumb(place.parent, place)))

    def _end_attempt(self, place: Place, ending: Ending) -> None:
        self._totals.retries += place.number > 1
        failure = ending.failure
        if failure is not None and place.parent is not None:
            self._pass_on(place, news=_is_news(place, ending))
            place.parent.last_failure = failure
        # The last attempt's failure is told by its node, as the node's own or as the reason for the fallback.
        retried = ending.is_tried_again(place.number, place.most_attempts(ending.attributes))
        worth_telling = ending.failure is not None or place.number > 1
        if (self._verbose and worth_telling) or (retried and not self._minimal and not place.is_hushed):
            self._terminal.write([self._lines.attempt(place, ending, self._crumb(place.parent))])

    def _pass_on(self, place: Place, *, news: bool) -> None:
        """Lets what is around a failed place know whether the failure has been told: items and attempts leave it."""
        if place.parent is not None:
            place.parent.failure_told = not news or place.kind in _CONTAINERS

    def _end_other(self, span: ReadableSpan) -> None:
        parent = self._others.pop(_key(span.context), None)
        if not self._verbose:
            return
        if parent is None:
            line = self._lines.other(0, "", ending_of(span), "")
        else:
            line = self._lines.other(self._inner_depth(parent), parent.branch, ending_of(span), self._crumb(parent))
        self._terminal.write([line])

    def _parent(self, span: ReadableSpan) -> Place | None:
        """The nearest span of the instrumentation around this one."""
        if span.parent is None:
            return None
        key = _key(span.parent)
        return self._places.get(key) or self._others.get(key)

    def _remember_other(self, span: ReadableSpan, parent: Place) -> None:
        if len(self._others) >= MAX_OTHERS:
            del self._others[next(iter(self._others))]
        self._others[_key(span.context)] = parent

    def _place(self, kind: Kind, span: ReadableSpan, parent: Place | None) -> Place:
        attributes = attributes_of(span)
        place = Place(
            kind=kind,
            span=span,
            name=self._name(kind, span, attributes, parent),
            parent=parent,
            depth=0 if parent is None else self._inner_depth(parent),
            branch="" if parent is None else parent.branch,
            is_hushed=parent is not None and parent.is_hushed,
        )
        if kind in _PARTS and parent is not None:
            # The contract leaves out what is at its default, such as the index 0, so the count is what is sure.
            index = attributes.get(semconv.BATCH_INDEX, parent.parts)
            parent.parts += 1
            place.is_hushed |= kind is Kind.ITERATION and parent.parts > MAX_ITERATIONS and not self._verbose
            place.branch = f"{parent.branch}.{index}" if parent.branch else str(index)
        if parent is not None and parent.kind is Kind.ITERATION and place.is_visit:
            place.number = parent.count_visit(place.name)
        elif place.is_outermost_flow:
            place.number = self._totals.run_of(place.name, span.start_time or 0)
        else:
            place.number = place.number_in(attributes) or 1
        return place

    def _params_around(self, parent: Place | None) -> list[Line]:
        """An iteration's params: they are set just after its start, so the first visit in it brings them."""
        if not self._verbose or parent is None or parent.kind is not Kind.ITERATION:
            return []
        return self._lines.params(parent, attributes_of(parent.span))

    def _name(self, kind: Kind, span: ReadableSpan, attributes: Mapping[str, Any], parent: Place | None) -> str:
        if kind not in VISITED and parent is not None:
            return parent.name
        attribute = semconv.WORKFLOW_NAME if kind is Kind.FLOW else semconv.NODE_NAME
        return self._terminal.clean(str(attributes.get(attribute) or span.name), MAX_NAME)

    def _inner_depth(self, parent: Place) -> int:
        """The depth of what is in `parent`: one more if it has a line that this could stand below."""
        return parent.depth + (parent.kind in _CONTAINERS and self._shows_start(parent))

    def _shows_start(self, place: Place) -> bool:
        if self._minimal:
            return place.is_outermost_flow
        return place.kind in _CONTAINERS and not place.is_hushed

    def _shows_end(self, place: Place, *, is_trouble: bool) -> bool:
        if self._minimal:
            return place.is_outermost_flow or (is_trouble and place.kind in _CONTAINERS)
        if is_trouble and place.kind in _CONTAINERS:
            return True
        return self._verbose or (place.kind in VISITED and not place.is_hushed)

    def _crumb(self, parent: Place | None, ended: Place | None = None) -> str:
        """Which flow a line in `parent` belongs to, where that is not plain from the line before.

        It is plain after another line of that flow, and for the end of a flow after a line of its own. Branches of a
        batch are told by the index on each line, so their flows count as one.
        """
        flow = parent
        while flow is not None and flow.kind is not Kind.FLOW:
            flow = flow.parent
        last, self._last_flow = self._last_flow, flow
        if flow is None or _alike(last, flow) or (ended is not None and _alike(last, ended)):
            return ""
        outermost = flow.outermost
        if outermost is flow or (last is not None and last.outermost is outermost):
            return flow.title
        return f"{outermost.title} {self._terminal.symbols.inside} {flow.title}"

    def _count(self, place: Place, ending: Ending, *, failed: bool) -> None:
        if place.kind is Kind.ITEM:
            return
        totals = self._totals
        totals.errors += failed
        totals.waiting += place.kind is Kind.NODE and bool(ending.waiting)
        is_first = ending.node_try == 1
        totals.visits += place.is_visit and is_first
        totals.retries += place.is_visit and not is_first
        totals.open_flows -= place.is_outermost_flow
        if place.kind is Kind.NODE:
            spending = ending.spending - place.delegated
            totals.visited(place.name, ending.end - ending.start, spending, is_new=is_first)
        runner = place.runner
        if runner is not None:
            runner.delegated += ending.spending
        if place.parent is None or place.parent.elsewhere:
            totals.covered(ending.start, ending.end)
            if not place.late:  # what began inside it since counts by itself, and must not count twice
                totals.spending += ending.spending

    def _write_totals(self) -> None:
        lines = self._total_lines()
        if lines:
            # What it came to is told once, and paths and advice are there to be copied: better on two lines than cut.
            self._terminal.write([[], *lines, *self._closing_lines()], whole=True)
        self._terminal.close()

    def _total_lines(self) -> list[Line]:
        if not self._totals.flows and not self._totals.visits:
            return []
        unfinished = [place for place in self._places.values() if not place.elsewhere]
        spending = sum((place.delegated for place in unfinished), self._totals.spending)
        nodes = [place for place in unfinished if place.kind is Kind.NODE]
        return totals_lines(self._totals, spending, nodes, self._terminal)

    def _closing_lines(self) -> list[Line]:
        if not self._total_lines():
            return []
        return closing_lines(_asked(self._trace_files), _asked(self._notes), self._terminal)

    def after_fork(self) -> None:
        """Makes this copy, in a new child process, tell only of what the child does."""
        # Another thread of the parent may have held the lock, and is not here to release it.
        self._lock = threading.RLock()
        for place in self._places.values():
            place.elsewhere = True
        self._totals = Totals(self._clock)


def _key(context: SpanContext | None) -> _Key:
    return (context.trace_id, context.span_id) if context is not None else (0, 0)


def _is_news(place: Place, ending: Ending) -> bool:
    """Whether a failure, if there is one, is not the one that something inside has been shown with."""
    return ending.raised_here or not place.failure_told


def _alike(last: Place | None, flow: Place) -> bool:
    return last is flow or (last is not None and last.title == flow.title and last.outermost is flow.outermost)


def _asked(question: Callable[[], Sequence[_Answer]] | None) -> Sequence[_Answer]:
    try:
        return question() if question is not None else ()
    except Exception as error:  # noqa: BLE001 - the totals are worth showing without it
        _report(error)
        return ()


def _report(error: Exception) -> None:
    problems.report("live console", f"{type(error).__name__}: {error}")


_consoles: Final[weakref.WeakSet[LiveConsole]] = weakref.WeakSet()


def _reset_in_child() -> None:
    for console in list(_consoles):
        console.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
