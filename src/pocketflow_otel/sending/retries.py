"""Asking again, as OTLP wants it: after waits that grow and differ, or when the server says."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pocketflow_otel.sending.answers import TryAgain

if TYPE_CHECKING:
    from collections.abc import Callable

    from pocketflow_otel.sending.answers import Answer


@dataclass(frozen=True, slots=True)
class Retries:
    """How long, and how often, to ask again.

    Attributes:
        seconds: How long after the first failure to give up.
        first_wait_seconds: The first wait; each is twice as long as the one before, shortened by up to half at random.
        longest_wait_seconds: No wait but the server's own is longer than that.
    """

    seconds: float
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 15.0

    def answer(self, ask: Callable[[], Answer], waits: Callable[[str, float], object]) -> Answer:
        """Asks until there is an answer that is final, or the time is up.

        Args:
            ask: Sends the request.
            waits: Is told of each wait before it begins: the reason, and how many seconds.

        Returns:
            The last answer: a `TryAgain` where the time was up.
        """
        end: float | None = None
        for attempt in itertools.count():
            answer = ask()
            if not isinstance(answer, TryAgain):
                return answer
            now = time.monotonic()
            end = now + self.seconds if end is None else end
            wait = self._wait(answer, attempt, end - now)
            if wait is None:
                return answer
            waits(answer.reason, wait)
            time.sleep(wait)
        raise AssertionError

    def _wait(self, answer: TryAgain, attempt: int, left: float) -> float | None:
        """The seconds to wait, None to give up."""
        asked = answer.after_seconds or 0.0
        if left <= 0 or asked > left:
            return None
        longest = min(self.first_wait_seconds * 2.0**attempt, self.longest_wait_seconds)
        # The last try is made when the time is up.
        return min(max(asked, random.uniform(longest / 2, longest)), left)  # noqa: S311 - no secret depends on it
