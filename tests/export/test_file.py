import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from opentelemetry import trace
from opentelemetry.sdk._configuration import _import_exporters
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from pocketflow_otel.export import file, places, problems, requested
from pocketflow_otel.export.file import FileSpanExporter, JournalProcessor, TraceFileProcessor
from pocketflow_otel.export.trace_files import TraceFiles
from pocketflow_otel.options import Options
from pocketflow_otel.traces.reader import TraceState, read_trace


@pytest.fixture(autouse=True)
def no_problems(monkeypatch):
    monkeypatch.setattr(problems, "_problems", {})
    monkeypatch.setattr(requested, "_factories", [])
    monkeypatch.delenv("OTEL_PYTHON_POCKETFLOW_TRACE_DIR", raising=False)
    yield
    assert problems.snapshot() == {}, "a test that expects problems clears them"


def expect_problem(message, dropped):
    """Asserts what was reported, and clears it."""
    problem = problems.snapshot()["trace files"]
    assert (problem.message, problem.dropped) == (message, dropped)
    problems._problems.clear()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "state" / "traces"


@pytest.fixture
def processor(directory):
    return TraceFileProcessor(directory=directory)


@pytest.fixture
def tracer(processor):
    return tracer_of(processor)


def tracer_of(*processors):
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider.get_tracer("test")


def ids(span):
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def trace_path(directory, span):
    return directory / f"{ids(span)[0]}.jsonl"


def journal(directory, span):
    return directory / f"{ids(span)[0]}.{os.getpid()}.open"


def names(path):
    """The names of the spans of each line of a file."""
    return [
        [
            span["name"]
            for resource_spans in json.loads(line)["resourceSpans"]
            for scope_spans in resource_spans["scopeSpans"]
            for span in scope_spans["spans"]
        ]
        for line in path.read_bytes().splitlines()
    ]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def below(parent):
    return trace.set_span_in_context(parent)


def test_nothing_is_made_before_there_is_a_span(tracer, directory):
    assert not directory.exists()
    span = tracer.start_span("flow")
    assert mode(directory) == 0o700
    assert mode(directory.parent) == 0o700
    assert sorted(directory.iterdir()) == [journal(directory, span), trace_path(directory, span)]
    assert {mode(path) for path in directory.iterdir()} == {0o600}
    span.end()


def test_a_span_is_on_disk_when_it_has_ended(tracer, directory):
    with tracer.start_as_current_span("flow") as root:
        path = trace_path(directory, root)
        with tracer.start_as_current_span("node"):
            assert names(path) == []
        assert names(path) == [["node"]]
        assert [json.loads(line)["name"] for line in journal(directory, root).read_text().splitlines()] == [
            "flow",
            "node",
        ]
    assert names(path) == [["node"], ["flow"]]
    assert list(directory.iterdir()) == [path]


def test_each_trace_has_a_file(tracer, processor, directory):
    spans = [tracer.start_span(str(number)) for number in range(3)]
    for span in spans:
        span.end()
    assert [names(trace_path(directory, span)) for span in spans] == [[["0"]], [["1"]], [["2"]]]
    assert processor.directory == directory
    assert processor.paths == [trace_path(directory, span) for span in spans]
    assert processor.path_count == 3


def test_the_paths_are_the_last_hundred(tracer, processor, directory):
    spans = [tracer.start_span("flow") for _ in range(103)]
    for span in (*spans, tracer.start_span("late", context=below(spans[50]))):
        span.end()
    kept = [*spans[3:50], *spans[51:], spans[50]]
    assert processor.paths == [trace_path(directory, span) for span in kept]
    assert processor.path_count == 103


def test_the_default_directory(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "state_dir", lambda: tmp_path / "state")
    processor = TraceFileProcessor()
    tracer_of(processor).start_span("flow").end()
    assert [path.parent for path in processor.paths] == [tmp_path / "state" / "traces"]


def test_a_program_may_change_its_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    processor = TraceFileProcessor(directory=Path("traces"))
    span = tracer_of(processor).start_span("flow")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    span.end()
    assert names(trace_path(tmp_path / "traces", span)) == [["flow"]]
    assert list((tmp_path / "traces").iterdir()) == [trace_path(tmp_path / "traces", span)]


class Records(Sampler):
    """Has spans recorded and not sampled."""

    def should_sample(self, *arguments, **keywords):
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self):
        return "Records"


