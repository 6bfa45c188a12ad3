"""What looking at the shared store costs, by the number of its keys and the size of its values.

Run it with ``python3 dev.py run python benchmarks/store.py``. One step is what a node of a running flow costs: two keys
have changed, one exchanged and one in place, and the store is compared with what it was after the node before. Medians
of the CPU time of the calling thread.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from pocketflow_otel.capture.store import FULL_LOOK_KEYS, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

DEEP = 4


def mixed_store(keys: int) -> dict[str, Any]:
    """Strings, lists, dicts and numbers in turn."""
    kinds: tuple[Callable[[int], Any], ...] = (
        lambda number: f"text {number} " * 4,
        lambda number: [number, 1, 2, 3, 4],
        lambda number: {"name": "a", "values": [number]},
        lambda number: number * 1.5,
    )
    return {f"key{number}": kinds[number % len(kinds)](number) for number in range(keys)}


def microseconds(store: dict[str, Any], depth: int, rounds: int) -> float:
    taken = []
    snapshot = Snapshot(store, depth)
    for number in range(rounds):
        store["key0"] = f"answer {number}"
        store["key1"].append(number) if number % 2 else store["key1"].pop()
        began = time.thread_time_ns()
        changes = snapshot.move_on(store)
        taken.append(time.thread_time_ns() - began)
        if len(store) <= FULL_LOOK_KEYS and {key for _, key, _ in changes} != {"key0", "key1"}:
            raise AssertionError(changes)
    return statistics.median(taken) / 1e3


def peak_of_replacing(size: int) -> float:
    """Peak memory while a value is let go of and made anew between two looks, as a multiple of one such value."""
    store: dict[str, Any] = {"page": "x" * size}
    gc.collect()
    tracemalloc.start()
    snapshot = Snapshot(store, 1)
    del store["page"]
    store["page"] = "y" * size
    snapshot.move_on(store)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="steps of each size (default 300)")
    rounds = parser.parse_args().rounds

    print(f"Python {sys.version.split()[0]}: microseconds a node, median of {rounds} steps\n")
    print(f"{'keys':>10}{'first level':>14}{'depth ' + str(DEEP):>14}")
    for keys in (10, 100, 1_000, 2_000, 10_000, 20_000, 100_000):
        store = mixed_store(keys)
        count = max(rounds // max(keys // 500, 1), 15)
        print(f"{keys:>10,}{microseconds(store, 1, count):>14.1f}{microseconds(store, DEEP, count):>14.1f}")

    print(f"\n{'size of each value':>20}{'12 keys':>12}{'over 1 KB':>12}")
    first = None
    for size in (1_000, 100_000, 10_000_000):
        store = {"key0": "", "key1": [1], **{f"text{number}": "x" * size for number in range(5)}}
        store.update({f"list{number}": [0] * (size // 8) for number in range(5)})
        cost = microseconds(store, 1, rounds)
        first = first or cost
        print(f"{size:>18,} B{cost:>12.1f}{cost / first:>10.2f} x")

    print(f"\npeak memory while a 50 MB text is dropped and made anew: {peak_of_replacing(50_000_000):.2f} x the text")


if __name__ == "__main__":
    main()
