"""What came of the spans: accepted, refused or not sent, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

_MOST_REASONS: Final = 20
_OTHER: Final = "other reasons"


@dataclass(slots=True)
class Tally:
    """Counts of spans. Of all that were read, each is accepted, refused, or not sent."""

    read: int = 0
    """Spans that have ended, each counted once."""
    accepted: int = 0
    refused_for: Counter[str] = field(default_factory=Counter)
    """Refused by the server, by what it said."""
    not_sent_for: Counter[str] = field(default_factory=Counter)
    """Not sent, or not known to have arrived, by reason."""
    warnings: Counter[str] = field(default_factory=Counter)
    """What the server said of batches that it accepted, and how often."""
    requests: int = 0
    """Requests that were made, those that were made again among them."""
    unfinished: int = 0
    """Spans that were still open, of which a file says too little to send them."""
    duplicates: int = 0
    """Spans that had stood there before."""
    torn_lines: int = 0
    """Lines that could not be read."""
    unreadable: list[str] = field(default_factory=list)
    """What is wrong with files that could not be read, or not to their end."""
    left_out: set[str] = field(default_factory=set)
    """Other signals in the files: ``logs``, ``metrics``."""

    @property
    def refused(self) -> int:
        """How many spans the server refused."""
        return self.refused_for.total()

    @property
    def not_sent(self) -> int:
        """How many spans were not sent, or are not known to have arrived."""
        return self.read - self.accepted - self.refused

    def refuse(self, spans: int, reason: str) -> None:
        """Counts spans that the server refused."""
        _count(self.refused_for, reason, spans)

    def leave(self, spans: int, reason: str) -> None:
        """Counts spans that were not sent."""
        _count(self.not_sent_for, reason, spans)

    def leave_the_rest(self, reason: str) -> None:
        """Counts spans that were read, and of which nothing came."""
        rest = self.not_sent - self.not_sent_for.total()
        if rest:
            self.leave(rest, reason)

    def warn(self, message: str) -> None:
        """Counts what the server said of a batch that it accepted."""
        _count(self.warnings, message, 1)

    def as_json(self) -> dict[str, Any]:
        """The counts as JSON can carry them."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "refused": self.refused,
            "not_sent": self.not_sent,
            "unfinished": self.unfinished,
            "duplicates": self.duplicates,
            "torn_lines": self.torn_lines,
            "unreadable": self.unreadable,
            "left_out": sorted(self.left_out),
            "requests": self.requests,
            "refused_for": dict(self.refused_for),
            "not_sent_for": dict(self.not_sent_for),
            "warnings": dict(self.warnings),
        }


def _count(counts: Counter[str], reason: str, number: int) -> None:
    # A server may say something new of every batch.
    counts[reason if reason in counts or len(counts) < _MOST_REASONS else _OTHER] += number