def test_a_span_that_is_not_sampled_leaves_nothing(directory):
    provider = TracerProvider(sampler=Records(), shutdown_on_exit=False)
    provider.add_span_processor(TraceFileProcessor(directory=directory))
    span = provider.get_tracer("test").start_span("flow")
    assert span.is_recording()
    span.end()
    assert not directory.exists()


def test_a_late_span_is_added(tracer, directory):
    root = tracer.start_span("flow")
    root.end()
    late = tracer.start_span("late", context=below(root))
    assert journal(directory, root).exists()
    late.end()
    assert names(trace_path(directory, root)) == [["flow"], ["late"]]
    assert not journal(directory, root).exists()


def test_a_span_that_started_before_the_processor_was_there(directory):
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("test").start_span("flow")
    provider.add_span_processor(TraceFileProcessor(directory=directory))
    span.end()
    assert names(trace_path(directory, span)) == [["flow"]]
    assert list(directory.iterdir()) == [trace_path(directory, span)]


def test_spans_that_end_after_the_shutdown(tracer, processor, directory):
    span = tracer.start_span("flow")
    processor.shutdown()
    assert processor.force_flush()
    span.end()
    assert names(trace_path(directory, span)) == [["flow"]]
    assert not journal(directory, span).exists()


def open_files(directory):
    return [opened.path for opened in psutil.Process().open_files() if Path(opened.path).parent == directory]


def test_open_files_are_few(tracer, directory):
    roots = [tracer.start_span("flow") for _ in range(100)]
    assert len(open_files(directory)) == 64
    for root in roots:
        tracer.start_span("node", context=below(root)).end()
    assert len(open_files(directory)) == 64
    for root in roots:
        root.end()
    assert open_files(directory) == []
    assert [names(trace_path(directory, root)) for root in roots] == [[["node"], ["flow"]]] * 100
    assert len(list(directory.iterdir())) == 100


def test_the_files_used_last_stay_open(tracer, directory):
    roots = [tracer.start_span("flow") for _ in range(32)]
    tracer.start_span("node", context=below(roots[0])).end()
    last = tracer.start_span("flow")
    closed = {trace_path(directory, root) for root in [*roots, last]} - {Path(path) for path in open_files(directory)}
    assert closed == {trace_path(directory, roots[1])}


def test_threads(tracer, directory):
    with tracer.start_as_current_span("flow") as root:

        def work():
            for number in range(100):
                with tracer.start_as_current_span(f"node {number}", context=below(root)):
                    pass
                tracer.start_span("own").end()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(names(trace_path(directory, root))) == sorted(
        [[f"node {number}"] for number in range(100)] * 8 + [["flow"]]
    )
    assert len(list(directory.iterdir())) == 801


write = os.write


def meanwhile(action, monkeypatch):
    """Does something once while a line is written, as the garbage collector can."""
    actions = [action]

    def interrupted(fd, data):
        if actions:
            actions.pop()()
        return write(fd, data)

    monkeypatch.setattr(os, "write", interrupted)


def test_a_span_that_ends_while_another_is_written(tracer, directory, monkeypatch):
    root = tracer.start_span("flow")
    other = tracer.start_span("other", context=below(root))
    meanwhile(other.end, monkeypatch)
    root.end()
    assert names(trace_path(directory, root)) == [["flow"], ["other"]]
    assert list(directory.iterdir()) == [trace_path(directory, root)]


def test_a_trace_that_ends_and_goes_on_while_a_span_is_written(processor, directory, monkeypatch):
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    unknown = tracer.start_span("unknown")
    provider.add_span_processor(processor)
    started = []

    def end_and_go_on():
        tracer.start_span("one", context=below(unknown)).end()
        started.append(tracer.start_span("two", context=below(unknown)))

    meanwhile(end_and_go_on, monkeypatch)
    unknown.end()
    assert journal(directory, unknown).exists()
    started[0].end()
    assert names(trace_path(directory, unknown)) == [["unknown"], ["one"], ["two"]]
    assert list(directory.iterdir()) == [trace_path(directory, unknown)]


def test_a_full_disk_costs_the_spans_that_it_has_no_room_for(tracer, directory, capsys, monkeypatch):
    root = tracer.start_span("flow")
    lost = [tracer.start_span("lost", context=below(root)) for _ in range(3)]
    rooms = iter([20, 0, 30])
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: next(rooms)]))
    for span in lost:
        span.end()
    monkeypatch.setattr(os, "write", write)
    root.end()
    found = read_trace(trace_path(directory, root))
    assert [span.name for span in found.spans] == ["flow"]
    assert found.torn_lines == 2
    assert capsys.readouterr().err == (
        f"pocketflow-otel: trace files: cannot write to {directory}: No space left on device, 1 span dropped; "
        "your program goes on\n"
    )
    expect_problem(f"cannot write to {directory}: No space left on device", dropped=3)


