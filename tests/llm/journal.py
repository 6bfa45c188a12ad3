"""What a program of `llm.flows` takes down of itself while it runs: where its calls of models were made."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

Place = tuple[tuple[str, str, int], ...]
"""Where something happened: from the outermost flow inwards the kind, name and number of each part."""


class Answer(NamedTuple):
    """What a call came to: a response, the text of a stream, or an error."""

    label: str
    value: Any
    error: Exception | None = None

    @property
    def is_response(self) -> bool:
        return self.error is None and not isinstance(self.value, str)


class FailedError(Exception):
    """A try failed, as its description wants it."""


class Journal:
    """What a program knows of its own calls.

    Attributes:
        made: Where each call was made, by its label.
        told: Where a result or the store first told of a call, by its label.
        failed: The tries that failed, of those that more than one was allowed of.
    """

    def __init__(self) -> None:
        self.made: dict[str, Place] = {}
        self.told: dict[str, Place] = {}
        self.failed: set[Place] = set()
        self._numbers: Counter[Any] = Counter()

    def next_number(self, *key: Any) -> int:
        """How often this was asked with the same key, this time among them."""
        self._numbers[key] += 1
        return self._numbers[key]

    def try_failed(self, at: Place) -> None:
        """Notes where a try failed, if more than one was allowed: otherwise it is no place of its own."""
        if at[-1][0] == "attempt":
            self.failed.add(at)

    def visit(self, kind: str, name: str, around: Place) -> Place:
        """Where a visit that begins is; a flow numbers the visits of a node in all its rounds."""
        run = around[:-1] if around and around[-1][0] == "iteration" else around
        return (*around, (kind, name, self.next_number(run, name)))

    def tell(self, answers: "Iterable[Answer]", at: Place) -> None:
        """Notes that the responses can be found in a result, or in the store."""
        for answer in answers:
            if answer.is_response:
                self.told.setdefault(answer.label, at)
