"""A Phoenix, and what it has stored."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.servers import LONGEST_WAIT_SECONDS, answers, free_port, get, once_whole, running
from backends.stored import StoredSpan, StoredTrace, names_of

_TRACE = """query ($id: String!) {
  getTraceByOtelId(traceId: $id) {
    session { sessionId }
    rootSpan {
      cumulativeTokenCountPrompt
      cumulativeTokenCountCompletion
      input { value }
      output { value }
    }
    costSummary { total { cost } }
  }
}"""

_FOUND = """query ($condition: String!) {
  projects(first: 100) { edges { node { spans(first: 1000, filterCondition: $condition) { edges { node {
    spanId
  } } } } } }
}"""


@dataclass(frozen=True)
class Phoenix:
    """A Phoenix that runs.

    Attributes:
        http: Where its pages and its API are, and it takes OTLP by HTTP: host and port.
        grpc: Where it takes OTLP by gRPC: host and port.
    """

    http: str
    grpc: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that sends its traces here."""
        return {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{self.http}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        }

    def page(self, trace_id: str) -> str:
        """The URL of a trace's page."""
        return f"http://{self.http}/redirects/traces/{trace_id}"

    def trace_ids(self) -> set[str]:
        """The ids of all traces, of all projects."""
        return {trace["trace_id"] for project in self.projects() for trace in self._all(project, "traces")}

    def projects(self) -> list[str]:
        """The names of all projects."""
        return [project["name"] for project in json.loads(get(f"http://{self.http}/v1/projects"))["data"]]

    def sessions(self) -> dict[str, set[str]]:
        """The ids of the traces of each session."""
        found = self._all("default", "sessions")
        return {one["session_id"]: {trace["trace_id"] for trace in one["traces"]} for one in found}

    def found(self, condition: str) -> set[str]:
        """The ids of the spans for which a condition holds, as one types it into the page."""
        projects = self._graphql(_FOUND, condition=condition)["projects"]["edges"]
        return {span["node"]["spanId"] for project in projects for span in project["node"]["spans"]["edges"]}

    def trace(self, trace_id: str, count: int) -> StoredTrace:
        """A trace of the default project, once it has so many spans."""
        return once_whole(lambda: self._trace(trace_id), names_of, count)

    def _trace(self, trace_id: str) -> StoredTrace | None:
        told = self._graphql(_TRACE, id=trace_id)["getTraceByOtelId"]
        if told is None or told["rootSpan"] is None:
            return None
        spans = [_span(span) for span in self._all("default", "spans", f"&trace_id={trace_id}")]
        root, session = told["rootSpan"], told["session"]
        users = {span.attributes.get("user.id") for span in spans if span.parent_id is None}
        return StoredTrace(
            {span.span_id: span for span in spans},
            int(root["cumulativeTokenCountPrompt"]),
            int(root["cumulativeTokenCountCompletion"]),
            told["costSummary"]["total"]["cost"] or 0,
            session and session["sessionId"],
            *users,
            root["input"] and root["input"]["value"],
            root["output"] and root["output"]["value"],
        )

    def _all(self, project: str, what: str, query: str = "") -> list[dict[str, Any]]:
        url = f"http://{self.http}/v1/projects/{project}/{what}?limit=1000{query}"
        found: list[dict[str, Any]] = json.loads(get(url))["data"]
        return found

    def _graphql(self, query: str, **variables: str) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://{self.http}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=LONGEST_WAIT_SECONDS) as response:
            answer: dict[str, Any] = json.loads(response.read())
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


def _span(span: dict[str, Any]) -> StoredSpan:
    return StoredSpan(
        span["context"]["span_id"],
        span["parent_id"],
        span["name"],
        span["span_kind"],
        span["status_code"],
        span["status_message"],
        span["attributes"],
        [(event["name"], event["attributes"]) for event in span["events"]],
        _nanoseconds(span["start_time"]),
        _nanoseconds(span["end_time"]),
    )


def _nanoseconds(text: str) -> int:
    """It keeps microseconds, and a float can't hold those of today."""
    since = datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


@contextmanager
def storing(command: Sequence[str | Path], directory: Path) -> Iterator[Phoenix]:
    """Runs a Phoenix that asks nobody outside of this machine for anything.

    Args:
        command: How it is started.
        directory: Where it keeps what it gets.
    """
    http, grpc = free_port(), free_port()
    environ = {
        "PHOENIX_WORKING_DIR": str(directory),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(http),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    }
    url = f"http://127.0.0.1:{http}/healthz"
    with running(command, directory / "phoenix.log", lambda: answers(url), environ):
        yield Phoenix(f"127.0.0.1:{http}", f"127.0.0.1:{grpc}")
