"""How often a node's ``exec`` is tried: for the node itself, or for each item of a batch."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel import semconv
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation.scopes import Scope
from pocketflow_otel.visiting import Paused, takes_end

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from pocketflow_otel.instrumentation.places import Place
    from pocketflow_otel.instrumentation.tracing import Tracing
    from pocketflow_otel.visiting import Visiting

MOST_RETRIES: Final = 2**63 - 1
"""What an integer attribute can hold."""


class Trial(Scope):
    """What runs a node's ``exec``, once or several times: a visit of a plain node, or an item of a batch node.

    Attributes:
        place: What is known of the node in its flow.
        max_retries: How often the node may try.
        waits: Whether it waits in between.
        attempts: How often it has tried.
        fallback: Whether ``exec_fallback`` gave the result.
        visiting: The visit, as whoever runs the node knows it; None where PocketFlow does.
        tries_inside: Whether whoever runs the node decides about its tries in ``exec``.
    """

    __slots__ = ("attempts", "fallback", "last_try_ended", "max_retries", "node", "place", "tries_inside", "visiting",
                 "waits")  # fmt: skip

    place: Place

    def __init__(self, tracing: Tracing, parent: Scope | None) -> None:
        Scope.__init__(self, tracing, parent)
        self.node: Any = None
        self.max_retries = 1
        self.waits = False
        self.attempts = 0
        self.fallback = False
        self.last_try_ended = 0.0
        self.visiting: Visiting | None = None
        self.tries_inside = False

    def is_tried_again(self, error: BaseException, number: int) -> bool:
        """Whether ``exec`` is tried again after an error.

        Args:
            error: The error.
            number: Which try has failed.
        """
        if not issubclass(type(error), Exception) or number >= self.max_retries:
            return False
        return self.visiting is None or not self.tries_inside or self.visiting.tries_again(error)

    def attempt_attributes(self) -> dict[str, Any]:
        """What is told of the tries; nothing where there was one and no more were allowed."""
        attributes: dict[str, Any] = {}
        if self.max_retries != 1:
            attributes[semconv.MAX_RETRIES] = self.max_retries
            # An exec put on the instance is tried unseen: then nothing is told, rather than a wrong number.
            seen = self.attempts or self.max_retries <= 0
            if seen and self.attempts != 1:
                attributes[semconv.ATTEMPTS] = self.attempts
        if self.fallback:
            attributes[semconv.FALLBACK] = True
        return attributes


class Item(Trial):
    """One item of a batch node.

    Attributes:
        visit: The node's visit.
    """

    __slots__ = ("visit",)

    def __init__(self, visit: Any, around: Context) -> None:
        super().__init__(visit.tracing, visit)
        self.visit = visit
        self.place = visit.place
        self.node = visit.node
        self.max_retries = visit.max_retries
        self.waits = visit.waits
        attributes = {**visit.place.inside, semconv.BATCH_INDEX: next(visit.item_numbers)}
        self.enter(semconv.SPAN_ITEM, attributes, around)

    def finish(self, result: Any = None) -> None:
        """Ends the item."""
        self.returned(result)
        self._record()
        super().finish(result)

    def fail(self, error: BaseException) -> None:
        """Ends the item, which failed."""
        self.visit.items_failed += not issubclass(type(error), Paused)
        self._record()
        super().fail(error)

    def _record(self) -> None:
        self.visit.count_retries(self.attempts)
        if self.recording and self.is_ours_to_end and (attributes := self.attempt_attributes()):
            self.span.set_attributes(attributes)


class Attempt(Scope):
    """One try of a node's ``exec``, where more than one is allowed.

    Args:
        trial: What is being tried.
        around: The context in which it is.
    """

    __slots__ = ("_number", "_trial", "failed_try")

    def __init__(self, trial: Trial, around: Context) -> None:
        super().__init__(trial.tracing, trial)
        self.failed_try = False
        self._trial = trial
        trial.attempts += 1
        trial.forget_told()
        self._number = trial.attempts
        attributes: dict[str, Any] = {
            **trial.place.inside,
            semconv.ATTEMPT_NUMBER: self._number,
            semconv.MAX_RETRIES: min(trial.max_retries, MOST_RETRIES),
        }
        if self._number > 1 and trial.waits:
            attributes[semconv.ATTEMPT_WAIT_SECONDS] = perf_counter() - trial.last_try_ended
        self.enter(semconv.SPAN_ATTEMPT, attributes, around)
        if trial.visiting is not None:  # from here on there is a span to end
            trial.visiting.given_up.append(self.fail)

    def finish(self, result: Any = None) -> None:
        """Ends the try, which succeeded."""
        visiting = self._trial.visiting
        if visiting is not None and not takes_end(visiting, self.fail):
            return
        self.returned(result)
        super().finish(result)

    def fail(self, error: BaseException) -> None:
        """Ends the try, which raised, or is given up; a traceback is taken only from one that is not tried again."""
        visiting = self._trial.visiting
        if visiting is not None and not takes_end(visiting, self.fail):
            return
        self._trial.last_try_ended = perf_counter()
        try:
            if self.is_ours_to_end:
                if not issubclass(type(error), Paused):
                    self.tracing.accounts.try_failed(self)
                retried = self._trial.is_tried_again(error, self._number)
                if not retried and self.recording and self._number < self._trial.max_retries:
                    self.span.set_attribute(semconv.ATTEMPT_LAST, True)
                self.note_error(error, with_trace=not retried)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("recording a failed try")
        finally:
            self.end()
