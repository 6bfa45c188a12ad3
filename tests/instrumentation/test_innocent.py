"""What is no secret comes through unchanged; without content it does not come through at all."""

import io
import json
import re
import string
from typing import Any

import pytest
from pocketflow import Flow

from corpora.secrets import INNOCENT
from instrumentation import placements
from instrumentation.exporting import exported
from instrumentation.placements import CONTENT, ERRORS, Act, run
from instrumentation.recording import traced
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.options import CONTENT_ENV, Verbosity

each_text = pytest.mark.parametrize("text", INNOCENT)


@pytest.fixture(autouse=True)
def _content_everywhere(monkeypatch):
    monkeypatch.setenv(CONTENT_ENV, "SPAN_AND_EVENT")


@each_text
def test_values_are_recorded_as_they_are(text):
    with traced() as recording:
        placements.stored(text)
        placements.params(text)
        placements.returned(text)
        placements.prepared(text)
    stored, params, returned, prepared = (dict(span.attributes or {}) for span in recording.spans)
    assert json.loads(stored["pocketflow.store.value.note"]) == text
    assert json.loads(params["pocketflow.params"]) == {"page": text, "pages": [text]}
    assert json.loads(returned["output.value"]) == [1, text, {"answer": text}]
    assert json.loads(prepared["input.value"]) == {"prompt": [text]}
    contents = {key: value for record in recording.logs for key, value in (record.attributes or {}).items()}
    assert json.loads(contents["pocketflow.store.value.note"]) == text


@pytest.mark.parametrize("text", [text for text in INNOCENT if " " in text])
def test_a_sentence_is_no_name_of_what_stands_beside_it(text):
    with traced() as recording:
        run(Act(exec=lambda: [(text, "an answer"), [text, {"role": "user"}]]))
    told = json.loads(recording.attributes("invoke_node Act")["output.value"])
    assert told == [[text, "an answer"], [text, {"role": "user"}]]


@each_text
def test_printed_text_is_recorded_as_it_is(text):
    with traced() as recording:
        placements.printed(text)
        placements.printed_to_stderr(text)
        placements.printed_in_pieces(text)
    out, err, pieces = (dict(span.attributes or {}) for span in recording.spans)
    assert out["pocketflow.stdout"] == f"{text}\n"
    assert err["pocketflow.stderr"] == f"Error: {text}\n"
    assert pieces["pocketflow.stdout"] == f"{text}\n{text}\n"


@each_text
def test_messages_are_recorded_as_they_are(text):
    with traced() as recording:
        placements.raised(text)
        placements.raised_as_cause(text)
        placements.raised_with_a_note(text)
    raised, cause, note = recording.named("invoke_node Act")
    assert raised.status.description == text
    assert raised.events[0].attributes["exception.message"] == text
    assert f"RuntimeError: {text}\n" in raised.events[0].attributes["exception.stacktrace"]
    assert f"ValueError: ('no', {text!r})\n" in cause.events[0].attributes["exception.stacktrace"]
    assert note.events[0].attributes["exception.stacktrace"].endswith(f"RuntimeError: failed\n{text}\n")


@each_text
def test_names_keys_and_actions_are_recorded_as_they_are(text):
    with traced() as recording:
        placements.used_as_key(text)
        placements.returned_as_action(text)
        node = Act()
        node.name = text
        run(node)
    added, modified, removed, action, *_, named = (
        span for span in recording.spans if span.name.startswith("invoke_node")
    )
    assert text in added.attributes["pocketflow.store.added"]
    assert text in modified.attributes["pocketflow.store.modified"]
    assert text in removed.attributes["pocketflow.store.removed"]
    assert action.attributes["pocketflow.action"] == text
    assert (named.name, named.attributes["gen_ai.node.name"]) == (f"invoke_node {text}", text)


# Words that stand nowhere else, under keys that are told.
WORDS = [f"{letter * 3}content{letter * 3}" for letter in string.ascii_lowercase]
KEPT = re.compile(rb"([a-z])\1\1content\1\1\1")


@pytest.mark.parametrize("store_depth", [1, 4])
def test_without_content_no_value_is_told_but_shapes(store_depth, monkeypatch):
    monkeypatch.setenv(CONTENT_ENV, "NO_CONTENT")
    stream = io.StringIO()
    with traced(store_depth=store_depth) as recording:
        recording.tracer_provider.add_span_processor(LiveConsole(stream, Verbosity.VERBOSE))
        for word, place in zip(WORDS, CONTENT.values(), strict=False):
            place(word)
        # An error brings its own message, and nothing of the values around it.
        run(Flow(Act(prep=lambda _: WORDS[-1], exec=_fail)), {"note": WORDS[-2], "password": WORDS[-3]})
    assert len(CONTENT) < len(WORDS) - 3
    told = {**exported(recording), "console": stream.getvalue().encode()}
    assert {place: KEPT.findall(data) for place, data in told.items()} == {place: [] for place in told}
    assert recording.logs == []
    assert [span.status.description for span in recording.spans][-2:] == ["of its own"] * 2


def _fail() -> Any:
    raise RuntimeError("of its own")


def test_without_content_error_messages_are_told(monkeypatch):
    monkeypatch.setenv(CONTENT_ENV, "NO_CONTENT")
    with traced() as recording:
        for place in ERRORS.values():
            place(WORDS[0])
    assert len(KEPT.findall(exported(recording)["spans as JSON"])) >= len(ERRORS)
