"""Spans as plain values, with all that OTLP JSON holds of them, so that two of them can be compared."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pocketflow_otel.traces.otlp import attributes_in

Plain = dict[str, Any]
_ABSENT = (None, "", 0, [], {})
_KINDS = [f"SPAN_KIND_{name}" for name in ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")]
_CODES = [f"STATUS_CODE_{name}" for name in ("UNSET", "OK", "ERROR")]


def written(path: Path) -> dict[str, Plain]:
    """The spans of a file of OTLP JSON lines, by their ids."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return spans_in(json.loads(line) for line in lines)


def spans_in(documents: Iterable[Plain]) -> dict[str, Plain]:
    """The spans of OTLP JSON documents, by their ids."""
    return {
        span["spanId"]: _plain(span, resource, scoped)
        for document in documents
        for resource in document["resourceSpans"]
        for scoped in resource["scopeSpans"]
        for span in scoped.get("spans", [])
    }


def names_in(document: Plain) -> list[str]:
    """The names of the spans of an OTLP JSON document."""
    return [span["name"] for span in spans_in([document]).values()]


def _plain(span: Plain, resource: Plain, scoped: Plain) -> Plain:
    scope = scoped.get("scope", {})
    told = {
        **span,
        "attributes": attributes_in(span),
        "startTimeUnixNano": int(span["startTimeUnixNano"]),
        "endTimeUnixNano": int(span["endTimeUnixNano"]),
        "kind": _number(span.get("kind"), _KINDS),
        "events": [_happened(event) for event in span.get("events", [])],
        "links": [_happened(link) for link in span.get("links", [])],
        "status": _status(span.get("status", {})),
        "resource": attributes_in(resource.get("resource", {})),
        "resourceSchemaUrl": resource.get("schemaUrl"),
        "scope": {**scope, "attributes": attributes_in(scope)},
        "scopeSchemaUrl": scoped.get("schemaUrl"),
    }
    return {name: value for name, value in told.items() if value not in _ABSENT or value is False}


def _status(status: Plain) -> Plain:
    told = {**status, "code": _number(status.get("code"), _CODES)}
    return {name: value for name, value in told.items() if value not in _ABSENT}


def _number(value: int | str | None, names: list[str]) -> int:
    """A member of an enumeration as its number, where it may be written by name."""
    return names.index(value) if isinstance(value, str) else value or 0


def _happened(thing: Plain) -> Plain:
    """An event or a link."""
    told = {**thing, "attributes": attributes_in(thing), "timeUnixNano": int(thing.get("timeUnixNano", 0))}
    return {name: value for name, value in told.items() if value not in _ABSENT}
