"""PocketFlow is found wherever a program has it: installed, or as a copy of its source under any name."""

import base64
import importlib
import importlib.machinery
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pocketflow
import pytest

from fixtures import pocketflow_head
from instrumentation.processes import run_script
from instrumentation.recording import traced

SOURCE = Path(pocketflow_head.__file__).read_text()
TREE = [("invoke_workflow Flow", ["invoke_node Node"])]

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules that can be imported, and forgets them in the end: ``write(**{"app.flow": source})``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write_modules(**sources: str) -> None:
        for name, source in sources.items():
            path = tmp_path.joinpath(*name.split("."))
            path.parent.mkdir(parents=True, exist_ok=True)
            (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).write_text(source)
        importlib.invalidate_caches()

    yield write_modules
    for name in set(sys.modules) - before:
        del sys.modules[name]


def run_with(library: Any) -> None:
    library.Flow(library.Node()).run({})


def test_a_copy_that_is_loaded(write: Write) -> None:
    write(flowlib=SOURCE)
    library = importlib.import_module("flowlib")
    with traced() as recording:
        run_with(library)
    assert recording.names == TREE


@pytest.mark.parametrize("name", ["flowlib", "myapp.pocketflow", "myapp.vendor.tiny"])
def test_a_copy_that_is_imported_later(write: Write, name: str) -> None:
    write(**{name: SOURCE})
    with traced() as recording:
        run_with(importlib.import_module(name))
    assert recording.names == TREE


def test_a_copy_that_has_been_imported_later_is_left_as_it_was(write: Write) -> None:
    write(flowlib=SOURCE)
    with traced() as recording:
        library = importlib.import_module("flowlib")
        assert library.Flow._orch.__module__ == "flowlib"
    run_with(library)
    assert recording.names == []
    assert "__init_subclass__" not in vars(library.BaseNode)


def test_a_copy_that_a_package_hands_on(write: Write) -> None:
    write(**{"myapp.pocketflow": SOURCE})
    write(myapp="from myapp.pocketflow import BaseNode, Flow, Node")
    with traced() as recording:
        library = importlib.import_module("myapp")
        run_with(library)
    assert recording.names == TREE


def test_two_copies_at_once_in_one_trace(write: Write) -> None:
    write(one=SOURCE, two=SOURCE)
    first = importlib.import_module("one")
    with traced() as recording:
        second = importlib.import_module("two")

        class Runs(first.Node):  # type: ignore[misc, name-defined]
            def exec(self, prep_res: Any) -> None:
                run_with(second)

        pocketflow_node = pocketflow.Node()
        first.Flow(Runs()).run({})
        pocketflow_node.run({})
    assert recording.names == [("invoke_workflow Flow", [("invoke_node Runs", TREE)]), "invoke_node Node"]


def test_a_copy_that_is_reloaded(write: Write) -> None:
    write(flowlib=SOURCE)
    with traced() as recording:
        library = importlib.import_module("flowlib")
        old = library.Node()
        importlib.reload(library)
        assert type(old) is not library.Node
        run_with(library)
        old.run({})
    assert recording.names == [*TREE, "invoke_node Node"]
    for cls in (library.Node, type(old)):
        assert "_exec" in vars(cls)
        assert vars(cls)["_exec"].__code__.co_filename == library.__file__


def test_a_module_that_was_imported_has_its_own_loader(write: Write) -> None:
    write(flowlib=SOURCE, plain="x = 1")
    with traced():
        loaders = [importlib.import_module(name).__loader__ for name in ("flowlib", "plain")]
        specs = [sys.modules[name].__spec__ for name in ("flowlib", "plain")]
    for loader, spec in zip(loaders, specs, strict=True):
        assert type(loader) is importlib.machinery.SourceFileLoader
        assert spec is not None
        assert spec.loader is loader


# What does not look like PocketFlow, and yet is one.

HIDDEN = f"import base64\nexec(base64.b64decode({base64.b64encode(SOURCE.encode())!r}))"


def test_a_hidden_copy_is_not_found_by_itself(write: Write) -> None:
    write(hidden=HIDDEN)
    with traced() as recording:
        run_with(importlib.import_module("hidden"))
    assert recording.names == []


