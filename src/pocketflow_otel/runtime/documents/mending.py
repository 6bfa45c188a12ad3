"""Takes out of a part what is wrong with it, so that the rest can be checked too, and all faults are told at once."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pocketflow_otel.runtime.documents.places import Path
    from pocketflow_otel.runtime.documents.sentences import Complaint

_STAND_INS: Final[dict[str, Any]] = {"workflow": "?", "type": "?", "over": [], "tries": 1}
"""What stands for fields that are missing and can't be done without."""
_NOTHING: Final = object()


def mended(part: dict[str, Any], complaints: Iterable[Complaint]) -> dict[str, Any]:
    """A copy of a part without what is wrong, misspelt fields under the name that was probably meant.

    It may be wrong still: where nothing can stand for what is missing.

    Args:
        part: The part.
        complaints: What is wrong with it.
    """
    made: dict[str, Any] = copy.deepcopy(part)
    for one in complaints:
        if one.missing is not None:
            _put(made, one.path, one.missing)
        elif one.is_unknown and one.near is not None:
            _rename(made, one.path, one.near)
        elif one.path:
            _take_out(made, one.path)
    if isinstance(made.get("edges"), list):
        made["edges"] = [edge for edge in made["edges"] if edge is not _NOTHING]
    return made


def unsound(complaint: Complaint) -> list[Path]:
    """The parts of which nothing is known any more."""
    if complaint.missing is not None:
        return [(*complaint.path, complaint.missing)]
    meant = [(*complaint.path[:-1], complaint.near)] if complaint.is_unknown and complaint.near else []
    return [complaint.path, *meant]


def _put(made: Any, path: Path, field: str) -> None:
    if "edges" in path:
        _take_out(made, path)  # half an edge leads nowhere
        return
    holder = _at(made, path)
    if isinstance(holder, dict) and field in _STAND_INS:
        holder[field] = copy.copy(_STAND_INS[field])


def _rename(made: Any, path: Path, name: str) -> None:
    holder, last = _at(made, path[:-1]), path[-1]
    if isinstance(holder, dict) and last in holder:
        value = holder.pop(last)
        holder.setdefault(name, value)


def _take_out(made: Any, path: Path) -> None:
    holder, last = _at(made, path[:-1]), path[-1]
    if isinstance(holder, list) and isinstance(last, int) and last < len(holder):
        holder[last] = _NOTHING if "edges" in path else None
    elif isinstance(holder, dict):
        holder.pop(last, None)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
