"""A Jaeger, and what it has stored."""

import json
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.servers import answers, free_port, get, listening, running, wait_until
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
        found: list[Span] = []

        def arrived() -> bool:
            found[:] = self.spans_now(trace_id)
            return len(found) >= count

        try:
            wait_until(arrived)
        except TimeoutError as error:
            raise AssertionError(f"{len(found)} of {count} spans arrived: {[span.name for span in found]}") from error
        return found

    def spans_now(self, trace_id: str) -> list[Span]:
        """The spans of a trace that it has at this moment."""
        try:
            answer = json.loads(get(f"{self.query}/api/v3/traces/{trace_id}"))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
        return sorted(SpanDecoder().spans_in(answer["result"]), key=lambda span: (span.start_ns, span.span_id))

    def page_data(self, trace_id: str) -> dict[str, Any]:
        """A trace as Jaeger's pages get it."""
        (trace,) = json.loads(get(f"{self.query}/api/traces/{trace_id}"))["data"]
        return trace


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
