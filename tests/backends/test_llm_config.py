"""What ``llm.yaml`` does to spans and log records on their way: which values it masks, and which it cuts."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

from backends.collector import Collector, collecting
from backends.jaeger import Jaeger
from backends.made_spans import sending
from backends.servers import free_port, wait_until
from corpora.secrets import INNOCENT, INNOCENT_KEYS, SECRET_KEYS, SECRETS, drawn

LIMIT = 200
CUT = "…[cut]"
KEY = "sk" + "-proj-" + drawn("llm-config", "abcdefgh0123456789", 40)


@pytest.fixture(scope="module")
def keeping(
    collector_program: Path, the_jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    """A Collector that keeps every trace."""
    variables = {"KEEP_PERCENTAGE": "100", "AFTER_ROOT": "100ms", "MAX_VALUE_BYTES": str(LIMIT)}
    endpoints = {"JAEGER_ENDPOINT": the_jaeger.grpc, "PROMETHEUS_ENDPOINT": f"127.0.0.1:{free_port()}"}
    directory = tmp_path_factory.mktemp("keeping")
    with collecting(collector_program, "llm.yaml", directory, **endpoints, **variables) as collector:
        yield collector


def through(collector: Collector, jaeger: Jaeger, attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span as they arrive."""
    return all_through(collector, jaeger, {"span": attributes})["span"]


