"""A Jaeger, and what it has stored."""

import json
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.comparing import names_in
from backends.servers import answers, free_port, get, listening, once_whole, running
from pocketflow_otel.traces.model import Span
from pocketflow_otel.traces.otlp import SpanDecoder

CONFIG = Path(__file__).with_name("jaeger.yaml")


@dataclass(frozen=True)
class Jaeger:
    """A Jaeger that runs.

    Attributes:
        grpc: Where it takes OTLP by gRPC: host and port.
        http: Where it takes OTLP by HTTP: host and port.
        query: The URL of its pages and its API.
    """

    grpc: str
    http: str
    query: str

    def spans(self, trace_id: str, count: int) -> list[Span]:
        """The spans of a trace, in the order they started, once there are so many."""
        spans = SpanDecoder().spans_in(self.document(trace_id, count))
        return sorted(spans, key=lambda span: (span.start_ns, span.span_id))

    def document(self, trace_id: str, count: int) -> dict[str, Any]:
        """A trace as OTLP JSON, once it has so many spans."""
        return once_whole(lambda: self.document_now(trace_id), names_in, count)

    def document_now(self, trace_id: str) -> dict[str, Any]:
        """A trace as OTLP JSON, with the spans that have come up to now, perhaps none."""
        try:
            answer: dict[str, Any] = json.loads(get(f"{self.query}/api/v3/traces/{trace_id}"))["result"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {"resourceSpans": []}
            raise
        return _without_notes(answer)

    def trace_ids(self, service: str) -> list[str]:
        """The ids of all traces of a service, in the order they started."""
        found = json.loads(get(f"{self.query}/api/traces?service={service}&limit=1000&lookback=1h"))["data"]
        found.sort(key=lambda trace: min(span["startTime"] for span in trace["spans"]))
        return [trace["traceID"] for trace in found]

    def page_data(self, trace_id: str) -> dict[str, Any]:
        """A trace as Jaeger's pages get it."""
        (trace,) = json.loads(get(f"{self.query}/api/traces/{trace_id}"))["data"]
        return trace


def _without_notes(document: dict[str, Any]) -> dict[str, Any]:
    """Takes away what Jaeger notes on spans that it is asked for while their parents are still on the way."""
    for resource in document["resourceSpans"]:
        for scoped in resource["scopeSpans"]:
            for span in scoped.get("spans", []):
                attributes = span.get("attributes", [])
                span["attributes"] = [pair for pair in attributes if not pair["key"].startswith("@jaeger@")]
    return document


@contextmanager
def storing(program: Path, directory: Path) -> Iterator[Jaeger]:
    """Runs a Jaeger that keeps what it gets in memory."""
    grpc, http, query, query_grpc = (free_port() for _ in range(4))
    environ = {
        "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc}",
        "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http}",
        "QUERY_HTTP_ENDPOINT": f"127.0.0.1:{query}",
        "QUERY_GRPC_ENDPOINT": f"127.0.0.1:{query_grpc}",
    }
    url = f"http://127.0.0.1:{query}"

    def ready() -> bool:
        return listening(grpc, http) and answers(f"{url}/api/services")

    with running([program, "--config", CONFIG], directory / "jaeger.log", ready, environ):
        yield Jaeger(f"127.0.0.1:{grpc}", f"127.0.0.1:{http}", url)
