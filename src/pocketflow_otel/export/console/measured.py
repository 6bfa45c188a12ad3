"""What a visit did, and what it took: read from a span, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel import semconv
from pocketflow_otel.export.console.terminal import DIM
from pocketflow_otel.figures import count, duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pocketflow_otel.export.console.terminal import Line


def counts_of(attributes: Mapping[str, Any]) -> Iterator[Line]:
    """What a node says to have done: ``5 rows read, 132 B read``. Tokens are told with what they cost."""
    told = {
        key.removeprefix(semconv.NODE_COUNT_PREFIX): number
        for key, number in attributes.items()
        if key.startswith(semconv.NODE_COUNT_PREFIX) and isinstance(number, int) and not key.endswith("_tokens")
    }
    if told:
        # Bytes say least.
        names = sorted(told, key=lambda name: name.startswith("bytes_"))
        yield [(DIM, ", ".join(_counted(name, told[name]) for name in names))]


def _counted(name: str, number: int) -> str:
    what, _, done = name.partition("_")
    amount = size(number) if what == "bytes" else count(number, what.removesuffix("s"), what)
    return f"{amount} {done.replace('_', ' ')}".rstrip()


def taken_of(attributes: Mapping[str, Any]) -> Iterator[Line]:
    """What a visit took, where that was measured."""
    taken = []
    if seconds := attributes.get(semconv.NODE_CPU_SECONDS):
        taken.append(f"cpu {duration(seconds)}")
    if grown := attributes.get(semconv.NODE_MEMORY_BYTES):
        taken.append(f"memory {'+' if grown > 0 else '-'}{size(abs(grown))}")
    for name, key in (("read", semconv.NODE_READ_BYTES), ("wrote", semconv.NODE_WRITTEN_BYTES)):
        if amount := attributes.get(key):
            taken.append(f"{name} {size(amount)}")
    if taken:
        yield [(DIM, ", ".join(taken))]


def phases_of(attributes: Mapping[str, Any]) -> Iterator[Line]:
    """How long ``prep``, ``exec`` and ``post`` took."""
    phases = (("prep", semconv.PREP_SECONDS), ("exec", semconv.EXEC_SECONDS), ("post", semconv.POST_SECONDS))
    taken = [f"{name} {duration(attributes[key])}" for name, key in phases if key in attributes]
    if taken:
        yield [(DIM, ", ".join(taken))]
