"""Runs one flow with as many LLM calls as asked for, and prints what memory the process held.

    python -m llm.many_calls 1000000

prints, as JSON, its resident bytes after a tenth of the calls and after all of them.
"""

import gc
import json
import sys

import psutil
from opentelemetry.sdk.trace import TracerProvider
from pocketflow import Flow, Node

from llm.reporter import PRICES, Reporter
from pocketflow_otel import PocketFlowInstrumentor

CALLS_A_VISIT = 100


def main(calls: int) -> list[int]:
    """Runs the flow; returns the bytes held early and at the end."""
    provider = TracerProvider(shutdown_on_exit=False)
    PocketFlowInstrumentor().instrument(tracer_provider=provider, price_file=PRICES)
    write, process = Reporter(provider), psutil.Process()
    marks = []

    class Loop(Node):
        def exec(self, prepared):
            for _ in range(CALLS_A_VISIT):
                write.call()

        def post(self, shared, prepared, result):
            if write.written in (calls // 10, calls):
                gc.collect()
                marks.append(process.memory_info().rss)
            return "again" if write.written < calls else None

    node = Loop()
    node - "again" >> node
    node >> Node()
    Flow(node).run({})
    return marks


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1])), sys.stdout)
