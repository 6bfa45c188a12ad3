"""No secret leaves the process, wherever a program has it; and nothing else is kept back."""

import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pocketflow import Flow

from corpora.secrets import SECRETS, Secret
from instrumentation.exporting import exported
from instrumentation.leaks import leaks
from instrumentation.placements import CONTENT, CUTS, ERRORS, MAX_VALUE_BYTES, NAMES, UNDER_A_KEY, Act, run
from instrumentation.recording import traced
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.options import CONTENT_ENV, Verbosity

Place = Callable[[str], None]

PLACES = CONTENT | ERRORS | NAMES
TOLD = [secret for secret in SECRETS if secret.how != "seen"]
SEEN = [secret for secret in SECRETS if secret.how == "seen"]
MODES = ("SPAN_AND_EVENT", "NO_CONTENT")

each_mode = pytest.mark.parametrize("mode", MODES)


def each(secrets: list[Secret]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("secret", secrets, ids=lambda secret: secret.name)


def exports_of(mode: str, program: Callable[[], Any], directory: Path) -> dict[str, bytes]:
    """All that leaves the process while a program runs."""
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONTENT_ENV, mode)
        with traced(max_value_bytes=MAX_VALUE_BYTES) as recording:
            recording.tracer_provider.add_span_processor(LiveConsole(stream, Verbosity.VERBOSE))
            recording.tracer_provider.add_span_processor(TraceFileProcessor(directory=directory))
            program()
            recording.tracer_provider.shutdown()
    files = list(directory.glob("*.jsonl"))
    written = b"".join(path.read_bytes() for path in files)
    for path in files:
        path.unlink()
    assert bool(written) == bool(recording.spans)
    return {**exported(recording), "console": stream.getvalue().encode(), "JSON of files": written}


def forms_of(secret: Secret, places: dict[str, Place]) -> list[tuple[str, str]]:
    """The places and forms in which a secret can be told."""
    return [
        (place, form)
        for place, form in itertools.product(places, secret.forms)
        # Of a private key whose beginning is not there, the end tells, where that is not cut off.
        if "-----END" not in form or "-----BEGIN" in form or place in ("stored", "printed", "raised")
    ]


def some(cases: list[tuple[str, str]], secret: Secret) -> Iterator[tuple[str, str]]:
    """For each place one of the forms, another one for another place and secret."""
    turn = SECRETS.index(secret)
    for number, (_, group) in enumerate(itertools.groupby(cases, lambda case: case[0])):
        forms = list(group)
        yield forms[(turn + number) % len(forms)]


def expect_masked(
    cases: Any, secret: Secret, mode: str, directory: Path, within: Callable[[Any], Any] | None = None
) -> None:
    """Each case runs by itself, in a trace of its own unless `within` makes it part of another."""
    cases = list(cases)

    def leaking(part: list[tuple[str, str]]) -> dict[str, str]:
        def program() -> None:
            for place, form in part:
                (PLACES | CUTS)[place](form)

        exports = exports_of(mode, program if within is None else lambda: within(program), directory)
        return leaks(exports, secret.value)

    if leaking(cases):
        # Tells which.
        assert {case: found for case in cases if (found := leaking([case]))} == {}


@each_mode
@each(TOLD)
def test_a_secret_is_masked_where_it_first_appears(secret, mode, tmp_path):
    # What is content does not come through without: see test_innocent.
    places = PLACES if mode == "SPAN_AND_EVENT" else ERRORS | NAMES
    expect_masked(some(forms_of(secret, places), secret), secret, mode, tmp_path)


@each(TOLD[::8])
def test_a_secret_is_masked_where_it_is_cut(secret, tmp_path):
    cases = forms_of(secret, CUTS)
    expect_masked(some(cases, secret), secret, "SPAN_AND_EVENT", tmp_path)


@pytest.mark.slow
@each_mode
@each(TOLD[::12])
def test_a_secret_is_masked_everywhere_in_all_its_forms(secret, mode, tmp_path):
    expect_masked(forms_of(secret, PLACES | CUTS), secret, mode, tmp_path)


@each_mode
@each([secret for secret in SECRETS if secret.how != "shape" and not secret.name.startswith(("key-url", "key-header"))])
def test_a_secret_is_masked_under_its_key(secret, mode, tmp_path):
    exports = exports_of(mode, lambda: [place(secret.key, secret.value) for place in UNDER_A_KEY], tmp_path)
    assert leaks(exports, secret.value) == {}


# Ways in which a secret becomes known: something is run inside a flow that has seen it.


def _inside(first: Act, program: Callable[[], None], store: dict[str, Any], params: dict[str, Any]) -> None:
    first >> Act(exec=program)
    flow = Flow(first)
    flow.set_params(params)
    run(flow, store)


def in_the_initial_store(secret: Secret, program: Callable[[], None]) -> None:
    _inside(Act(), program, {"config": {"db": {secret.key: secret.value}}}, {})


def put_by_an_earlier_node(secret: Secret, program: Callable[[], None]) -> None:
    _inside(Act(post=lambda shared: shared.update({secret.key: secret.value})), program, {}, {})


def in_params(secret: Secret, program: Callable[[], None]) -> None:
    _inside(Act(), program, {}, {"auth": {secret.key: secret.value}})


KNOWN = (in_the_initial_store, put_by_an_earlier_node, in_params)


@each_mode
@pytest.mark.parametrize("known", KNOWN)
@each(SEEN)
def test_a_secret_that_was_seen_is_masked_where_nothing_tells_it(secret, known, mode, tmp_path):
    cases = some(forms_of(secret, PLACES), secret)
    expect_masked(cases, secret, mode, tmp_path, within=lambda program: known(secret, program))


@each(SEEN[::8])
def test_a_secret_that_was_seen_is_masked_where_it_is_cut(secret, tmp_path):
    cases = some(forms_of(secret, CUTS), secret)
    known = put_by_an_earlier_node
    expect_masked(cases, secret, "SPAN_AND_EVENT", tmp_path, within=lambda program: known(secret, program))


@pytest.mark.slow
@each_mode
@pytest.mark.parametrize("known", KNOWN)
@each(SEEN[::3])
def test_a_secret_that_was_seen_is_masked_in_all_its_forms(secret, known, mode, tmp_path):
    cases = forms_of(secret, PLACES | CUTS)
    expect_masked(cases, secret, mode, tmp_path, within=lambda program: known(secret, program))