def test_dev_full(tracer, directory, capsys):
    root = tracer.start_span("flow")
    path = trace_path(directory, root)
    path.unlink()
    path.symlink_to("/dev/full")
    for name in ("one", "two"):
        tracer.start_span(name, context=below(root)).end()
    root.end()
    expect_problem(f"cannot write to {directory}: No space left on device", dropped=3)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not journal(directory, root).exists()


def test_a_directory_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("theirs")
    tracer = tracer_of(TraceFileProcessor(directory=tmp_path / "file"))
    with tracer.start_as_current_span("flow"), tracer.start_as_current_span("node"):
        pass
    assert (tmp_path / "file").read_text() == "theirs"
    expect_problem(f"cannot write to {tmp_path / 'file'}: Not a directory", dropped=2)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_directory_that_is_removed(tracer, directory):
    with tracer.start_as_current_span("flow") as root:
        shutil.rmtree(directory)
    assert names(trace_path(directory, root)) == [["flow"]]
    assert list(directory.iterdir()) == [trace_path(directory, root)]


def deeply_nested():
    nested = []
    for _ in range(400):
        nested = [nested]
    return nested


def test_a_span_that_cannot_be_encoded_costs_itself(tracer, directory, capsys):
    with tracer.start_as_current_span("flow") as root, tracer.start_as_current_span("node") as node:
        node.set_attribute("deep", deeply_nested())
    assert names(trace_path(directory, root)) == [["flow"]]
    assert not journal(directory, root).exists()
    assert "cannot encode node: RecursionError(" in capsys.readouterr().err
    assert problems.snapshot()["trace files"].dropped == 1
    problems._problems.clear()


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no")


def test_a_span_that_cannot_be_listed_is_written_all_the_same(directory):
    files = TraceFiles(directory)
    context = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
    files.start(ReadableSpan("node", context, attributes={"a": Unspeakable()}))
    expect_problem("cannot enter node in the journal: RuntimeError('no')", dropped=0)
    assert [path.read_bytes() for path in directory.iterdir()] == [b"", b""]
    files.write([ReadableSpan("node", context)])
    (path,) = directory.iterdir()
    assert names(path) == [["node"]]


def test_anything_that_goes_wrong_is_a_problem_and_no_exception(tracer, monkeypatch, capsys):
    def fail(*arguments):
        raise MemoryError("no more")

    monkeypatch.setattr(TraceFiles, "start", fail)
    monkeypatch.setattr(TraceFiles, "write", fail)
    tracer.start_span("flow").end()
    expect_problem("MemoryError('no more')", dropped=1)


def test_a_child_process_writes_its_own_spans_and_not_its_parents(directory):
    script = """
import os, pathlib, psutil, sys
from opentelemetry.sdk.trace import TracerProvider
from pocketflow_otel.export.file import TraceFileProcessor
processor = TraceFileProcessor(directory=pathlib.Path(sys.argv[1]))
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(processor)
tracer = provider.get_tracer("test")
with tracer.start_as_current_span("flow") as flow:
    with tracer.start_as_current_span("forks"):
        child = os.fork()
        if not child:
            assert processor.paths == []
            assert [opened for opened in psutil.Process().open_files() if opened.path.startswith(sys.argv[1])] == []
            with tracer.start_as_current_span("child"):
                print(*sorted(path.name for path in processor.directory.iterdir()))
    if child:
        assert os.waitpid(child, 0)[1] == 0
        print(os.getpid(), child)
        print(*(path.name for path in processor.directory.iterdir()))
assert len(processor.paths) == (1 if child else 1)
"""
    # The SDK's threads, though they have ended, make Python 3.12 warn of forking.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(directory)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    in_child, pids, in_parent = (line.split() for line in finished.stdout.splitlines())
    parent, child = pids
    (path,) = directory.iterdir()
    assert sorted(in_child) == sorted([path.name, f"{path.stem}.{parent}.open", f"{path.stem}.{child}.open"])
    assert sorted(in_parent) == sorted([path.name, f"{path.stem}.{parent}.open"])
    # Which of the two processes ends its span first is open.
    assert sorted(names(path)) == [["child"], ["flow"], ["forks"]]
    assert finished.stderr == ""


