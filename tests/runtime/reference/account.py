"""What is told of a run."""

from typing import Any

from runtime.reference.model import Entry, Failure, Stop, Undone, Visit


class Account:
    """What is told of a run.

    Attributes:
        entries: Visits and skipped nodes, in the order in which they came to an end.
        visits: Visits of nodes that have code, in the order in which they began.
        undone: Runs of undo nodes, in order.
        may_fail: Nodes that failed for good, or would have if another had not been first.
        stop: What ended the run early.
        outputs: What it gives.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.visits: list[Visit] = []
        self.undone: list[Undone] = []
        self.may_fail: set[str] = set()
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