def all_through(collector: Collector, jaeger: Jaeger, spans: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The attributes of spans of one trace as they arrive, by the names of the spans."""
    with sending(collector.http) as sender:
        root = sender.begin("root")
        for name, attributes in spans.items():
            sender.span(name, root, attributes=attributes)
        trace_id = f"{sender.end(root).trace_id:032x}"
        sender.send()
    return {span.name: span.attributes for span in jaeger.spans(trace_id, len(spans) + 1) if span.name != "root"}


# What is masked.

COUNTS = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": 4111111111111111,
    "gen_ai.usage.output_tokens": 12,
    "gen_ai.usage.cache_read.input_tokens": 3,
    "gen_ai.token.type": "input",
    "gen_ai.request.max_tokens": 512,
    "pocketflow.usage.total_tokens": 4111111111111123,
    "pocketflow.usage.retry.total_tokens": 7,
    "pocketflow.usage.cost_usd": 0.25,
    "pocketflow.usage.models": ("gpt-4o-mini", "token-model"),
    "llm.token_count.prompt": 5,
    "llm.token_count.completion": 6,
    "llm.usage.total_tokens": 11,
}


def test_counts_of_tokens_pass(keeping, the_jaeger):
    arrived = through(keeping, the_jaeger, COUNTS)
    assert arrived == {name: list(value) if isinstance(value, tuple) else value for name, value in COUNTS.items()}


# Attribute, value, and what arrives if it is something else.
MASKED = {
    "in a text": ("pocketflow.stdout", f"Using {KEY} now", "Using **** now"),
    "in JSON": ("input.value", '{"user":"bob","api_key":"hush-hush"}', '{"user":"bob","api_key":"****"}'),
    "in JSON in JSON": ("output.value", r'"{\"password\":\"hush-hush\"}"', r'"{\"password\":\"****\"}"'),
    "in YAML": ("pocketflow.params", "db:\n  password: hush7\n  port: 80\n", "db:\n  password: ****\n  port: 80\n"),
    "in a URL": ("db.url", "postgresql://ada:hush@db:5432/app", "postgresql://ada:****@db:5432/app"),
    "in a header": ("note", "Authorization: Bearer hush7hush7", "Authorization: Bearer ****"),
    "in a list": ("pocketflow.tags", ("team-a", KEY), '["team-a","****"]'),
    "by its attribute": ("pocketflow.store.value.api_key", '"hush"', "****"),
    "a number, by its attribute": ("login.pin", 4711, "****"),
    "by the name of a header": ("http.request.header.authorization", ("Basic aHVzaA==",), "****"),
    "not the type and size of one": ("pocketflow.store.shape.api_key", "str[51]", None),
    "a token in JSON": ("input.value", '{"token": "ecb6e2feccaea3f9641a09"}', '{"token": "****"}'),
    "not a count in a text": ("pocketflow.stdout", "token: 914, tokens=12, total_tokens: 3", None),
    "not a policy": ("password_policy", "8 letters", None),
}


def test_secrets_are_masked_and_nothing_else(keeping, the_jaeger):
    others = {"pocketflow.action": "search", "pocketflow.store.keys": 3, "gen_ai.usage.input_tokens": 5}
    sent = {case: {**others, name: value} for case, (name, value, _) in MASKED.items()}
    arrived = all_through(keeping, the_jaeger, sent)
    assert arrived == {
        case: {**others, name: value if masked is None else masked} for case, (name, value, masked) in MASKED.items()
    }


def test_secrets_are_masked_in_events_statuses_and_resources(keeping, the_jaeger):
    with sending(keeping.http, **{"deployment.password": "hush", "process.command_line": f"agent {KEY}"}) as sender:
        span = sender.begin("invoke_node Ask")
        span.add_event("exception", {"exception.message": f"401: {KEY}", "exception.stacktrace": 'x(api_key="hush")'})
        context = sender.end(span, error=f"401: password=hush7 and {KEY}")
        sender.send()
    (span,) = the_jaeger.spans(f"{context.trace_id:032x}", 1)
    assert span.attributes == {}
    assert (span.status.code, span.status.message) == ("ERROR", "401: password=**** and ****")
    (event,) = span.events
    assert event.attributes == {"exception.message": "401: ****", "exception.stacktrace": 'x(api_key="****")'}
    assert (span.resource["deployment.password"], span.resource["process.command_line"]) == ("****", "agent ****")


# Rare ones, and those that are masked by our own redaction alone.
OTHER_SHAPES = {
    f"shape-{name}"
    for name in (
        "crates nuget buildkite sendinblue resend square doppler age telegram discord mailchimp azure-client "
        "azure-openai terraform airtable hubspot postman"
    ).split()
}


def test_keys_and_tokens_of_known_providers_are_masked(keeping, the_jaeger):
    secrets = [one for one in SECRETS if one.how == "shape" and one.name not in OTHER_SHAPES]
    # Of a private key the last form is its end alone.
    texts = {one.name: one.forms[:-1] if "-pem-" in one.name else one.forms for one in secrets}
    assert len(texts) > 100
    attributes = {f"{name} {place}": text for name, forms in texts.items() for place, text in enumerate(forms)}
    arrived = through(keeping, the_jaeger, attributes)
    assert arrived.keys() == attributes.keys()
    leaked = {
        one.name
        for one in secrets
        for name in arrived
        if name.startswith(f"{one.name} ") and one.value in arrived[name]
    }
    assert leaked == set()


def test_texts_that_resemble_secrets_pass(keeping, the_jaeger):
    attributes = {f"text {place}": text for place, text in enumerate(INNOCENT)}
    assert through(keeping, the_jaeger, attributes) == attributes


def test_names_of_secrets_are_told_from_those_that_resemble_them(keeping, the_jaeger):
    names = {f"a.{name}": name for name in (*SECRET_KEYS, *INNOCENT_KEYS) if name}
    arrived = through(keeping, the_jaeger, dict.fromkeys(names, "value"))
    masked = {names[name] for name, value in arrived.items() if value == "****"}
    known = {"passwordConfirmation", "credit_card", "seed_phrase", "aws_access_key_id", "密码"}
    assert masked == set(SECRET_KEYS) - known
    assert arrived.keys() == names.keys()


# What is cut.

CONTENT = [
    "pocketflow.store.value.notes",
    "pocketflow.params",
    "pocketflow.stdout",
    "pocketflow.stderr",
    "input.value",
    "output.value",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "llm.input_messages.0.message.content",
]
OTHERS = ["pocketflow.flow.graph", "code.file.path", "pocketflow.store.shape.notes", "db.query.text"]


def test_content_is_cut_and_nothing_else(keeping, the_jaeger):
    text = "x" * (LIMIT + 1)
    attributes = dict.fromkeys((*CONTENT, *OTHERS), text) | {"pocketflow.store.added": (text,)}
    arrived = through(keeping, the_jaeger, attributes)
    short = "x" * (LIMIT - len(CUT.encode())) + CUT
    expected = dict.fromkeys(CONTENT, short) | dict.fromkeys(OTHERS, text) | {"pocketflow.store.added": [text]}
    assert arrived == expected


def test_what_is_as_long_as_allowed_is_whole_and_letters_are_too(keeping, the_jaeger):
    fits = {letter: letter * (LIMIT // len(letter.encode())) for letter in "xé鍵🔑"}
    sent = {letter: {"input.value": text, "output.value": text + letter} for letter, text in fits.items()}
    arrived = all_through(keeping, the_jaeger, sent)
    kept = {letter: letter * ((LIMIT - len(CUT.encode())) // len(letter.encode())) for letter in fits}
    assert arrived == {
        letter: {"input.value": text, "output.value": kept[letter] + CUT} for letter, text in fits.items()
    }


def test_a_secret_is_masked_before_it_could_be_cut(keeping, the_jaeger):
    text = "x " * (LIMIT // 2 - 10) + KEY
    arrived = through(keeping, the_jaeger, {"input.value": text})["input.value"]
    assert arrived == text.replace(KEY, "****")


def test_log_records_are_masked_and_cut(keeping):
    text = "y" * (LIMIT + 1)
    record = LogRecord(
        timestamp=time.time_ns(),
        event_name="pocketflow.store.change",
        body=f"connects with postgresql://ada:hush@db/app and {KEY} {text}",
        attributes={
            "pocketflow.store.value.notes": text,
            "pocketflow.store.value.password": "hush",
            "pocketflow.stdout": f'printed {{"api_key": "hush"}} and {KEY}',
            "pocketflow.usage.total_tokens": 5,
        },
    )
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{keeping.http}/v1/logs")))
    provider.get_logger("tests").emit(record)
    provider.shutdown()
    wait_until(lambda: "pocketflow.store.change" in keeping.server.printed())
    _, _, shown = keeping.server.printed().partition("pocketflow.store.change")
    start = "connects with postgresql://ada:****@db/app and **** "
    for line in (
        f"Body: Str({start}{'y' * (LIMIT - len(start) - len(CUT.encode()))}{CUT})",
        f"pocketflow.store.value.notes: Str({'y' * (LIMIT - len(CUT.encode()))}{CUT})",
        "pocketflow.store.value.password: Str(****)",
        'pocketflow.stdout: Str(printed {"api_key": "****"} and ****)',
        "pocketflow.usage.total_tokens: Int(5)",
    ):
        assert line in shown
    assert "hush" not in shown
    assert KEY not in shown