def test_a_child_process_writes_though_a_thread_of_its_parent_was_writing_when_it_forked(directory):
    script = """
import os, pathlib, sys, threading
from opentelemetry.sdk.trace import TracerProvider
from pocketflow_otel.export.file import TraceFileProcessor
processor = TraceFileProcessor(directory=pathlib.Path(sys.argv[1]))
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(processor)
tracer = provider.get_tracer("test")
held, release = threading.Event(), threading.Event()
def hold():
    with processor._files._lock:
        held.set()
        release.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    tracer.start_span("child").end()
    os._exit(len(processor.paths))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
release.set()
thread.join()
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(directory)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout == "1\n"
    (path,) = directory.iterdir()
    assert names(path) == [["child"]]


KILLED = """
import itertools, os, pathlib, sys
from opentelemetry.sdk.trace import TracerProvider
from pocketflow_otel.export.file import TraceFileProcessor

def work(tracer):
    with tracer.start_as_current_span("flow") as flow:
        os.write(1, b"%d %032x\\n" % (os.getpid(), flow.get_span_context().trace_id))
        for number in itertools.count():
            with tracer.start_as_current_span("node", attributes={"number": number}) as node:
                with tracer.start_as_current_span("item", attributes={"text": "x" * 1000}) as item:
                    pass
                os.write(1, b"%016x\\n" % item.get_span_context().span_id)
            os.write(1, b"%016x\\n" % node.get_span_context().span_id)

for _ in sys.stdin:
    child = os.fork()
    if not child:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(TraceFileProcessor(directory=pathlib.Path(sys.argv[1])))
        work(provider.get_tracer("test"))
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


