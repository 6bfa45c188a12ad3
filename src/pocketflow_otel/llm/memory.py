"""What is remembered of calls while an outermost flow runs: answers are kept in the store, and stored again."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.late import importing
from pocketflow_otel.llm.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketflow_otel.llm.responses import Found

_MOST_REMEMBERED: Final = 4096
_MOST_STORED: Final = 32


class Memory:
    """What is remembered of calls for as long as an outermost flow runs: answers are kept, and stored again.

    Attributes:
        ids: Response ids of the calls counted, the last 4096.
        stored: The usages found under each key of the store, as they were when it last changed.
    """

    __slots__ = ("ids", "stored")

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.stored: dict[str, list[Found]] = {}

    def note(self, response_id: str | None) -> None:
        """Remembers the id of a call that was counted."""
        if response_id is None:
            return
        self.ids[response_id] = None
        if len(self.ids) > _MOST_REMEMBERED:
            del self.ids[next(iter(self.ids))]

    def new_in_store(self, key: str, value: Any) -> list[Found]:
        """The usages in a key's new value that were not there before."""
        with importing:
            from pocketflow_otel.llm.responses import find_usages

        before = self.stored.pop(key, [])
        found = find_usages(value, most=_MOST_STORED)
        # Another key may hold the same object, and have been looked at later.
        known = [held for others in list(self.stored.values()) for held in others] + before if found else []
        if found and len(self.stored) < _MOST_REMEMBERED:
            self.stored[key] = found
        return [new for each in found if (new := grown_since(known, each)) is not None]

    def holds(self, found: Found) -> bool:
        """Whether a usage stands in the store, and so was looked at when it was put there."""
        return any(held.source is found.source for others in list(self.stored.values()) for held in others)


def grown_since(known: Sequence[Found], found: Found) -> Found | None:
    """What a usage in the store tells that is new.

    Programs add up what they use in one dict: then it is by how much it grew.

    Args:
        known: What stood in the store before.
        found: What stands there now.
    """
    for before in known:
        old, new = before.usage, found.usage
        if before.source is not found.source:
            continue
        growth = {name: getattr(new, name) - getattr(old, name) for name in _COUNTS}
        if min(growth.values()) < 0 or not growth["input_tokens"] + growth["output_tokens"]:
            return None
        return found._replace(usage=replace(new, response_id=None, cost_usd=None, **growth), identities=())
    return found


_COUNTS: Final = tuple(field.name for field in fields(Usage) if field.type == "int")
