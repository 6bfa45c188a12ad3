"""Options: from arguments, the environment and a declarative file, and what becomes of values that make no sense."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pocketflow
import pytest
from opentelemetry.configuration.instrumentation import configure_instrumentation
from opentelemetry.configuration.models import ExperimentalInstrumentation

from instrumentation.recording import traced
from pocketflow_otel import PocketFlowInstrumentor, environment_variables
from pocketflow_otel.options import (
    CONTENT_ENV,
    DECLARATIVE_MARK,
    FIELDS,
    ContentMode,
    DeclarativeOptions,
    Options,
    Verbosity,
    environment_variable,
    resolve,
)

# For each option: a value in code, the same as text, and what both come to.
GOOD: dict[str, tuple[Any, str, Any]] = {
    "capture_values": (True, "true", True),
    "capture_output": (False, "false", False),
    "capture_io": (True, "1", True),
    "max_value_bytes": (64, "64", 64),
    "max_store_keys": (1, "1", 1),
    "store_depth": (0, "0", 0),
    "redact": ([r"id-\d+", "secret,too"], "id-\\d+\nsecret,too", (r"id-\d+", "secret,too")),
    "modules": (["app.flow", "other"], "app.flow, other,", ("app.flow", "other")),
    "include": (("Ask*",), "Ask*", ("Ask*",)),
    "exclude": (["a", "b"], "a,b", ("a", "b")),
    "detailed": ("a,b", "a,b", ("a", "b")),
    "trace_dir": (Path("/some/where"), "/some/where", "/some/where"),
    "verbosity": (Verbosity.VERBOSE, "VERBOSE", Verbosity.VERBOSE),
    "price_file": (Path("/some/prices.toml"), "/some/prices.toml", "/some/prices.toml"),
    "refresh_prices": (True, "yes", True),
    "budget_usd": (0.5, "0.5", 0.5),
    "budget_tokens": (1000, "1000", 1000),
    "budget_visits": (0, "0", 0),
    "budget_seconds": (2, "2", 2.0),
}

BAD: dict[str, tuple[Any, ...]] = {
    "capture_values": ("maybe", 5),
    "capture_output": ("2",),
    "capture_io": ([],),
    "max_value_bytes": (63, -1, "many", 1.5, True, [5]),
    "max_store_keys": (0, "none"),
    "store_depth": (-1, "deep", False),
    "redact": ("(", [5], 5),
    "modules": (5, [5]),
    "include": (5,),
    "exclude": ([None],),
    "detailed": (5,),
    "trace_dir": (5, b""),
    "verbosity": ("loud", 5),
    "price_file": (5, b""),
    "refresh_prices": ("maybe", 2.5),
    "budget_usd": ("much", -0.01, True, float("nan"), float("inf"), [1]),
    "budget_tokens": (-1, 1.5, "many"),
    "budget_visits": (-1, True),
    "budget_seconds": (-1, "long"),
}

DEFAULTS = Options()


def test_the_tables_here_speak_of_every_option() -> None:
    assert GOOD.keys() == BAD.keys() == FIELDS.keys()


def test_the_defaults() -> None:
    assert resolve({}, {}) == (DEFAULTS, [])
    assert dataclasses.asdict(DEFAULTS) == {
        "capture_values": None,
        "capture_output": None,
        "capture_io": None,
        "max_value_bytes": 2048,
        "max_store_keys": 32,
        "store_depth": 1,
        "redact": (),
        "modules": (),
        "include": (),
        "exclude": (),
        "detailed": (),
        "trace_dir": None,
        "verbosity": "normal",
        "price_file": None,
        "refresh_prices": False,
        "budget_usd": None,
        "budget_tokens": None,
        "budget_visits": None,
        "budget_seconds": None,
        "content_mode": "NO_CONTENT",
    }


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_comes_from_an_argument(name: str) -> None:
    value, _, expected = GOOD[name]
    assert resolve({name: value}, {}) == (dataclasses.replace(DEFAULTS, **{name: expected}), [])


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_comes_from_the_environment(name: str) -> None:
    _, text, expected = GOOD[name]
    variable = f"OTEL_PYTHON_POCKETFLOW_{name.upper()}"
    assert resolve({}, {variable: text}) == (dataclasses.replace(DEFAULTS, **{name: expected}), [])
    assert environment_variable(name) == variable


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_comes_from_a_declarative_file(name: str) -> None:
    value, _, expected = GOOD[name]
    given = dataclasses.asdict(DeclarativeOptions(**{name: value}))
    assert resolve(given, {}) == (dataclasses.replace(DEFAULTS, **{name: expected}), [])


def test_arguments_go_before_the_environment_which_goes_before_a_file() -> None:
    environ = {environment_variable("store_depth"): "2"}
    assert resolve({"store_depth": 3}, environ)[0].store_depth == 3
    assert resolve({"store_depth": None}, environ)[0].store_depth == 2
    assert resolve({"store_depth": 3, DECLARATIVE_MARK: True}, environ)[0].store_depth == 2
    assert resolve({"store_depth": 3, DECLARATIVE_MARK: True}, {})[0].store_depth == 3


def test_an_empty_variable_is_none() -> None:
    assert resolve({}, {environment_variable(name): "" for name in FIELDS}) == (DEFAULTS, [])


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_value_that_makes_no_sense_is_told_and_left_out(name: str, value: Any) -> None:
    options, problems = resolve({name: value}, {})
    assert options == DEFAULTS
    (problem,) = problems
    assert problem.startswith(f"{name}={value!r} is ignored: expected ")


@pytest.mark.parametrize(("name", "value"), [(name, values[0]) for name, values in BAD.items()])
def test_then_the_next_source_counts(name: str, value: Any) -> None:
    _, text, expected = GOOD[name]
    options, problems = resolve({name: value}, {environment_variable(name): text})
    assert options == dataclasses.replace(DEFAULTS, **{name: expected})
    assert len(problems) == 1


def test_a_variable_that_makes_no_sense_is_told_by_its_name() -> None:
    variable = environment_variable("max_value_bytes")
    assert resolve({}, {variable: "lots"}) == (
        DEFAULTS,
        [f"{variable}='lots' is ignored: expected a whole number"],
    )


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("capture_value", "unknown option 'capture_value': did you mean 'capture_values'?"),
        ("zzzzzzz", "unknown option 'zzzzzzz'"),
    ],
)
def test_an_option_that_is_none_is_told_with_the_nearest(name: str, problem: str) -> None:
    assert resolve({name: 1}, {}) == (DEFAULTS, [problem])


@pytest.mark.parametrize("text", ["true", "True", " 1 ", "yes", "on"])
def test_ways_to_say_yes(text: str) -> None:
    assert resolve({}, {environment_variable("capture_io"): text})[0].capture_io is True


@pytest.mark.parametrize("text", ["false", "FALSE", "0", "no", "off"])
def test_ways_to_say_no(text: str) -> None:
    assert resolve({}, {environment_variable("capture_io"): text})[0].capture_io is False


def test_a_path_may_begin_with_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert resolve({"trace_dir": "~/traces"}, {})[0].trace_dir == "/home/someone/traces"


def test_redact_may_be_a_function() -> None:
    def hook(text: str, key: str | None) -> str:
        return text

    assert resolve({"redact": hook}, {})[0].redact is hook


# Content.


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", ContentMode.NO_CONTENT),
        ("false", ContentMode.NO_CONTENT),
        ("NO_CONTENT", ContentMode.NO_CONTENT),
        ("true", ContentMode.SPAN_ONLY),
        ("TRUE", ContentMode.SPAN_ONLY),
        ("SPAN_ONLY", ContentMode.SPAN_ONLY),
        (" event_only ", ContentMode.EVENT_ONLY),
        ("SPAN_AND_EVENT", ContentMode.SPAN_AND_EVENT),
    ],
)
def test_the_standard_variable(text: str, mode: ContentMode) -> None:
    assert resolve({}, {CONTENT_ENV: text}) == (dataclasses.replace(DEFAULTS, content_mode=mode), [])


def test_the_standard_variable_with_a_value_that_makes_no_sense() -> None:
    options, (problem,) = resolve({}, {CONTENT_ENV: "everything"})
    assert options == DEFAULTS
    assert problem == (
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT='everything' is ignored: "
        "expected one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT"
    )


@pytest.mark.parametrize("mode", ContentMode)
def test_where_content_of_one_kind_goes(mode: ContentMode) -> None:
    options = Options(content_mode=mode)
    assert options.content(None) is mode
    assert options.content(False) is ContentMode.NO_CONTENT
    assert options.content(True) is (ContentMode.SPAN_ONLY if mode is ContentMode.NO_CONTENT else mode)


# Through the instrumentor.


class Quiet(pocketflow.Node): ...


def test_instrumenting_with_nonsense_warns_and_traces(caplog: pytest.LogCaptureFixture) -> None:
    nonsense = {name: values[0] for name, values in BAD.items()}
    with caplog.at_level(logging.WARNING, "pocketflow_otel"), traced(**nonsense, unheard_of=1) as recording:
        Quiet().run({})
    assert recording.names == ["invoke_node Quiet"]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(nonsense) + 1
    assert "unknown option 'unheard_of'" in messages


def test_a_declarative_file_reaches_the_instrumentor(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(PocketFlowInstrumentor, "instrument", lambda _, **arguments: given.append(arguments))
    python = {"pocketflow": {"store_depth": 0, "exclude": ["Quiet"]}}
    configure_instrumentation(ExperimentalInstrumentation(python=python))
    monkeypatch.undo()
    assert given == [{"store_depth": 0, "exclude": ["Quiet"], DECLARATIVE_MARK: True}]
    with traced(**given[0]) as recording:
        Quiet().run({})
    assert recording.names == []
    monkeypatch.setenv(environment_variable("exclude"), "Loud")
    with traced(**given[0]) as recording:
        Quiet().run({})
    assert recording.names == ["invoke_node Quiet"]


def test_a_declarative_file_with_an_unknown_option_does_not_raise(
    instrumentor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configure_instrumentation(ExperimentalInstrumentation(python={"pocketflow": {"unheard_of": True}}))
    assert "unheard_of" in caplog.text


def test_every_option_is_offered_as_a_flag() -> None:
    offered = {name for name in vars(environment_variables) if name.startswith("OTEL_PYTHON_POCKETFLOW_")}
    assert offered == {environment_variable(name) for name in FIELDS}