def kill_again_and_again(directory, times):
    moments = random.Random(times)
    command = [sys.executable, "-c", KILLED, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as parent:
        for _ in range(times):
            parent.stdin.write("\n")
            pid, trace_id = parent.stdout.readline().split()
            path = directory / f"{trace_id}.jsonl"
            ended = {parent.stdout.readline().strip() for _ in range(moments.randrange(200))}
            if not ended:
                assert read_trace(path).state is TraceState.RUNNING
            os.kill(int(pid), signal.SIGKILL)
            ended |= {line.strip() for line in iter(parent.stdout.readline, "dead\n")}
            yield read_trace(path), ended
        parent.stdin.close()
        assert parent.wait() == 0


def check_killed(directory, times):
    for found, ended in kill_again_and_again(directory, times):
        assert found.state is TraceState.CRASHED
        assert found.torn_lines == 0
        finished = {span.span_id for span in found.spans if span.finished}
        # At most one span has ended without having been reported yet.
        assert ended <= finished
        assert len(finished - ended) <= 1
        unfinished = [span for span in found.spans if not span.finished]
        assert [span.name for span in unfinished] in (["flow"], ["flow", "node"], ["flow", "node", "item"])
        assert [span.parent_span_id for span in unfinished] == [None, *(span.span_id for span in unfinished[:-1])]
        assert found.roots() == unfinished[:1]
        for span in found.spans:
            if span.name == "node":
                assert [child.name for child in found.children(span)] in ([], ["item"])


def test_a_killed_process_loses_only_open_spans(directory):
    check_killed(directory, times=25)


@pytest.mark.slow
def test_a_killed_process_loses_only_open_spans_at_more_moments(directory):
    check_killed(directory, times=100)


def exporter(directory, **batch):
    """An exporter as the SDK sets it up: behind a batch processor, with the processor that it asked for."""
    made = FileSpanExporter(trace_dir=str(directory))
    batch_processor = BatchSpanProcessor(made, schedule_delay_millis=1e9, **batch)
    (journal_processor,) = requested.drain(Options())
    return tracer_of(batch_processor, journal_processor), batch_processor, journal_processor


def test_the_exporter_writes_a_line_for_each_trace_of_a_batch(directory):
    tracer, batch, _ = exporter(directory)
    with tracer.start_as_current_span("flow") as root, tracer.start_as_current_span("node"):
        pass
    other = tracer.start_span("other")
    other.end()
    assert names(trace_path(directory, root)) == []
    batch.force_flush()
    assert names(trace_path(directory, root)) == [["node", "flow"]]
    assert names(trace_path(directory, other)) == [["other"]]
    batch.shutdown()


def test_a_span_is_listed_as_open_until_it_is_exported(directory):
    tracer, batch, journal_processor = exporter(directory)
    root = tracer.start_span("flow")
    tracer.start_span("node", context=below(root)).end()
    root.end()
    found = read_trace(trace_path(directory, root))
    assert [(span.name, span.finished) for span in found.spans] == [("flow", False), ("node", False)]
    assert found.state is TraceState.RUNNING
    batch.force_flush()
    found = read_trace(trace_path(directory, root))
    assert [(span.name, span.finished) for span in found.spans] == [("flow", True), ("node", True)]
    assert found.state is TraceState.FINISHED
    batch.shutdown()
    journal_processor.shutdown()


def test_what_the_batch_processor_dropped_is_not_listed_after_the_shutdown(directory):
    files = TraceFiles(directory)
    processor = JournalProcessor(files)
    tracer = tracer_of(processor)
    root = tracer.start_span("flow")
    dropped = tracer.start_span("dropped")
    dropped.end()
    assert journal(directory, dropped).exists()
    processor.shutdown()
    assert not journal(directory, dropped).exists()
    assert journal(directory, root).exists()


def test_what_the_batch_processor_dropped_is_forgotten_in_time(directory, monkeypatch):
    monkeypatch.setattr(file, "_MOST_AWAITING_EXPORT", 2)
    tracer = tracer_of(JournalProcessor(TraceFiles(directory)))
    spans = [tracer.start_span("dropped") for _ in range(5)]
    for span in spans:
        span.end()
    assert [journal(directory, span).exists() for span in spans] == [False, False, False, True, True]


def test_the_exporter_alone_works_too(directory):
    batch = BatchSpanProcessor(FileSpanExporter(trace_dir=str(directory)), schedule_delay_millis=1e9)
    tracer = tracer_of(batch)
    with tracer.start_as_current_span("flow") as root, tracer.start_as_current_span("node"):
        pass
    batch.shutdown()
    assert names(trace_path(directory, root)) == [["node", "flow"]]
    assert open_files(directory) == []


def test_the_exporter_tells_what_failed(directory, tmp_path):
    context = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
    good = ReadableSpan("good", context, attributes={"a": 1})
    bad = ReadableSpan("bad", trace.SpanContext(1, 3, is_remote=False), attributes={"a": object()}, kind=None)
    made = FileSpanExporter(trace_dir=str(directory))
    assert made.export([good]) is SpanExportResult.SUCCESS
    assert made.export([good, bad, good]) is SpanExportResult.FAILURE
    assert made.force_flush()
    made.shutdown()
    assert names(directory / f"{1:032x}.jsonl") == [["good"], ["good", "good"]]
    expect_problem("cannot encode bad: KeyError(None)", dropped=1)
    (tmp_path / "file").write_text("")
    made = FileSpanExporter(trace_dir=str(tmp_path / "file"))
    assert made.export([good, good]) is SpanExportResult.FAILURE
    expect_problem(f"cannot write to {tmp_path / 'file'}: Not a directory", dropped=2)


def test_spans_without_a_context_are_nobodys(directory):
    files = TraceFiles(directory)
    files.start(ReadableSpan("node"))
    assert files.write([ReadableSpan("node")])
    TraceFileProcessor(directory=directory).on_end(ReadableSpan("node"))
    JournalProcessor(files).on_end(ReadableSpan("node"))
    assert not directory.exists()


def test_where_the_exporter_writes(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "state_dir", lambda: tmp_path / "state")
    assert FileSpanExporter()._files.directory == tmp_path / "state" / "traces"
    monkeypatch.setenv("OTEL_PYTHON_POCKETFLOW_TRACE_DIR", str(tmp_path / "environment"))
    monkeypatch.setenv("OTEL_PYTHON_POCKETFLOW_MAX_VALUE_BYTES", "nonsense")
    assert FileSpanExporter()._files.directory == tmp_path / "environment"
    assert FileSpanExporter(trace_dir=str(tmp_path / "code"))._files.directory == tmp_path / "code"


def test_a_trace_dir_that_makes_no_sense(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(places, "state_dir", lambda: tmp_path)
    assert FileSpanExporter(trace_dir=7)._files.directory == tmp_path / "traces"
    expect_problem("trace_dir=7 is ignored: expected a path", dropped=0)


def test_each_request_is_met_once():
    made = []
    requested.request(lambda options: made.append(options.verbosity) or "one")
    requested.request(lambda options: made.append("two") or "two")
    options = Options()
    assert requested.drain(options) == ["one", "two"]
    assert requested.drain(options) == []
    assert made == [options.verbosity, "two"]


def test_the_sdk_finds_it_by_name():
    assert _import_exporters(["pocketflow_file"], [], [])[0] == {"pocketflow_file": FileSpanExporter}
