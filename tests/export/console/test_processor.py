"""The console as a span processor: threads, forks, memory, mistakes, and being chosen by name."""
# ruff: noqa: RUF001 - the signs are the console's

import gc
import io
import os
import subprocess
import sys
import threading
from importlib.metadata import entry_points

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from pocketflow_otel import semconv as s
from pocketflow_otel.export import problems, requested
from pocketflow_otel.export.console import ConsoleSpanExporter, LiveConsole
from pocketflow_otel.export.console.live import MAX_OTHERS
from pocketflow_otel.export.console.places import Place
from pocketflow_otel.options import Options, Verbosity, resolve


def test_lines_of_threads_do_not_mix(show):
    shown = show(Verbosity.VERBOSE)
    start = threading.Barrier(4)

    def run(number):
        p = type(shown.program)(shown.console)
        start.wait()
        for _ in range(50):
            flow = p.flow(f"Flow{number}")
            node = p.node(f"Node{number}", flow)
            p.end(node, 10, {s.STORE_ADDED: [f"key{number}"], s.STDOUT: f"text{number}\n"})
            p.end(flow)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = shown.text.splitlines()
    for number in range(4):
        ends = [
            n
            for n, line in enumerate(lines)
            if line.endswith(f"✔ Node{number}") or ("✔" in line and f"› Node{number}" in line)
        ]
        assert len(ends) == 50
        for n in ends:
            assert lines[n + 1 : n + 3] == [f"            + key{number}", f" stdout     │ text{number}"]
    assert len(lines) == 4 * 50 * 6
    assert shown.console.summary().startswith("  total ✔ 200 flows, 200 node visits in")


def places_alive():
    gc.collect()
    return sum(type(thing) is Place for thing in gc.get_objects())


def test_memory_holds_open_spans_only(show):
    before = places_alive()
    shown = show(Verbosity.MINIMAL)
    p = shown.program
    flow = p.flow("Agent")
    for visit in range(2000):
        node = p.node("Ask", flow, visit=visit + 1)
        p.end(p.item(node, 0))
        p.end(p.other("POST", node))
        p.end(node)
    assert places_alive() - before == 1
    p.end(flow)
    assert places_alive() - before == 0


def test_spans_of_others_that_never_end_are_forgotten_in_time(show):
    shown = show(Verbosity.MINIMAL)
    p = shown.program
    flow = p.flow("Agent")
    streams = [p.other("stream", flow) for _ in range(MAX_OTHERS + 10)]
    assert len(shown.console._others) == MAX_OTHERS
    p.fail(p.flow("Inner", streams[-1]), ValueError("known place"), 1)
    p.fail(p.flow("Inner", streams[0]), ValueError("forgotten place"), 1)
    assert shown.text.splitlines() == [
        "        ▶ Agent",
        "  1.0ms   ✘ Inner                     ValueError: known place",
        "        ▶ Inner",
        "  1.0ms ✘ Inner                       ValueError: forgotten place",
    ]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_tells_of_its_own_spans_only(make_program, tmp_path):
    out = tmp_path / "out.txt"
    with out.open("w", encoding="utf-8") as stream:
        console = LiveConsole(stream)
        p = make_program(console)
        flow = p.flow("Agent")
        node = p.node("Ask", flow)
        held = threading.Event()
        release = threading.Event()

        def hold():
            with console._lock:
                held.set()
                release.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        child = os.fork()
        if child == 0:
            try:
                p.end(p.node("InChild", flow), 10)
                p.end(node)
                p.end(flow)
                console.shutdown()
            finally:
                os._exit(0)
        release.set()
        holder.join()
        assert os.waitpid(child, 0)[1] == 0
        p.end(node, 20)
        p.end(flow)
        console.shutdown()
    assert (
        "\n" + out.read_text(encoding="utf-8")
        == """
        ▶ Agent
          ▶ Ask
          ▶ InChild
   10ms   ✔ InChild

  total ✔ 1 node visit in 10ms  no errors
   20ms   ✔ Ask
   20ms ✔ Agent

  total ✔ 1 flow, 1 node visit in 20ms  no errors
"""
    )


def test_mistakes_of_ours_are_reported_and_not_raised(show, monkeypatch):
    reported = []
    monkeypatch.setattr(problems, "report", lambda source, message: reported.append((source, message)))
    shown = show()
    p = shown.program

    def fail(*_, **__):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(shown.console, "_start", fail)
    flow = p.flow("Agent")
    monkeypatch.setattr(shown.console, "_end", fail)
    p.end(flow)
    monkeypatch.setattr(shown.console, "_write_totals", fail)
    shown.console.shutdown()
    assert reported == [("live console", "ZeroDivisionError: ours")] * 3


def test_attributes_of_unexpected_types_do_no_harm(show, monkeypatch):
    reported = []
    monkeypatch.setattr(problems, "report", lambda source, message: reported.append(message))
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    flow = p.flow("Agent")
    odd = {s.ACTION: 7, s.NODE_VISIT: "x", s.ATTEMPTS: "many", s.BATCH_SIZE: "some", s.STORE_ADDED: "abc"}
    p.end(p.node("Ask", flow), 1, odd)
    p.end(flow, 1)
    assert shown.text.splitlines()[-1] == "  2.0ms ✔ Agent"
    assert len(reported) == 1


def test_importing_it_is_light():
    program = "import sys, pocketflow_otel.export.console; print({'rich', 'typer', 'wrapt'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


def test_force_flush(show):
    assert show().console.force_flush() is True


def test_the_exporter_asks_for_a_console_with_the_options_verbosity(monkeypatch, make_program):
    assert requested.drain(Options()) == []
    monkeypatch.setenv("OTEL_PYTHON_POCKETFLOW_VERBOSITY", "minimal")
    (entry,) = entry_points(group="opentelemetry_traces_exporter", name="pocketflow_console")
    exporter = entry.load()()
    assert type(exporter) is ConsoleSpanExporter
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    (console,) = requested.drain(resolve({})[0])
    p = make_program(console)
    flow = p.flow("Agent")
    p.node("Ask", flow)
    assert stream.getvalue() == "        ▶ Agent\n"
    assert exporter.export([flow]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert stream.getvalue() == "        ▶ Agent\n"
