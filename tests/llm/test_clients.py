import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

from pocketflow_otel.llm import clients


@pytest.fixture(autouse=True)
def nothing_imported(monkeypatch):
    for client in clients.CLIENTS:
        monkeypatch.delitem(sys.modules, client.module, raising=False)


@pytest.fixture
def imported(monkeypatch):
    def put(name, **attributes):
        module = ModuleType(name)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, name, module)

    return put


@pytest.fixture
def instrumentations(monkeypatch):
    def install(**modules):
        points = [
            EntryPoint(name, f"{module}:Instrumentor", "opentelemetry_instrumentor") for name, module in modules.items()
        ]
        monkeypatch.setattr(clients, "entry_points", lambda group: points)

    return install


def instrumentor(*dependencies, active=True):
    return lambda: SimpleNamespace(
        is_instrumented_by_opentelemetry=active, instrumentation_dependencies=lambda: dependencies
    )


def test_a_program_without_clients_hears_nothing():
    assert clients.notes() == []


def test_clients_that_nothing_traces_are_named_with_what_would(imported):
    imported("openai")
    imported("google.genai")

    [note] = clients.notes()
    assert note == (
        "calls through openai, google.genai were not traced; tokens that the program does not return or record are "
        "missing: pip install 'pocketflow-otel[openai]' 'pocketflow-otel[google]'"
    )


def test_a_client_that_has_told_its_calls_itself_is_covered(imported, monkeypatch):
    imported("anthropic")
    assert [client.module for client in clients.uncovered()] == ["anthropic"]

    monkeypatch.setattr(clients, "writers", lambda: frozenset({"com.anthropic.sdk.python"}))
    assert clients.uncovered() == []


@pytest.mark.parametrize("requirement", ["openai >= 1.26.0, < 3", "OpenAI>=1", "openai[extra]", "openai"])
def test_an_active_instrumentation_covers_what_it_says_it_does(imported, instrumentations, requirement):
    imported("openai")
    imported("anthropic")
    imported("tracing", Instrumentor=instrumentor(requirement))
    instrumentations(openai="tracing")

    assert [client.module for client in clients.uncovered()] == ["anthropic"]


def test_one_that_is_not_active_covers_nothing(imported, instrumentations):
    imported("openai")
    imported("tracing", Instrumentor=instrumentor("openai", active=False))
    imported("broken", Instrumentor=lambda: 1 / 0)
    instrumentations(one="tracing", two="broken", three="not_imported")

    assert [client.module for client in clients.uncovered()] == ["openai"]


def test_aws_counts_only_where_a_model_was_called(imported):
    class BaseClient:
        pass

    imported("botocore")
    imported("botocore.client", BaseClient=BaseClient)
    assert clients.notes() == []

    bedrock = type("BedrockRuntime", (BaseClient,), {})

    assert [client.instrumentation for client in clients.uncovered()] == ["opentelemetry-instrumentation-botocore"]
    assert bedrock in BaseClient.__subclasses__()


def test_a_client_whose_instrumentation_is_switched_off_is_not_spoken_of(imported, monkeypatch):
    imported("openai")
    assert clients.notes() != []

    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "requests, openai")
    assert clients.notes() == []
    assert [client.module for client in clients.uncovered()] == ["openai"]
