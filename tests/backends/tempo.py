"""A Tempo, and what it has stored."""

import base64
import json
import urllib.error
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.comparing import names_in
from backends.servers import answers, free_port, get, once_whole, running

CONFIG = Path(__file__).with_name("tempo.yaml")


@dataclass(frozen=True)
class Tempo:
    """A Tempo that runs.

    Attributes:
        grpc: Where it takes OTLP by gRPC: host and port.
        http: Where it takes OTLP by HTTP: host and port.
        query: The URL of its API.
    """

    grpc: str
    http: str
    query: str

    def document(self, trace_id: str, count: int) -> dict[str, Any]:
        """A trace as OTLP JSON, once it has so many spans."""
        return once_whole(lambda: self._document_now(trace_id), names_in, count)

    def trace_ids(self, service: str) -> list[str]:
        """The ids of all traces of a service."""
        tags = urllib.parse.quote(f"service.name={service}")
        found = json.loads(get(f"{self.query}/api/search?limit=1000&tags={tags}")).get("traces") or []
        return [trace["traceID"].zfill(32) for trace in found]

    def _document_now(self, trace_id: str) -> dict[str, Any]:
        try:
            batches = json.loads(get(f"{self.query}/api/traces/{trace_id}"))["batches"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {"resourceSpans": []}
            raise
        return {"resourceSpans": [_as_otlp(batch) for batch in batches]}


def _as_otlp(batch: dict[str, Any]) -> dict[str, Any]:
    """What this version calls otherwise, by today's names, and its ids, which are in base64, as hex."""
    scoped = batch.get("scopeSpans") or batch.get("instrumentationLibrarySpans") or []
    return {
        "resource": batch.get("resource", {}),
        "scopeSpans": [
            {
                "scope": each.get("scope") or each.get("instrumentationLibrary") or {},
                "spans": [_with_hex_ids(span) for span in each["spans"]],
            }
            for each in scoped
        ],
    }


def _with_hex_ids(span: dict[str, Any]) -> dict[str, Any]:
    ids = {name: base64.b64decode(span[name]).hex() for name in ("traceId", "spanId", "parentSpanId") if span.get(name)}
    return {**span, **ids}


@contextmanager
def storing(program: Path, directory: Path) -> Iterator[Tempo]:
    """Runs a Tempo that keeps what it gets in a folder."""
    grpc, http, query, internal = (free_port() for _ in range(4))
    environ = {
        "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc}",
        "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http}",
        "HTTP_PORT": str(query),
        "GRPC_PORT": str(internal),
        "STORAGE": str(directory / "tempo"),
    }
    url = f"http://127.0.0.1:{query}"
    command = [program, f"-config.file={CONFIG}", "-config.expand-env=true"]
    with running(command, directory / "tempo.log", lambda: answers(f"{url}/ready"), environ):
        yield Tempo(f"127.0.0.1:{grpc}", f"127.0.0.1:{http}", url)
