"""A context for nodes that run by themselves: real folders, and account of what they tell."""

import inspect
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pocketflow_otel.runtime.registry.node_types import FunctionType


@dataclass
class Alone:
    """What a node may ask of its run, where there is no run.

    Attributes:
        base: The document's folder; those of the run are made in it.
        connections: What ``@family.alias`` stands for.
        secrets: Texts that are masked.
        counts: What was counted.
        told: Progress and chunks, as they came.
    """

    base: Path
    run_id: str = "0198c0de"
    workflow: str = "alone"
    node: str = "node"
    visit: int = 1
    attempt: int = 1
    key: str = "0198c0de/node/1"
    allow_shell: bool = True
    decisions: Mapping[str, str] = field(default_factory=dict)
    may_ask: bool = True
    connections: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    told: list[Any] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def artifacts(self) -> Path:
        return self._folder("artifacts")

    @property
    def working(self) -> Path:
        return self._folder("working")

    @property
    def cancelled(self) -> bool:
        return self.ended.is_set()

    def wait(self, seconds: float) -> bool:
        return self.ended.wait(seconds)

    def connection(self, reference: str) -> Any:
        return self.connections[reference]

    def count(self, **counts: float) -> None:
        self.counts.update(counts)

    def progress(self, done: int, total: int | None = None, unit: str = "items") -> None:
        self.told.append((done, total, unit))

    def chunk(self, text: str) -> None:
        self.told.append(text)

    def mask(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def _folder(self, name: str) -> Path:
        folder = self.base / ".run" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


async def result_of(node_type: FunctionType, context: Alone, **config: Any) -> Any:
    """What a node of this type gives."""
    result = node_type.call(node_type.config.model_validate(config), context)
    return await result if inspect.isawaitable(result) else result