@pytest.mark.parametrize("loaded", [True, False])
def test_modules_names_it(write: Write, loaded: bool) -> None:
    write(hidden=HIDDEN)
    if loaded:
        importlib.import_module("hidden")
    with traced(modules=["hidden"]) as recording:
        run_with(importlib.import_module("hidden"))
    assert recording.names == TREE


def test_a_named_module_that_holds_none_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pocketflow_otel"), traced(modules=["json"]) as recording:
        run_with(pocketflow)
    assert [record.getMessage() for record in caplog.records] == [
        "module json holds no PocketFlow: expected classes BaseNode and Flow"
    ]
    assert recording.names == TREE


def test_a_named_module_that_is_not_there_is_waited_for() -> None:
    with traced(modules=["nowhere.to.be.found"]) as recording:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("nowhere.to.be.found")
        run_with(pocketflow)
    assert recording.names == TREE


def test_what_only_resembles_it_is_left_alone(write: Write) -> None:
    write(similar="class BaseNode: ...\nclass Flow: ...\ndef _orch(): ...\n# class BaseNode class Flow def _orch")
    with traced():
        module = importlib.import_module("similar")
        assert "__init_subclass__" not in vars(module.BaseNode)


# Imports that fail.


@pytest.mark.parametrize("source", ["import nowhere_at_all", "1 / 0", "def broken(:"])
def test_an_error_in_another_module_shows_no_frame_of_ours(write: Write, source: str) -> None:
    write(failing=source)
    with pytest.raises((ImportError, ZeroDivisionError, SyntaxError)) as untraced:
        importlib.import_module("failing")
    with traced(), pytest.raises((ImportError, ZeroDivisionError, SyntaxError)) as raised:
        importlib.import_module("failing")
    frames = [[frame.name for frame in traceback.extract_tb(error.value.__traceback__)] for error in (untraced, raised)]
    assert frames[0] == frames[1]


def test_a_copy_that_fails_to_import_raises_its_own_error(write: Write) -> None:
    write(flowlib=f"{SOURCE}\nraise ImportError('not today')")
    with traced() as recording:
        with pytest.raises(ImportError, match="not today"):
            importlib.import_module("flowlib")
        assert "flowlib" not in sys.modules
        run_with(pocketflow)
    assert recording.names == TREE


# In a process of its own.


def test_instrumenting_loads_nothing_heavy(tmp_path: Path) -> None:
    script = """
    import json
    import sys

    import pocketflow_otel
    from pocketflow_otel import PocketFlowInstrumentor

    PocketFlowInstrumentor().instrument()
    import pocketflow
    pocketflow.Flow(pocketflow.Node()).run({})
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "typer", "click", "rich",
             "pydantic", "pocketflow_otel.export", "pocketflow_otel.cli", "pocketflow_otel.traces")
    print(json.dumps([name for name in sys.modules if name.startswith(heavy)]))
    """
    assert run_script(tmp_path, script) == []


def test_importing_the_package_loads_neither_pocketflow_nor_the_hooks(tmp_path: Path) -> None:
    script = """
    import json
    import sys

    import pocketflow_otel
    print(json.dumps(sorted(name for name in sys.modules if name.startswith(("pocketflow", "opentelemetry", "wrapt")))))
    """
    assert run_script(tmp_path, script) == ["pocketflow_otel", "pocketflow_otel.version"]


def test_pocketflow_need_not_be_installed(tmp_path: Path) -> None:
    (tmp_path / "vendored.py").write_text(SOURCE)
    script = """
    import json
    import sys

    sys.modules["pocketflow"] = None  # as if it were not installed
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from pocketflow_otel import PocketFlowInstrumentor

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    import vendored
    vendored.Flow(vendored.Node()).run({})
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))
    """
    assert run_script(tmp_path, script) == ["invoke_node Node", "invoke_workflow Flow"]


def test_pocketflow_imported_after_instrumenting_is_found(tmp_path: Path) -> None:
    script = """
    import json
    import sys

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from pocketflow_otel import PocketFlowInstrumentor

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    assert "pocketflow" not in sys.modules
    from pocketflow import Flow, Node

    class Mine(Node): ...

    Flow(Mine()).run({})
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))
    """
    assert run_script(tmp_path, script) == ["invoke_node Mine", "invoke_workflow Flow"]
