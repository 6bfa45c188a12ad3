"""The node types that a document names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.findings import MAX_FAULTS
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.registry import NodeTypeError, UnusableType, imported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pocketflow_otel.runtime.registry.node_types import NodeType
    from pocketflow_otel.runtime.registry.registry import Registry

_MANY: Final = NodeTypeError("it was not looked for: too many other types were not found")


class Types:
    """Finds types for one document. After many that can't be had, no more are looked for: each takes an import.

    Args:
        registry: The node types there are.
        base: The document's folder.
    """

    def __init__(self, registry: Registry, base: Path) -> None:
        self._registry = registry
        self._base = base
        self._known: dict[str, NodeType | NodeTypeError] = {}
        self._uncalled: dict[str, NodeTypeError | None] = {}
        self._missing = 0

    def get(self, name: str) -> NodeType | NodeTypeError:
        """The type of a name, or why it can't be had."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def why_not_called(self, target: str) -> NodeTypeError | None:
        """Why what is named as ``module:function`` can't be called; None if it can."""
        if target not in self._uncalled:
            self._uncalled[target] = self._look_for(target)
        return self._uncalled[target]

    def expressions(self, name: str) -> Sequence[tuple[str, ...]]:
        """Where in ``with`` a type has expressions: as `FunctionType.expressions`; nowhere if it can't be had."""
        found = self.get(name)
        return found.expressions if isinstance(found, FunctionType) else ()

    def _find(self, name: str) -> NodeType | NodeTypeError:
        if self._missing > MAX_FAULTS:
            return _MANY
        try:
            return self._registry.get(name, self._base)
        except NodeTypeError as error:
            self._missing += 1
            return error

    def _look_for(self, target: str) -> NodeTypeError | None:
        if self._missing > MAX_FAULTS:
            return _MANY
        try:
            found = imported(target, self._base)
        except NodeTypeError as error:
            self._missing += 1
            return error.with_traceback(None)
        return None if callable(found) else UnusableType(f"expected a function, not {type(found).__name__}")
