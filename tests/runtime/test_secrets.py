"""A run's secrets: found where they come in, and masked wherever something is shown."""

import base64
import io
import json

import pytest
from pocketflow import Flow, Node

from corpora.secrets import SECRETS
from instrumentation.exporting import exported
from instrumentation.leaks import leaks
from instrumentation.recording import traced
from pocketflow_otel.capture.redaction import MASK
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.options import CONTENT_ENV, Verbosity
from pocketflow_otel.runtime.expressions.references import MissingValue, parse
from pocketflow_otel.runtime.secrets import Environment, Secrets

each_secret = pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)


@each_secret
def test_what_a_secret_variable_holds_is_masked_in_all_that_a_run_shows(secret):
    secrets = Secrets()
    environment = Environment({"SERVICE_PASSWORD": secret.value}, secrets)
    assert parse("${env.SERVICE_PASSWORD}").resolve({"env": environment}.__getitem__) == secret.value
    shown = {
        "text": secrets.mask(f"GET http://x/?k={secret.value} failed"),
        "value": json.dumps(secrets.masked({"a": [secret.value, (1, f"in {secret.value}")], secret.value: None})),
        "base64": secrets.mask(base64.b64encode(f"user:{secret.value}".encode()).decode()),
    }
    assert leaks({place: text.encode() for place, text in shown.items()}, secret.value) == {}
    assert json.loads(shown["value"])["a"][0] == MASK


@pytest.mark.parametrize("secret", [each for each in SECRETS if each.how == "shape"], ids=lambda secret: secret.name)
def test_a_variable_of_any_name_is_a_secret_where_its_value_looks_like_one(secret):
    secrets = Secrets()
    whole = secret.forms[0]
    Environment({"THING": whole}, secrets).item("THING")
    assert leaks({"text": secrets.mask(f"it is {whole}").encode()}, secret.value) == {}


def test_an_ordinary_variable_is_no_secret():
    secrets = Secrets()
    assert Environment({"HOME": "/home/ada", "TOPIC": "horse batteries"}, secrets).item("TOPIC") == "horse batteries"
    assert secrets.masked(["/home/ada", "horse batteries"]) == ["/home/ada", "horse batteries"]


def test_the_password_in_a_url_is_a_secret_of_its_own():
    secrets = Secrets()
    Environment({"DATABASE_URL": "postgresql://ada:swordfish-9@db/x"}, secrets).item("DATABASE_URL")
    assert secrets.mask("wrong password swordfish-9 for ada at db") == f"wrong password {MASK} for ada at db"


def test_a_number_that_is_a_secret_is_masked_as_one():
    secrets = Secrets()
    secrets.add("493817")
    assert secrets.masked({"pin": 493817, "n": 493818, "ok": True}) == {"pin": MASK, "n": 493818, "ok": True}


def test_a_variable_that_is_not_set_is_missing_and_the_nearest_is_named_without_its_value():
    environment = Environment({"API_TOKEN": "swordfish-9"}, Secrets())
    with pytest.raises(MissingValue, match="API_TOKN is not set") as caught:
        parse("${env.API_TOKN}").resolve({"env": environment}.__getitem__)
    assert caught.value.near == "API_TOKEN"
    assert "swordfish" not in str(caught.value)
    assert parse("${env.API_TOKN ?? 'x'}").resolve({"env": environment}.__getitem__) == "x"


def test_the_environment_has_no_steps_but_names():
    environment = Environment({"X": "1"}, Secrets())
    for text in ("${env[0]}", "${env.X.y}", "${env.__class__}", "${env._environ}", "${env.item}"):
        with pytest.raises(MissingValue):
            parse(text).resolve({"env": environment}.__getitem__)


SHAPELESS = [secret for secret in SECRETS if secret.how != "shape"]
"""Those that nothing tells but what was told."""


class Careless(Node):
    """Comes by a secret, and shows it in every way a program has."""

    def __init__(self, come_by):
        super().__init__()
        self.come_by = come_by

    def prep(self, shared):
        shared["note"] = self.come_by()
        return shared["note"]

    def exec(self, note):
        print("working with", note)
        return f"result of {note}"

    def post(self, shared, prep_res, exec_res):
        shared["result"] = exec_res
        shared["nested"] = {"list": [prep_res], prep_res: 1}
        raise RuntimeError(f"it went wrong with {prep_res}")


@pytest.mark.parametrize("mode", ["SPAN_AND_EVENT", "NO_CONTENT"])
@pytest.mark.parametrize("when", ["before the trace", "within the trace"])
def test_no_trace_holds_what_was_told(when, mode, tmp_path, monkeypatch):
    monkeypatch.setenv(CONTENT_ENV, mode)
    stream, secrets = io.StringIO(), Secrets()

    def told(text):
        secrets.add(text)
        return text

    with traced() as recording:
        recording.tracer_provider.add_span_processor(LiveConsole(stream, Verbosity.VERBOSE))
        recording.tracer_provider.add_span_processor(TraceFileProcessor(directory=tmp_path))
        for secret in SHAPELESS:
            if when == "before the trace":
                told(secret.value)
            with pytest.raises(RuntimeError):
                Flow(Careless(lambda: told(secret.value))).run({})
        recording.tracer_provider.shutdown()
    written = b"".join(path.read_bytes() for path in tmp_path.glob("*.jsonl"))
    everything = {**exported(recording), "console": stream.getvalue().encode(), "JSON of files": written}
    assert len(recording.spans) >= 2 * len(SHAPELESS)
    assert {secret.name: found for secret in SHAPELESS if (found := leaks(everything, secret.value))} == {}


@each_secret
def test_half_of_a_secret_is_masked_wherever_it_was_cut(secret):
    secrets = Secrets()
    secrets.add(secret.value)
    if len(secret.value) < 16:
        return
    half = len(secret.value) // 2
    for start in range(len(secret.value) - half + 1):
        shown = secrets.mask(f"it begins with <{secret.value[start : start + half]}…")
        assert shown == f"it begins with <{MASK}…"


@each_secret
@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_secret_that_comes_in_pieces_is_masked(secret, size):
    secrets = Secrets()
    secrets.add(secret.value)
    stream = secrets.stream()
    text = f"before {secret.value} between {secret.value} after"
    pieces = [stream.piece(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join([*pieces, stream.rest()]) == f"before {MASK} between {MASK} after"


@each_secret
def test_most_of_a_secret_at_the_end_of_a_stream_is_masked(secret):
    secrets = Secrets()
    secrets.add(secret.value)
    stream = secrets.stream()
    shown = stream.piece(f"it is {secret.value[:-1]}") + stream.rest()
    assert leaks({"text": shown.encode()}, secret.value[:-1]) == {} or len(secret.value) < 9


def test_what_is_no_secret_comes_through_a_stream_at_once():
    secrets = Secrets()
    secrets.add("swordfish-9")
    stream = secrets.stream()
    assert [stream.piece(text) for text in ("a swo", "rd ", "and sword", "fish-8")] == [
        "a ",
        "sword ",
        "and ",
        "swordfish-8",
    ]
    assert stream.rest() == ""


def test_all_that_is_in_a_structure_is_a_secret():
    secrets = Secrets()
    secrets.add_all({"user": "ada", "keys": ["swordfish-9", ("horse-battery", 493817)], "is": True})
    assert secrets.masked(["swordfish-9", "horse-battery", 493817, True]) == [MASK, MASK, MASK, True]
