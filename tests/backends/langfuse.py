"""A server on this machine that takes what is sent to Langfuse, whose own server is a set of containers."""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fixtures.loopback import Posted, Reply, over_http
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

    def answer(posted: Posted) -> Reply:
        authorization = posted.headers["Authorization"]
        scheme, _, keys = authorization.partition(" ")
        if (posted.path, scheme, b64decode(keys).decode()) != (PATH, "Basic", f"{PUBLIC_KEY}:{SECRET_KEY}"):
            langfuse.refused.append(f"{posted.path} {authorization}")
            return Reply(401)
        request = MessageToDict(ExportTraceServiceRequest.FromString(posted.body))
        langfuse.spans.update((span.span_id, span) for span in SpanDecoder().spans_in(request))
        return Reply()

    with over_http(answer) as address:
        langfuse = Langfuse(address)
        yield langfuse
