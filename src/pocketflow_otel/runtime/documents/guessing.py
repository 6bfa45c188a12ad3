"""What was probably meant where something is wrong, so that one fault is not told again as others."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.documents.model import BODIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.documents.loaded import Config


def body_model(kind: Any, given: Mapping[str, Any]) -> type[Config] | None:
    """What a node holds nodes by, if it does: by its type or, where that is wrong, by what it is given.

    Args:
        kind: What stands as its type.
        given: What stands under ``with``.
    """
    if isinstance(kind, str) and kind in BODIES:
        return BODIES[kind]
    if not isinstance(given.get("do"), dict) or _is_type(kind):
        return None
    near = nearest(kind, BODIES) if isinstance(kind, str) else None
    return BODIES[near or ("map" if "over" in given else "workflow")]


def _is_type(kind: Any) -> bool:
    return isinstance(kind, str) and (":" in kind or kind in _types())


@cache
def _types() -> frozenset[str]:
    from pocketflow_otel.runtime.registry.registry import Registry

    return frozenset(Registry().names())
