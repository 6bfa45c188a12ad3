"""No secret that a document comes by is told by anything that tells of its runs."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora.secrets import SECRETS, Secret
from instrumentation.exporting import exported
from instrumentation.leaks import leaks
from instrumentation.recording import traced
from pocketflow_otel.capture import told
from pocketflow_otel.capture.seen import SeenSecrets
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.options import CONTENT_ENV, Verbosity
from pocketflow_otel.runtime import Event, Run, load, prepare
from pocketflow_otel.runtime.telling import as_text, sentences
from runtime.leaking.documents import document
from runtime.leaking.figures import without_figures
from runtime.leaking.refusing import Refusing, refusing

SAMPLE = [
    *SECRETS[::12],
    *(secret for secret in SECRETS if secret.name in {"shape-pem-plain-0", "seen-lines", "seen-url"}),
]


def variable_of(secret: Secret) -> tuple[str, str]:
    """The environment variable that a secret comes from, and what it holds."""
    if secret.how == "shape":
        return "THING", secret.forms[0]
    if secret.name.startswith("key-url"):
        return "DATABASE_URL", secret.forms[0]
    return "SERVICE_PASSWORD", secret.value


@pytest.fixture(scope="module")
def servers() -> Iterator[Refusing]:
    with refusing() as those:
        yield those


def told_by_a_run(secret: Secret, servers: Refusing | None, folder: Path, *, fails: bool) -> dict[str, bytes]:
    """All that tells of a run, by what it is."""
    name, value = variable_of(secret)
    stream, events = io.StringIO(), []

    def listen(event: Event) -> None:
        events.append(event.line())

    # It comes from the environment; where the run fails, from an input.
    reference, environ = ("${inputs.given}", {}) if fails else (f"${{env.{name}}}", {name: value})
    flow = load(document(reference, servers, fails=fails))
    plan = prepare(flow, {"given": value, "nested": {"inside": [value]}}, environ=environ)
    with traced() as recording:
        recording.tracer_provider.add_span_processor(LiveConsole(stream, Verbosity.VERBOSE))
        recording.tracer_provider.add_span_processor(TraceFileProcessor(directory=folder / "traces"))
        run = Run(plan, on_event=listen, directory=folder / "run")
        run.start().wait()
        result = run.result()
        recording.tracer_provider.shutdown()
    assert result.status == ("failed" if fails else "degraded"), result.error
    shown = {
        "events": "".join(events),
        "result": json.dumps(result.as_json(), ensure_ascii=False),
        "text": as_text(result),
        "sentences": "\n".join(sentences(result, str(folder), "flow.yaml")),
        "records": repr([*result.nodes, *result.undone]),
        "error": repr(result.error),
        "plan": repr(plan),
        "console": stream.getvalue(),
    }
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"run/events.jsonl", "run/result.json"} <= set(files)
    encoded = {place: text.encode("utf-8", "backslashreplace") for place, text in shown.items()} | files
    return {place: without_figures(data) for place, data in encoded.items()} | exported(recording)


@pytest.fixture(autouse=True)
def _content(monkeypatch):
    monkeypatch.setenv(CONTENT_ENV, "SPAN_AND_EVENT")


def check(secret: Secret, servers: Refusing | None, folder: Path, *, fails: bool) -> None:
    # What another run has told would be masked in this one too.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(told, "_told", SeenSecrets())
        everything = told_by_a_run(secret, servers, folder, fails=fails)
    assert leaks(everything, secret.value) == {}


@pytest.mark.parametrize("fails", [False, True], ids=["from the environment", "from an input, and fails"])
@pytest.mark.parametrize("secret", SAMPLE, ids=lambda secret: secret.name)
def test_nothing_tells_a_secret(secret, fails, servers, tmp_path):
    check(secret, servers, tmp_path, fails=fails)


@pytest.mark.slow
def test_nothing_tells_any_secret_of_the_corpus(tmp_path):
    for number, secret in enumerate(SECRETS):
        check(secret, None, tmp_path / str(number), fails=bool(number % 2))
