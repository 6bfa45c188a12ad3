"""What counting calls of models costs: a call's span in a node, as multiples of the bare span, and nodes without calls.

Run it with ``python3 dev.py run python benchmarks/usage.py``. Rounds of all variants alternate in one process; what is
printed are medians of the CPU time of the calling thread, and their ratios. Machines differ and are shared, so only
ratios from one run compare. A call takes a second or more, of which a hundred microseconds are a ten-thousandth.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any
from unittest import mock

import pocketflow
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.instrumentation.sdk_spans import SdkSpans
from pocketflow_otel.llm.accounts import Accounts
from pocketflow_otel.llm.prices import Prices
from pocketflow_otel.llm.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = 500


class NullExporter(SpanExporter):
    """Takes spans and does nothing with them."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


PROVIDER = TracerProvider(shutdown_on_exit=False)
PROVIDER.add_span_processor(SimpleSpanProcessor(NullExporter()))
TRACER = PROVIDER.get_tracer("opentelemetry.instrumentation.genai.openai")


def call_span(number: int, model: str) -> None:
    """A span as the official instrumentations write it: four attributes where it begins, six where it ends."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "server.address": "api.openai.com",
    }
    with TRACER.start_as_current_span(f"chat {model}", attributes=attributes) as span:
        span.set_attributes(
            {
                "gen_ai.response.model": model,
                "gen_ai.response.id": f"chatcmpl-{number}",
                "gen_ai.response.finish_reasons": ("stop",),
                "gen_ai.usage.input_tokens": 1000 + number,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.usage.cache_read.input_tokens": 20,
            }
        )


def usage_dict(number: int) -> dict[str, Any]:
    """The usage of an answer of OpenAI's."""
    return {"prompt_tokens": 1000 + number, "completion_tokens": 100, "total_tokens": 1100 + number}


def answer(number: int) -> dict[str, Any]:
    """An answer of OpenAI's, as a dict."""
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
        "usage": usage_dict(number),
    }


def messages(number: int) -> list[dict[str, Any]]:
    """A list of dicts as programs store it, with no usage in it."""
    return [{"role": "user", "content": f"What is {turn} and {number}?"} for turn in range(10)]


class Step(pocketflow.Node):
    """One step of a loop, which does what is asked for."""

    def __init__(self, work: Callable[[int], Any], *, stored: bool) -> None:
        super().__init__()
        self.work = work
        self.stored = stored

    def prep(self, shared):
        return shared["step"]

    def exec(self, number):
        return self.work(number)

    def post(self, shared, number, result):
        shared["step"] += 1
        if self.stored:
            shared["result"] = result
        return "again" if shared["step"] < CALLS else "done"


def flow(work: Callable[[int], Any], *, stored: bool) -> pocketflow.Flow:
    step = Step(work, stored=stored)
    step - "again" >> step
    step - "done" >> pocketflow.Node()
    return pocketflow.Flow(step)


def nothing(number: int) -> None:
    """Calls no model."""


def priced_call(number: int) -> None:
    call_span(number, "gpt-4o-mini")


def unpriced_call(number: int) -> None:
    call_span(number, "my-own-model")


def other_span(number: int) -> None:
    """A span that is of no call of a model."""
    with TRACER.start_as_current_span("GET", attributes={"http.request.method": "GET", "url.path": "/"}):
        pass


# What a step does, and whether its result goes into the store.
PROGRAMS: dict[str, tuple[Callable[[int], Any], bool]] = {
    "no call": (nothing, False),
    "no call, text stored": (str, True),
    "no call, a span of others": (other_span, False),
    "span of a call, priced": (priced_call, False),
    "span of a call, unpriced": (unpriced_call, False),
    "answer returned": (answer, False),
    "usage stored": (usage_dict, True),
    "list of messages returned": (messages, False),
    "list of messages stored": (messages, True),
}


@contextlib.contextmanager
def instrumented() -> Iterator[None]:
    PocketFlowInstrumentor().instrument(tracer_provider=PROVIDER)
    try:
        yield
    finally:
        PocketFlowInstrumentor().uninstrument()


@contextlib.contextmanager
def not_counting() -> Iterator[None]:
    """Tracing without a look at the spans of others, at results and at the store."""

    def nothing(*_: Any) -> None: ...

    with (
        mock.patch.object(SdkSpans, "install", nothing),
        mock.patch.object(Accounts, "result", nothing),
        mock.patch.object(Accounts, "stored", nothing),
        instrumented(),
    ):
        yield


VARIANTS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "untraced": contextlib.nullcontext,
    "not counting": not_counting,
    "counting": instrumented,
}


def microseconds_a_step(program: str) -> float:
    work, stored = PROGRAMS[program]
    running = flow(work, stored=stored)
    began = time.thread_time()
    running.run({"step": 0})
    return (time.thread_time() - began) / CALLS * 1e6


def microseconds_a_price(prices: Prices, model: str) -> float:
    usages = [Usage(provider="openai", model=model, input_tokens=1000 + n, output_tokens=100) for n in range(CALLS)]
    began = time.thread_time()
    for usage in usages:
        prices.price(usage)
    return (time.thread_time() - began) / CALLS * 1e6


def step_costs(rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds a step, by program and variant."""
    taken: dict[str, dict[str, list[float]]] = {name: {variant: [] for variant in VARIANTS} for name in PROGRAMS}
    for number in range(rounds + 1):
        for name, variants in taken.items():
            for variant, costs in variants.items():
                with VARIANTS[variant]():
                    cost = microseconds_a_step(name)
                if number:  # the first round warms up
                    costs.append(cost)
    return {
        name: {variant: statistics.median(costs) for variant, costs in variants.items()}
        for name, variants in taken.items()
    }


def price_costs(rounds: int) -> dict[str, float]:
    """Microseconds a price, by model."""
    prices = Prices()
    prices.warm_up()
    models = ("gpt-4o-mini", "my-own-model")
    taken = {model: [microseconds_a_price(prices, model) for _ in range(rounds + 1)][1:] for model in models}
    return {model: statistics.median(costs) for model, costs in taken.items()}


def row(measure: str, cost: float, bare_span: float) -> None:
    print(f"{measure:58}{cost:>13.2f} us{cost / bare_span:>11.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="rounds of every variant (default 15)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")

    costs = step_costs(arguments.rounds)
    print(f"Python {sys.version.split()[0]}: microseconds a node step, median of {arguments.rounds} rounds\n")
    print(f"  {'':28}" + "".join(f"{variant:>14}" for variant in VARIANTS))
    for name, variants in costs.items():
        print(f"  {name:28}" + "".join(f"{cost:14.2f}" for cost in variants.values()))

    bare_span = costs["span of a call, priced"]["untraced"] - costs["no call"]["untraced"]
    print(f"\n{'counting alone':58}{'cost':>16}{'bare span':>13}")
    row("(the bare span of a call)", bare_span, bare_span)
    for name, variants in costs.items():
        row(name, variants["counting"] - variants["not counting"], bare_span)
    for model, cost in price_costs(arguments.rounds).items():
        row(f"pricing alone, {model}", cost, bare_span)


if __name__ == "__main__":
    main()
