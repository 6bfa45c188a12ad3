"""What a recording amounts to once it is encoded, as exporters do it."""

from opentelemetry.exporter.otlp.json.common._log_encoder import encode_logs as logs_as_json
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans as spans_as_json
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as logs_as_protobuf
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as spans_as_protobuf

from instrumentation.recording import Recording


def exported(recording: Recording) -> dict[str, bytes]:
    """All spans and log records of a recording, as each OTLP encoding has them."""
    encoded = {
        "spans as protobuf": spans_as_protobuf(recording.spans).SerializeToString(),
        "spans as JSON": spans_as_json(recording.spans).to_json().encode(),
    }
    if logs := recording._logs.get_finished_logs():
        encoded["logs as protobuf"] = logs_as_protobuf(logs).SerializeToString()
        encoded["logs as JSON"] = logs_as_json(logs).to_json().encode()
    return encoded


def check_exported(recording: Recording) -> None:
    """Asserts that all spans that began have ended, and that no encoder leaves out anything of them."""
    assert len(recording.spans) == sum(event == "begin" for event, _ in recording.events)
    expected = sorted((span.context.span_id.to_bytes(8, "big"), len(span.attributes or ())) for span in recording.spans)
    encoded = [
        span
        for resource in spans_as_protobuf(recording.spans).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted((span.span_id, len(span.attributes)) for span in encoded) == expected
    assert all(exported(recording).values())
