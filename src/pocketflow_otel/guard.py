"""The one guard between our code and the user's program.

Whatever goes wrong in ours is counted and logged once; the program does not notice. Our own tests set `reraise`, so
that nothing is hidden from them.
"""

import sys
from typing import Final

from pocketflow_otel import log


class Guard:
    """Counts what was caught, and tells of the first.

    Attributes:
        failures: How many of our errors were kept from the program.
        reraise: Whether to let them through instead: for tests of this project.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.reraise = False

    def caught(self, doing: str) -> None:
        """Takes the exception being handled.

        Args:
            doing: What was being done, for the log.
        """
        if self.reraise:
            raise  # noqa: PLE0704 - called from except blocks only
        self.failures += 1
        if self.failures == 1:
            log.warn("pocketflow-otel failed while %s; your program goes on", doing, exc_info=sys.exc_info())


guard: Final = Guard()
