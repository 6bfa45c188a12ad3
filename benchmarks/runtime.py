"""What the workflow runtime costs: a node of a document, as a multiple of the same node in a PocketFlow flow by hand.

Run it with ``python3 dev.py run python benchmarks/runtime.py``. Everything is traced. Rounds of all variants
alternate in one process; what is printed are medians, and their ratios. Machines differ and are shared, so only ratios
from one run compare.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pocketflow
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.runtime import collect, execute, load, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHAIN = 200
RESTING, AT_ONCE, SECONDS = 1000, 50, 0.05
IDEAL = RESTING / AT_ONCE * SECONDS
LARGE = 10_000


class NullExporter(SpanExporter):
    """Takes spans and does nothing with them."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


@contextlib.contextmanager
def traced() -> Iterator[None]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(NullExporter()))
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    try:
        yield
    finally:
        PocketFlowInstrumentor().uninstrument()


# Documents name these as `runtime:…`: the folder of a script is where its program imports from.


def begin() -> int:
    return 0


def step(value: int) -> int:
    """A trivial node: what it costs is what surrounds it."""
    return value + 1


def rest(value: int) -> int:
    time.sleep(SECONDS)
    return value


async def rest_async(value: int) -> int:
    await asyncio.sleep(SECONDS)
    return value


class Step(pocketflow.Node):
    """What `step` does, by hand."""

    def prep(self, shared):
        return shared["value"]

    def exec(self, value):
        return step(value)

    def post(self, shared, value, exec_res):
        shared["value"] = exec_res


def by_hand() -> int:
    first = last = Step()
    for _ in range(CHAIN - 1):
        last = last >> Step()
    shared = {"value": 0}
    pocketflow.Flow(first).run(shared)
    return shared["value"]


class OwnKey(pocketflow.Node):
    """The same, with what it gives under a key of its own, as nodes of documents have it."""

    def __init__(self, reads, writes):
        super().__init__()
        self.reads, self.writes = reads, writes

    def prep(self, shared):
        return shared[self.reads]

    def exec(self, value):
        return step(value)

    def post(self, shared, value, exec_res):
        shared[self.writes] = exec_res


def by_hand_with_own_keys() -> int:
    first = last = OwnKey("n", "n0")
    for number in range(1, CHAIN):
        last = last >> OwnKey(f"n{number - 1}", f"n{number}")
    shared = {"n": 0}
    pocketflow.Flow(first).run(shared)
    return shared[f"n{CHAIN - 1}"]


def chain(length: int, *, by_action: bool = False) -> dict[str, Any]:
    """Nodes that each take what the one before gave."""
    nodes = {"n0": {"type": "runtime:step", "with": {"value": 0}}}
    for number in range(1, length):
        nodes[f"n{number}"] = {"type": "runtime:step", "with": {"value": f"${{n{number - 1}}}"}}
    document: dict[str, Any] = {"workflow": "chain", "nodes": nodes, "outputs": {"value": f"${{n{length - 1}}}"}}
    if by_action:
        document["edges"] = [{"from": f"n{number}", "to": f"n{number + 1}"} for number in range(length - 1)]
    return document


def diamond(function: str) -> dict[str, Any]:
    """One node, many that wait for it and rest, and one that waits for all of them."""
    names = [f"n{number}" for number in range(RESTING)]
    resting = {name: {"type": f"runtime:{function}", "with": {"value": "${first}"}} for name in names}
    last = {"type": "runtime:step", "with": {"value": "${n0}"}, "needs": names}
    nodes = {"first": {"type": "runtime:begin"}, **resting, "last": last}
    limits = {"parallel": AT_ONCE}
    return {"workflow": "diamond", "limits": limits, "nodes": nodes, "outputs": {"value": "${last}"}}


def runner(document: dict[str, Any]) -> Callable[[], int]:
    """Runs a document that has been prepared."""
    plan = prepare(load(document))

    def run() -> int:
        result = collect(execute(plan))
        if result.status != "succeeded":
            raise SystemExit(f"benchmarks/runtime.py: the run ended {result.status}: {result.error}")
        return result.outputs["value"]

    return run


