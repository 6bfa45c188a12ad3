"""What tracing costs: a node step traced, as multiples of a bare OpenTelemetry span around the same step.

Run it with ``python3 dev.py run python benchmarks/overhead.py``. Rounds of all variants alternate in one process; what
is printed are medians of the CPU time of the calling thread, and their ratios. Machines differ and are shared, so only
ratios from one run compare.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
import warnings
from typing import TYPE_CHECKING, Any

import pocketflow
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from pocketflow_otel import PocketFlowInstrumentor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = 1000


class NullExporter(SpanExporter):
    """Takes spans and does nothing with them."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def provider(**kwargs: Any) -> TracerProvider:
    made = TracerProvider(shutdown_on_exit=False, **kwargs)
    made.add_span_processor(SimpleSpanProcessor(NullExporter()))
    return made


SAMPLED = provider()
UNSAMPLED = provider(sampler=ALWAYS_OFF)


def chat_store(value_size: int = 300) -> dict[str, Any]:
    """The store of a chat program: twelve keys."""
    return {
        "messages": [{"role": "user", "content": "What is the capital of France?"} for _ in range(6)],
        "question": "What is the capital of France?",
        "answer": "",
        "context": "x" * value_size,
        "history": ["earlier question", "earlier answer"],
        "config": {"model": "gpt-4o", "temperature": 0.2},
        "documents": ["a page of text"] * 5,
        "user": {"name": "Ada", "id": 3},
        "steps": 0,
        "score": 0.5,
        "done": False,
        "embedding": [0.1] * 32,
    }


class Step(pocketflow.Node):
    """A trivial node: what it costs is what surrounds it."""

    def prep(self, shared):
        return shared["question"]

    def exec(self, prep_res):
        return prep_res

    def post(self, shared, prep_res, exec_res):
        shared["steps"] += 1
        shared["answer"] = exec_res if shared["steps"] % 2 else "Paris"
        return "again" if shared["steps"] < STEPS else "done"


def flow() -> pocketflow.Flow:
    step, end = Step(), pocketflow.Node()
    step - "again" >> step
    step - "done" >> end
    return pocketflow.Flow(step)


def microseconds_a_step(store: dict[str, Any]) -> float:
    running = flow()
    began = time.thread_time()
    running.run(store)
    return (time.thread_time() - began) / STEPS * 1e6


@contextlib.contextmanager
def bare_spans(tracer: trace.Tracer) -> Iterator[None]:
    """A span with five attributes, current during the step, in a trace, written as tightly as the API allows."""
    run = pocketflow.BaseNode._run

    def traced(self: Any, shared: Any) -> Any:
        attributes = {"node.name": "Step", "node.class": "Step", "flow.name": "Flow", "visit": 1, "kind": "node"}
        span = tracer.start_span("node Step", attributes=attributes)
        token = context.attach(trace.set_span_in_context(span))
        try:
            return run(self, shared)
        finally:
            context.detach(token)
            span.end()

    pocketflow.BaseNode._run = traced
    try:
        with tracer.start_as_current_span("flow"):
            yield
    finally:
        pocketflow.BaseNode._run = run


@contextlib.contextmanager
def instrumented(**options: Any) -> Iterator[None]:
    PocketFlowInstrumentor().instrument(**options)
    try:
        yield
    finally:
        PocketFlowInstrumentor().uninstrument()


CONTENT = {"capture_values": True, "capture_output": True, "capture_io": True}

VARIANTS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "PocketFlow alone": contextlib.nullcontext,
    "no provider": instrumented,
    "bare span, sampler off": lambda: bare_spans(UNSAMPLED.get_tracer("bare")),
    "not sampled": lambda: instrumented(tracer_provider=UNSAMPLED),
    "bare span": lambda: bare_spans(SAMPLED.get_tracer("bare")),
    "full": lambda: instrumented(tracer_provider=SAMPLED),
    "full, with content": lambda: instrumented(tracer_provider=SAMPLED, **CONTENT),
}


