"""Makes a document's values out of a program's: dicts, lists, texts, numbers, booleans and None, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.documents.scalars import MAX_DIGITS
from pocketflow_otel.runtime.documents.sentences import shown
from pocketflow_otel.runtime.documents.text import MAX_DEPTH, MAX_VALUES

if TYPE_CHECKING:
    from pocketflow_otel.runtime.documents.findings import Findings
    from pocketflow_otel.runtime.documents.places import Path


def plain(value: Mapping[Any, Any], findings: Findings) -> dict[str, Any]:
    """A copy of a mapping that holds only what a document can hold; what it can't hold is a fault, and None there."""
    made: dict[str, Any] = _Copy(findings).of(value, ())
    return made


_SCALARS: Final = (bool, int, float, str)


class _Copy:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._values = 0

    def of(self, value: Any, path: Path) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or len(path) > MAX_DEPTH:
            return self._refuse(path)
        if isinstance(value, Mapping):
            return {key: self.of(item, (*path, key)) for key, item in value.items() if self._is_key(key, path)}
        if isinstance(value, list | tuple):
            return [self.of(item, (*path, index)) for index, item in enumerate(value)]
        return self._scalar(value, path)

    def _refuse(self, path: Path) -> None:
        if self._values == MAX_VALUES + 1:
            self._findings.at_value((), f"it has more than {MAX_VALUES} values")
        elif len(path) > MAX_DEPTH:
            self._findings.at_value(path, f"it is nested too deeply; {MAX_DEPTH} levels are read")

    def _is_key(self, key: Any, path: Path) -> bool:
        if isinstance(key, str) and _is_encodable(key):
            return True
        hint = "" if not isinstance(key, bool) else ": readers of YAML 1.1 take on, off, yes and no for it; quote them"
        self._findings.at_value(path, f"a key has to be a text, not {shown(key)}{hint}")
        return False

    def _scalar(self, value: Any, path: Path) -> str | float | bool | None:
        problem = _problem(value)
        if problem:
            self._findings.at_value(path, problem)
            return None
        # Subclasses, such as members of an enumeration, become what they are made of.
        return next((kind(value) for kind in _SCALARS if isinstance(value, kind)), None)


def _problem(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return None if _is_encodable(value) else "a text with half a character (a lone surrogate)"
    if isinstance(value, int):
        return None if abs(value) < 10**MAX_DIGITS else f"a number of more than {MAX_DIGITS} digits"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is no number that JSON knows"
    return f"a document can't hold a {type(value).__qualname__}; expected a text, a number, a list or a mapping"


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
