"""What Grafana reads out of an imported trace, step by step as it does it.

After `transformFromOTLP` and what it calls, in public/app/plugins/datasource/tempo/resultTransformer.ts of
grafana/grafana, and the look for ``batches`` in datasource.ts beside it. JavaScript's rules are kept: empty texts and 0
count as false, what is looped over must be there, numbers are doubles.
"""

from typing import Any

Row = dict[str, Any]


def rows(document: dict[str, Any]) -> list[Row]:
    """The rows of the frame that Grafana draws.

    Raises:
        KeyError: Where Grafana says that the JSON is not valid.
    """
    return [
        _row(span, scope, *_process(batch["resource"]))
        for batch in document["batches"]
        for scope in batch["instrumentationLibrarySpans"]
        for span in scope["spans"]
    ]


def _row(span: Row, scope: Row, service: str, service_tags: dict[str, Any]) -> Row:
    library = scope.get("instrumentationLibrary") or {}
    return {
        # Its last half: older versions of Grafana cut it.
        "traceID": span["traceId"][16:],
        "spanID": span["spanId"],
        "parentSpanID": span.get("parentSpanId") or "",
        "operationName": span.get("name") or "",
        "serviceName": service,
        "serviceTags": service_tags,
        "kind": str(span["kind"]).lower().split("_")[-1] if span.get("kind") else None,
        "statusCode": span["status"].get("code"),
        "statusMessage": span["status"].get("message"),
        "library": (library.get("name"), library.get("version")),
        "traceState": span.get("traceState"),
        "startTime": float(span["startTimeUnixNano"]) / 1_000_000,
        "duration": (float(span["endTimeUnixNano"]) - float(span["startTimeUnixNano"])) / 1_000_000,
        "tags": _tags(span),
        "logs": [(float(event["timeUnixNano"]) / 1_000_000, event["name"], _tags(event)) for event in span["events"]],
        "references": [(link["traceId"], link["spanId"], _tags(link)) for link in span["links"]],
    }


def _process(resource: Row) -> tuple[str, dict[str, Any]]:
    tags = {pair["key"]: _value(pair["value"]) for pair in resource["attributes"]}
    named = [pair["value"].get("stringValue") for pair in resource["attributes"] if pair["key"] == "service.name"]
    return next(filter(None, named), "OTLPResourceNoServiceName"), tags


def _tags(holder: Row) -> dict[str, Any]:
    return {pair["key"]: _value(pair["value"]) for pair in holder["attributes"]}


def _value(value: Row) -> Any:
    if value.get("stringValue"):
        return value["stringValue"]
    if "boolValue" in value:
        return bool(value["boolValue"])
    if "intValue" in value:
        return float(value["intValue"])
    if value.get("doubleValue"):
        return float(value["doubleValue"])
    if value.get("arrayValue"):
        return [_value(item) for item in value["arrayValue"]["values"]]
    return ""
