import io
import subprocess
import sys
import threading

import pytest

from pocketflow_otel.export import problems
from pocketflow_otel.export.problems import Problem
from pocketflow_otel.export.streams import real_stream


@pytest.fixture(autouse=True)
def no_problems(monkeypatch):
    monkeypatch.setattr(problems, "_problems", {})
    monkeypatch.setattr(problems, "_ending", False)


class Capturing(io.StringIO):
    def __init__(self, wrapped):
        super().__init__()
        self.__pocketflow_wrapped__ = wrapped


def test_a_source_says_its_first_problem_and_no_more(capsys):
    problems.report("trace files", "No space left on device", dropped=1)
    problems.report("trace files", "No such file or directory", dropped=2)
    captured = capsys.readouterr()
    assert (
        captured.err == "pocketflow-otel: trace files: No space left on device, 1 span dropped; your program goes on\n"
    )
    assert captured.out == ""


def test_every_report_counts():
    problems.report("trace files", "first", dropped=1)
    problems.report("trace files", "second", dropped=2)
    problems.report("console", "other")
    assert problems.snapshot() == {
        "trace files": Problem(message="first", reports=2, dropped=3),
        "console": Problem(message="other", reports=1, dropped=0),
    }


def test_sources_speak_for_themselves(capsys):
    problems.report("a", "one")
    problems.report("b", "two")
    assert capsys.readouterr().err.splitlines() == [
        "pocketflow-otel: a: one; your program goes on",
        "pocketflow-otel: b: two; your program goes on",
    ]


def test_a_message_of_many_lines_is_one_line(capsys):
    problems.report("a", "first\n  second\r\n\tthird")
    assert capsys.readouterr().err == "pocketflow-otel: a: first second third; your program goes on\n"


def test_what_was_lost_since_is_told_at_the_end(capsys):
    problems.report("a", "refused", dropped=2)
    problems.report("a", "refused", dropped=3, dropped_log_records=1)
    problems.report("b", "odd")
    capsys.readouterr()

    problems.say_rest()
    problems.say_rest()

    assert capsys.readouterr().err == "pocketflow-otel: a: 5 spans and 1 log record dropped in all\n"


def test_what_happens_at_the_end_is_said_in_one_line_with_its_sum(capsys):
    problems.end()
    problems.report("a", "refused", dropped=2)
    problems.report("a", "silent", dropped=3)
    assert capsys.readouterr().err == ""

    problems.say_rest()

    assert capsys.readouterr().err == "pocketflow-otel: a: refused, 5 spans dropped; your program goes on\n"


def test_a_child_counts_its_own_and_repeats_nothing():
    script = """
import os
from pocketflow_otel.export import problems
problems.report("a", "refused", dropped=2)
child = os.fork()
problems.report("a", "refused", dropped=3)
problems.say_rest()
if child:
    os.waitpid(child, 0)
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert sorted(finished.stderr.splitlines()) == [
        "pocketflow-otel: a: 3 spans dropped in all",
        "pocketflow-otel: a: 5 spans dropped in all",
        "pocketflow-otel: a: refused, 2 spans dropped; your program goes on",
    ]


def test_the_snapshot_does_not_change():
    problems.report("a", "one")
    before = problems.snapshot()
    problems.report("b", "two")
    assert list(before) == ["a"]


def test_it_is_said_on_the_stream_behind_ours(monkeypatch):
    real = io.StringIO()
    outer = Capturing(Capturing(real))
    monkeypatch.setattr(sys, "stderr", outer)
    problems.report("a", "one")
    assert real.getvalue() == "pocketflow-otel: a: one; your program goes on\n"
    assert outer.getvalue() == ""


def test_real_stream_of_other_streams():
    plain = io.StringIO()
    itself = Capturing(None)
    itself.__pocketflow_wrapped__ = itself
    one, two = Capturing(None), Capturing(None)
    one.__pocketflow_wrapped__, two.__pocketflow_wrapped__ = two, one
    assert real_stream(plain) is plain
    assert real_stream(itself) is itself
    assert real_stream(one) in (one, two)
    assert real_stream(None) is None
    assert real_stream(Capturing(None)) is None


class Broken:
    def write(self, text):
        raise RuntimeError("broken")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stderr", [None, closed(), Broken(), Capturing(None), object()])
def test_a_stderr_that_cannot_be_written_raises_nothing(monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    problems.report("a", "one", dropped=3)
    assert problems.snapshot() == {"a": Problem(message="one", reports=1, dropped=3)}


def test_threads_lose_no_count(capsys):
    def report():
        for _ in range(500):
            problems.report("a", "one", dropped=1)

    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems.snapshot() == {"a": Problem(message="one", reports=4000, dropped=4000)}
    assert capsys.readouterr().err == "pocketflow-otel: a: one, 1 span dropped; your program goes on\n"


def test_a_child_reports_though_a_thread_of_its_parent_was_reporting_when_it_forked():
    script = """
import os, threading
from pocketflow_otel.export import problems
held = threading.Event()
release = threading.Event()
def hold():
    with problems._lock:
        held.set()
        release.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    problems.report("child", "one")
    os._exit(0)
status = os.waitpid(child, 0)[1]
release.set()
thread.join()
print(status)
"""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert finished.stdout == "0\n"
    assert finished.stderr == "pocketflow-otel: child: one; your program goes on\n"