@dataclass(frozen=True)
class Taken:
    """Seconds on the clock, and of the process's processors."""

    clock: float
    processors: float


def taken(run: Callable[[], int], expected: int) -> Taken:
    clock, processors = time.perf_counter(), time.process_time()
    got = run()
    measured = Taken(time.perf_counter() - clock, time.process_time() - processors)
    if got != expected:
        raise SystemExit(f"benchmarks/runtime.py: {got} came out, not {expected}")
    return measured


def medians(variants: dict[str, Callable[[], int]], expected: int, rounds: int) -> dict[str, Taken]:
    found: dict[str, list[Taken]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, run in variants.items():
            one = taken(run, expected)
            if number:  # the first round warms up
                found[name].append(one)
    return {
        name: Taken(statistics.median(one.clock for one in all_), statistics.median(one.processors for one in all_))
        for name, all_ in found.items()
    }


def loading(text: str, rounds: int) -> tuple[float, float]:
    """Seconds to load a document, and to prepare it."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        document = load(text)
        loaded = time.perf_counter()
        prepare(document)
        found.append((loaded - began, time.perf_counter() - loaded))
    return statistics.median(one for one, _ in found), statistics.median(two for _, two in found)


def as_yaml(document: dict[str, Any]) -> str:
    """A chain as people write it."""
    lines = [f"workflow: {document['workflow']}", "nodes:"]
    for name, node in document["nodes"].items():
        lines += [
            f"  {name}:",
            f"    type: {node['type']}",
            "    with:",
            f"      value: {json.dumps(node['with']['value'])}",
        ]
    lines += ["outputs:", f"  value: {document['outputs']['value']}"]
    return "\n".join(lines) + "\n"


def row(measure: str, value: str, bar: str) -> None:
    print(f"{measure:62}{value:>16}{bar:>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25, help="rounds of every variant (default 25)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    few = max(arguments.rounds // 8, 2)

    with traced():
        variants = {
            "by hand": by_hand,
            "by hand, a key each": by_hand_with_own_keys,
            "by data": runner(chain(CHAIN)),
            "by action": runner(chain(CHAIN, by_action=True)),
        }
        chains = medians(variants, CHAIN, arguments.rounds)
        resting = {"async": runner(diamond("rest_async")), "sync": runner(diamond("rest"))}
        diamonds = medians(resting, 1, few)
    large = chain(LARGE)
    texts = {"YAML": as_yaml(large), "JSON": json.dumps(large)}
    loads = {name: loading(text, few) for name, text in texts.items()}

    print(f"Python {sys.version.split()[0]}: microseconds a node of {CHAIN}, median of {arguments.rounds} rounds\n")
    print(f"  {'':20}{'clock':>10}{'processors':>14}")
    for name, one in chains.items():
        print(f"  {name:20}{one.clock / CHAIN * 1e6:10.1f}{one.processors / CHAIN * 1e6:14.1f}")
    print()
    row("measure", "measured", "bar")
    for name in ("by data", "by action"):
        for same in ("by hand", "by hand, a key each"):
            clock, processors = (
                chains[name].clock / chains[same].clock,
                chains[name].processors / chains[same].processors,
            )
            row(f"node {name} / node {same}: clock, processors", f"{clock:.2f} x  {processors:.2f} x", "2.0 x")
    for name, one in diamonds.items():
        row(f"{RESTING:,} {name} nodes at rest, {AT_ONCE} at once / ideal", f"{one.clock / IDEAL:.2f} x", "1.2 x")
    for name, (loaded, prepared) in loads.items():
        row(f"{LARGE:,} nodes in {name}, loaded", f"{loaded:.2f} s", "2 s")
        row(f"{LARGE:,} nodes in {name}, then checked and planned", f"{prepared:.2f} s", "")


if __name__ == "__main__":
    main()