def step_costs(rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for number in range(rounds + 1):
        for name, variant in VARIANTS.items():
            with variant():
                cost = microseconds_a_step(chat_store())
            if number:  # the first round warms up
                taken[name].append(cost)
    return {name: statistics.median(costs) for name, costs in taken.items()}


def growth_with_value_size(rounds: int) -> dict[int, float]:
    sizes = (1_000, 100_000, 10_000_000)
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            with instrumented(tracer_provider=SAMPLED):
                taken[size].append(microseconds_a_step(chat_store(size)))
    return {size: statistics.median(costs) for size, costs in taken.items()}


def memory_of_long_flow(visits: int) -> tuple[int, int]:
    """Bytes held at a tenth of a flow's visits and at its end, apart from what was held before."""
    marks: list[int] = []

    class Counting(pocketflow.Node):
        def post(self, shared, prep_res, exec_res):
            shared["n"] += 1
            if shared["n"] in (visits // 10, visits):
                gc.collect()
                marks.append(tracemalloc.get_traced_memory()[0])
            return "again" if shared["n"] < visits else "done"

    node, end = Counting(), pocketflow.Node()
    node - "again" >> node
    node - "done" >> end
    with instrumented(tracer_provider=SAMPLED):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        pocketflow.Flow(node).run({"n": 0})
        tracemalloc.stop()
    return marks[0] - before, marks[1] - before


IMPORTS = "import time, sys; t = time.process_time(); {}; print(time.process_time() - t)"
BASE_IMPORT = (
    "import pocketflow, wrapt, opentelemetry.trace, opentelemetry.metrics, opentelemetry._logs, opentelemetry.context"
)
OURS_IMPORT = (
    BASE_IMPORT + "; from pocketflow_otel import PocketFlowInstrumentor; PocketFlowInstrumentor().instrument()"
)


def import_milliseconds(statement: str) -> float:
    command = [sys.executable, "-c", IMPORTS.format(statement)]
    # Bytecode is written where it is missing, as it is when a package is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout) * 1e3


def start_up(rounds: int) -> tuple[float, float]:
    import_milliseconds(OURS_IMPORT)
    taken = [(import_milliseconds(BASE_IMPORT), import_milliseconds(OURS_IMPORT)) for _ in range(rounds)]
    return statistics.median(base for base, _ in taken), statistics.median(ours for _, ours in taken)


def row(measure: str, value: str, bar: str, aim: str) -> None:
    print(f"{measure:58}{value:>16}{bar:>12}{aim:>12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25, help="rounds of every variant (default 25)")
    parser.add_argument("--visits", type=int, default=100_000, help="visits of the long flow (default 100,000)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    costs = step_costs(arguments.rounds)
    print(f"Python {sys.version.split()[0]}: microseconds a node step, median of {arguments.rounds} rounds\n")
    for name, cost in costs.items():
        print(f"  {name:28}{cost:8.2f}")
    print()
    row("measure", "measured", "bar", "aim")
    row("full node step / bare span", f"{costs['full'] / costs['bare span']:.2f} x", "2.0 x", "1.6 x")
    row("with content / bare span", f"{costs['full, with content'] / costs['bare span']:.2f} x", "2.8 x", "2.2 x")
    row(
        "not sampled / bare span, sampler off",
        f"{costs['not sampled'] / costs['bare span, sampler off']:.2f} x",
        "1.4 x",
        "1.2 x",
    )
    row(
        "no provider - PocketFlow alone",
        f"+{costs['no provider'] - costs['PocketFlow alone']:.2f} us",
        "+3 us",
        "+1.5 us",
    )
    sizes = growth_with_value_size(max(arguments.rounds // 5, 3))
    row("value of 10 MB / value of 1 KB", f"{sizes[10_000_000] / sizes[1_000]:.2f} x", "1.1 x", "1.0 x")
    early, late = memory_of_long_flow(arguments.visits)
    row(f"memory at {arguments.visits:,} visits / at a tenth of them", f"{late / early:.2f} x", "flat", "flat")
    base, ours = start_up(max(arguments.rounds // 3, 3))
    row("import and instrument() over PocketFlow, wrapt, API", f"+{ours - base:.1f} ms", "+20 ms", "+10 ms")


if __name__ == "__main__":
    main()
