"""What is told of a run."""

from typing import Any

from runtime.reference.model import Entry, Failure, Limit, Stop, Undone, Visit


class Account:
    """What is told of a run.

    Attributes:
        entries: Visits and skipped nodes, in the order in which they came to an end.
        visits: Visits of nodes that have code, in the order in which they began.
        undone: Runs of undo nodes, in order.
        may_reach_limit: Whether a limit and a failure race each other, and the failure was taken to be the first.
        may_fail: Nodes that failed for good, or would have if another had not been first, and their errors' types.
        stop: What ended the run early.
        outputs: What it gives.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.visits: list[Visit] = []
        self.undone: list[Undone] = []
        self.may_fail: set[tuple[str, str]] = set()
        self.may_reach_limit = False
        self.stop: Stop | None = None
        self.outputs: dict[str, Any] = {}

    @property
    def status(self) -> str:
        if self.stop:
            return "failed" if isinstance(self.stop, Failure) else "limit"
        return "degraded" if any(entry.status == "degraded" for entry in self.entries) else "succeeded"

    @property
    def doubtful(self) -> bool:
        """Whether something of what is told might have gone otherwise."""
        return not all(part.certain for part in (*self.entries, *self.visits, *self.undone))

    def marks(self) -> tuple[int, int, int]:
        return len(self.entries), len(self.visits), len(self.undone)

    def doubt(self, entry: int, visit: int, undone: int) -> None:
        """Whatever was told since then might not have happened."""
        for part in (*self.entries[entry:], *self.visits[visit:], *self.undone[undone:]):
            part.certain = False

    def first_of(self, first: Stop | None, stop: Stop) -> Stop:
        """What ends a flow of two that may: a failure, after which more may happen than after a limit."""
        if first and type(first) is not type(stop):
            self.may_reach_limit = True
        return first if first and not (isinstance(first, Limit) and isinstance(stop, Failure)) else stop
