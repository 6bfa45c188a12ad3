"""Resources told apart by what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.traces.json_text import json_text, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_NAME: Final = "service.name"


class ResourceNumbers:
    """Numbers resources from 1, equal ones alike."""

    def __init__(self) -> None:
        # The spans of a file mostly share one object. It is held here, so that no other can get its id.
        self._by_id: dict[int, tuple[Mapping[str, Any], int]] = {}
        self._by_content: dict[str, int] = {}

    def __getitem__(self, resource: Mapping[str, Any]) -> int:
        known = self._by_id.get(id(resource))
        if known is None:
            content = json_text(plain(resource))
            number = self._by_content.setdefault(content, len(self._by_content) + 1)
            known = self._by_id[id(resource)] = (resource, number)
        return known[1]
