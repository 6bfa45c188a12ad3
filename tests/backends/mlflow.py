"""An MLflow, and what it has stored."""

import json
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.servers import LONGEST_WAIT_SECONDS, answers, free_port, get, once_whole, start
from backends.stored import StoredSpan, StoredTrace, names_of

EXPERIMENT = "0"
HEADERS = {"x-mlflow-experiment-id": EXPERIMENT}
"""Where traces go: the experiment that is there from the beginning."""


@dataclass(frozen=True)
class Mlflow:
    """An MLflow that runs.

    Attributes:
        http: Where its pages and its API are, and it takes OTLP: host and port.
    """

    http: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that sends its traces here."""
        return {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{self.http}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ",".join(f"{name}={value}" for name, value in HEADERS.items()),
        }

    def page(self, trace_id: str) -> str:
        """The URL of a trace's page."""
        return f"http://{self.http}/#/experiments/{EXPERIMENT}/traces?selectedEvaluationId=tr-{trace_id}"

    def trace_ids(self) -> set[str]:
        """The ids of all traces."""
        return self._search("")

    def session(self, session: str) -> set[str]:
        """The ids of a session's traces."""
        return self._search(f"metadata.`mlflow.trace.session` = '{session}'")

    def _search(self, where: str) -> set[str]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": EXPERIMENT}}
        asked = {"locations": [place], "max_results": 500, "filter": where}
        found = json.loads(self.post("/api/3.0/mlflow/traces/search", json.dumps(asked).encode()))
        return {trace["trace_id"].removeprefix("tr-") for trace in found.get("traces", [])}

    def post(self, path: str, body: bytes, **headers: str) -> bytes:
        """What a request that brings JSON is answered."""
        request = urllib.request.Request(
            f"http://{self.http}{path}", body, {"Content-Type": "application/json", **headers}
        )
        with urllib.request.urlopen(request, timeout=LONGEST_WAIT_SECONDS) as response:
            return response.read()

    def trace(self, trace_id: str, count: int) -> StoredTrace:
        """A trace, once it has so many spans."""
        return once_whole(lambda: self._trace(trace_id), names_of, count)

    def _trace(self, trace_id: str) -> StoredTrace | None:
        try:
            told = json.loads(get(f"http://{self.http}/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}"))["trace"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        info = told["trace_info"]
        metadata = info.get("trace_metadata", {})
        tokens = json.loads(metadata.get("mlflow.trace.tokenUsage", "{}"))
        spans = [_span(span) for span in told["spans"]]
        return StoredTrace(
            {span.span_id: span for span in spans},
            tokens.get("input_tokens", 0),
            tokens.get("output_tokens", 0),
            json.loads(metadata.get("mlflow.trace.cost", "{}")).get("total_cost", 0),
            metadata.get("mlflow.trace.session"),
            metadata.get("mlflow.trace.user"),
            info.get("request_preview"),
            info.get("response_preview"),
        )


def _span(span: dict[str, Any]) -> StoredSpan:
    attributes = _attributes(span)
    parent = span.get("parent_span_id")
    return StoredSpan(
        b64decode(span["span_id"]).hex(),
        b64decode(parent).hex() if parent else None,
        span["name"],
        attributes.get("mlflow.spanType", "UNKNOWN"),
        span["status"].get("code", "STATUS_CODE_UNSET").removeprefix("STATUS_CODE_"),
        span["status"].get("message", ""),
        attributes,
        [(event["name"], _attributes(event)) for event in span.get("events", [])],
        int(span["start_time_unix_nano"]),
        int(span["end_time_unix_nano"]),
    )


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value", {})) for pair in holder.get("attributes", [])}


def _value(value: dict[str, Any]) -> Any:
    match value:
        case {"array_value": holder}:
            return [_value(item) for item in holder.get("values", [])]
        case {"kvlist_value": holder}:
            return {pair["key"]: _value(pair.get("value", {})) for pair in holder.get("values", [])}
        case {"int_value": number}:
            return int(number)
    return next(iter(value.values()), None)


@contextmanager
def storing(command: Sequence[str | Path], directory: Path) -> Iterator[Mlflow]:
    """Runs an MLflow that asks nobody outside of this machine for anything.

    Args:
        command: How it is started, but for its port.
        directory: Where it keeps what it gets.
    """
    port = free_port()
    environ = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_MODEL_CATALOG_URI": "",
        # Evaluations and the like, in seven more processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    url = f"http://127.0.0.1:{port}/health"
    server = start([*command, "--port", str(port)], directory / "mlflow.log", lambda: answers(url), environ)
    try:
        yield Mlflow(f"127.0.0.1:{port}")
    finally:
        # Killed, it would leave the process behind that does the work.
        server.end()
