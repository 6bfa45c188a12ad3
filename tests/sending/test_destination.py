"""Where spans go: what the command line and the standard variables mean together."""

import pytest

from pocketflow_otel.sending.destination import resolve

ENDPOINT, TRACES, PROTOCOL, HEADERS = (
    f"OTEL_EXPORTER_OTLP_{name}" for name in ("ENDPOINT", "TRACES_ENDPOINT", "PROTOCOL", "HEADERS")
)
HTTP, JSON, GRPC = "http/protobuf", "http/json", "grpc"


@pytest.mark.parametrize(
    ("endpoint", "protocol", "environ", "spoken", "url"),
    [
        (None, None, {}, HTTP, "http://localhost:4318/v1/traces"),
        ("http://host:4318", None, {}, HTTP, "http://host:4318/v1/traces"),
        ("http://host:4317", None, {}, GRPC, "http://host:4317"),
        ("host:4317", None, {}, GRPC, "http://host:4317"),
        ("localhost:4318", None, {}, HTTP, "http://localhost:4318/v1/traces"),
        ("http://host:9999", None, {}, HTTP, "http://host:9999/v1/traces"),
        ("https://host", None, {}, HTTP, "https://host/v1/traces"),
        ("https://host/otlp/", None, {}, HTTP, "https://host/otlp/v1/traces"),
        ("https://host:4317/otlp", None, {}, HTTP, "https://host:4317/otlp/v1/traces"),
        ("https://host/otlp/v1/traces", None, {}, HTTP, "https://host/otlp/v1/traces"),
        ("https://host/otlp?key=1", None, {}, HTTP, "https://host/otlp/v1/traces?key=1"),
        ("http://[::1]:4318", None, {}, HTTP, "http://[::1]:4318/v1/traces"),
        ("http://host:9999", GRPC, {}, GRPC, "http://host:9999"),
        ("http://host", GRPC, {}, GRPC, "http://host:4317"),
        ("https://host", GRPC, {}, GRPC, "https://host:443"),
        ("http://host:4317", JSON, {}, JSON, "http://host:4317/v1/traces"),
        ("http://host:4318", None, {PROTOCOL: "grpc"}, GRPC, "http://host:4318"),
        (
            "http://host:1",
            None,
            {ENDPOINT: "http://other:2", TRACES: "http://other:3/x"},
            HTTP,
            "http://host:1/v1/traces",
        ),
        (None, None, {ENDPOINT: "http://host:4318/base"}, HTTP, "http://host:4318/base/v1/traces"),
        (None, None, {TRACES: "http://host:4318/own"}, HTTP, "http://host:4318/own"),
        (None, None, {ENDPOINT: "http://no:1", TRACES: "http://host:4318"}, HTTP, "http://host:4318/"),
        (None, None, {ENDPOINT: "http://host:9999"}, GRPC, "http://host:9999"),
        (None, None, {ENDPOINT: "host:4317"}, GRPC, "https://host:4317"),
        (None, None, {ENDPOINT: "host:4317", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, GRPC, "http://host:4317"),
        (None, None, {ENDPOINT: "http://host:4318", PROTOCOL: JSON}, JSON, "http://host:4318/v1/traces"),
        (None, HTTP, {ENDPOINT: "http://host:4318", PROTOCOL: GRPC}, HTTP, "http://host:4318/v1/traces"),
    ],
)
def test_endpoint_and_protocol(endpoint, protocol, environ, spoken, url):
    found = resolve(endpoint, protocol, environ=environ)
    assert (found.protocol, found.url) == (spoken, url)


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        ({"endpoint": "ftp://host"}, {}, r"endpoint 'ftp://host': expected http://HOST:PORT or https://HOST:PORT"),
        ({"endpoint": "http://"}, {}, r"endpoint 'http://': expected"),
        ({"endpoint": "http://host:port"}, {}, r"endpoint 'http://host:port': expected"),
        ({"endpoint": "4318"}, {}, r"endpoint '4318': expected http://HOST:PORT; near it is http://localhost:4318$"),
        ({"endpoint": ":4318"}, {}, r"endpoint ':4318': expected http://HOST:PORT; near it is http://localhost:4318$"),
        ({"endpoint": "http:/host:4318"}, {}, r"endpoint 'http:/host:4318': expected"),
        (
            {},
            {ENDPOINT: "localhost:4318"},
            r"endpoint 'localhost:4318': expected http://HOST:PORT or https://HOST:PORT; near it is http://localhost:4318$",
        ),
        ({"endpoint": "http://host/v1/traces", "protocol": "grpc"}, {}, r"gRPC has no use for the path /v1/traces"),
        ({"endpoint": f"http://{'a' * 64}:4318"}, {}, r"endpoint 'http://a+:4318': expected"),
        ({"endpoint": "http://a..b:4318"}, {}, r"endpoint 'http://a..b:4318': expected"),
        ({"endpoint": "http://a b:4318"}, {}, r"endpoint 'http://a b:4318': expected"),
        ({}, {HEADERS: "a=1, secret"}, r"^OTEL_EXPORTER_OTLP_HEADERS: expected NAME=VALUE,NAME=VALUE$"),
        ({}, {HEADERS: "key=se%0d%0acret"}, r"^header key: its value has characters that no header may have$"),
        ({"headers": ["secret-without-a-name"]}, {}, r"header 'secret-without-a-nam': expected NAME=VALUE"),
        ({"headers": ["=secret"]}, {}, r"header '': expected NAME=VALUE"),
        ({"headers": ["a b=secret"]}, {}, r"header 'a b': expected NAME=VALUE"),
        ({"headers": ["key=se\ncret"]}, {}, r"header key: its value has characters that no header may have$"),
        ({}, {PROTOCOL: "pigeon"}, r"protocol 'pigeon' is not supported: expected grpc, http/protobuf or http/json"),
        (
            {},
            {"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"},
            r"compression 'zstd' is not supported: expected none, gzip, d",
        ),
        ({}, {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/ca.pem"}, r"CERTIFICATE: /no/ca.pem is no file that can be read"),
    ],
)
def test_what_makes_no_sense_is_told(arguments, environ, message):
    with pytest.raises(ValueError, match=message):
        resolve(**arguments, environ=environ)


@pytest.mark.parametrize(
    "endpoint", ["http://user:se/cret@host:port?key=secret", "ftp://user:secret@h", "user:secret@"]
)
@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_keys_in_an_endpoint_that_makes_no_sense_are_not_shown(endpoint, protocol):
    with pytest.raises(ValueError, match="endpoint") as raised:
        resolve(endpoint, protocol, environ={})
    assert "cret" not in str(raised.value)


def test_keys_in_an_endpoint_that_grpc_has_no_use_for_are_not_shown():
    with pytest.raises(ValueError, match="no use for the path /x") as raised:
        resolve("http://user:secret@host/x?key=secret", GRPC, environ={})
    assert "secret" not in str(raised.value)


def test_keys_are_not_shown():
    found = resolve("https://user:secret@host/otlp?key=secret", headers=["authorization=secret"], environ={})
    assert found.shown == "https://host/otlp/v1/traces"
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("given", "environ", "seconds"),
    [
        (None, {"OTEL_EXPORTER_OTLP_TIMEOUT": "inf"}, 10),
        (None, {"OTEL_EXPORTER_OTLP_TIMEOUT": "1e10"}, 10),
        (None, {}, 10),
        (None, {"OTEL_EXPORTER_OTLP_TIMEOUT": "3"}, 3),
        (None, {"OTEL_EXPORTER_OTLP_TIMEOUT": "3", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "4"}, 4),
        (2.0, {"OTEL_EXPORTER_OTLP_TIMEOUT": "3"}, 2),
    ],
)
def test_timeout(given, environ, seconds):
    assert resolve(timeout_seconds=given, environ=environ).timeout_seconds == seconds
