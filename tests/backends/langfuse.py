"""A server on this machine that takes what is sent to Langfuse, whose own server is a set of containers."""

import gzip
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pocketflow_otel.traces.otlp import SpanDecoder
from pocketflow_otel.traces.reader import Span

PATH = "/api/public/otel/v1/traces"
PUBLIC_KEY, SECRET_KEY = "pk-lf-1", "sk-lf-1"


@dataclass
class Langfuse:
    """What was sent.

    Attributes:
        address: Host and port.
        spans: The spans that came with the right keys to the right path.
        refused: What else was asked for.
    """

    address: str
    spans: dict[str, Span] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program with a Langfuse client."""
        return {
            "LANGFUSE_BASE_URL": f"http://{self.address}",
            "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_SECRET_KEY": SECRET_KEY,
        }


@contextmanager
def receiving() -> Iterator[Langfuse]:
    """Receives while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            scheme, _, keys = self.headers["Authorization"].partition(" ")
            right = (self.path, scheme, b64decode(keys).decode()) == (PATH, "Basic", f"{PUBLIC_KEY}:{SECRET_KEY}")
            if right:
                body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
                request = MessageToDict(ExportTraceServiceRequest.FromString(body))
                langfuse.spans.update((span.span_id, span) for span in SpanDecoder().spans_in(request))
            else:
                langfuse.refused.append(f"{self.path} {self.headers['Authorization']}")
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        langfuse = Langfuse(f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield langfuse
        finally:
            server.shutdown()
            thread.join()
