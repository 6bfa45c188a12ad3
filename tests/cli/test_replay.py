"""`replay`: traces by any of their names, in whole or in part, up to an interrupt, and what cannot be shown."""

import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.servers import wait_until
from cli.conftest import COMMAND, Shell

SLOW = """
import time
from pocketflow import Flow, Node

class Wait(Node):
    def exec(self, prep_res):
        time.sleep(0.2)

first, last = Wait(), Wait()
first >> last
Flow(first).run({})
"""
STUCK = """
import sys
from pocketflow import Flow, Node

class Ask(Node):
    def exec(self, prep_res):
        return "yes"

class Wait(Node):
    def exec(self, prep_res):
        print("waiting", flush=True)
        sys.stdin.read()

ask = Ask()
ask >> Wait()
Flow(ask).run({})
"""
MANY = """
from pocketflow import Flow, Node

class Step(Node):
    def prep(self, shared):
        shared["step"] += 1

    def post(self, shared, prep_res, exec_res):
        return "again" if shared["step"] < 5000 else "done"

class End(Node):
    pass

step = Step(max_retries=2)
step - "again" >> step
step - "done" >> End()
Flow(step).run({"step": 0})
"""
MOST_SECONDS = 20
"""Of the processor, for 10,000 spans; it takes about one."""
TAKEN = re.compile(r"^ *[0-9.]+m?s(?= )| in [0-9.]+m?s", re.MULTILINE)


def untimed(text: str) -> str:
    return TAKEN.sub("", text)


@pytest.fixture
def traced(shell: Shell, flow: str) -> Path:
    """The file of one trace."""
    shell.write("program.py", flow)
    assert shell.run("program.py").status == 0
    (file,) = shell.traces.glob("*.jsonl")
    return file


def replay(shell: Shell, *arguments: str, stdin: str = ""):
    return shell.pocketflow_otel("replay", "--speed", "0", *arguments, stdin=stdin)


# What is shown.


@pytest.mark.parametrize("verbosity", ["minimal", "normal", "verbose"])
def test_the_latest_trace_is_shown_as_it_was_live(shell, flow, verbosity):
    shell.write("program.py", flow)
    live = shell.pocketflow_otel("run", "--verbosity", verbosity, "program.py").stderr
    outcome = replay(shell, "--verbosity", verbosity)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout == live.partition("\n")[2]  # the first line tells where traces go


def test_the_environment_decides_how_much_is_told(shell, traced):
    shell.environ["OTEL_PYTHON_POCKETFLOW_VERBOSITY"] = "minimal"
    told = shell.pocketflow_otel("replay", "--speed", "0").stdout
    assert "Ask" not in told
    assert "Ask" in replay(shell, "--verbosity", "normal").stdout


def test_a_trace_is_named_as_everywhere(shell, traced):
    shown = replay(shell).stdout
    assert untimed(shown).splitlines()[:4] == [
        "        ▶ Flow",
        "          ▶ Ask",
        "   ✔ Ask                       +answer",
        " ✔ Flow                        1 visit  +answer",
    ]
    for name in ("last", "last~0", traced.stem[:6], str(traced)):
        assert replay(shell, name).stdout == shown
    from_standard_input = replay(shell, "-", stdin=traced.read_text()).stdout
    assert from_standard_input == "".join(line for line in shown.splitlines(True) if "  trace " not in line)
    moved = traced.rename(shell.directory / traced.name)
    assert replay(shell, "--trace-dir", ".").stdout == shown.replace(str(traced), str(moved))


def test_several_traces_stand_on_one_time_line(shell, traced, flow):
    assert shell.run("program.py").status == 0
    second, first = sorted(shell.traces.glob("*.jsonl"), key=lambda file: file == traced)
    told = untimed(replay(shell, "last", "last~1").stdout).splitlines()
    assert [line for line in told if "Flow" in line] == [
        "        ▶ Flow",
        " ✔ Flow                        1 visit  +answer",
        "        ▶ Flow #2",
        " ✔ Flow #2                     1 visit  +answer",
    ]
    assert told[told.index("  total ✔ 2 flows, 2 node visits  no errors") + 1 :] == [
        f"  trace   {second}",
        f"          {first}",
    ]


def test_only_some_flows_and_nodes_are_shown(shell):
    shell.write("program.py", STUCK)
    assert shell.run("program.py").status == 0
    told = untimed(replay(shell, "--only", "As?").stdout).splitlines()
    assert told[:4] == [
        "        ▶ Flow",
        "          ▶ Ask",
        "   ✔ Ask",
        " ✔ Flow                        2 visits",
    ]


def test_a_file_without_flows_is_told(shell):
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "GET", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    shell.write("other.jsonl", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    outcome = replay(shell, "other.jsonl", "--verbosity", "verbose")
    assert outcome.stderr == "pocketflow-otel: no flow or node of PocketFlow is in it\n"
    assert (outcome.status, outcome.stdout) == (0, " 0.00ms · GET\n")


def test_torn_lines_are_told(shell, traced):
    with traced.open("a") as file:
        file.write('{"resourceSpans":[{"reso')
    outcome = replay(shell)
    assert (outcome.status, outcome.stderr) == (0, f"pocketflow-otel: {traced}: 1 line is torn and left out\n")


# Programs that have not ended.


def stuck(shell: Shell) -> subprocess.Popen[str]:
    """A program that waits in its second node."""
    shell.write("program.py", STUCK)
    process = shell.start(*COMMAND, "run", "program.py", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    return process


def test_what_a_killed_program_was_at_is_shown_as_open(shell):
    with stuck(shell) as process:
        process.kill()
        _, stderr = process.communicate()
    outcome = replay(shell)
    assert (outcome.status, outcome.stderr) == (0, "")
    lines, _, totals = outcome.stdout.partition("\n\n")
    assert lines + "\n" == stderr.partition("\n")[2]
    assert lines.splitlines()[-1] == "          ▶ Wait"
    assert re.fullmatch(
        r"""  total ■ 1 flow, 1 node visit in \S+  no errors  1 unfinished
   open   Wait for \S+
  trace   \S+\.jsonl
   note   the program ended before its spans did: it was killed, or crashed
""",
        totals,
    )


def test_a_program_that_is_running_is_shown_up_to_now(shell):
    with stuck(shell) as process:
        outcome = replay(shell)
        process.communicate("")
    assert "   open   Wait for " in outcome.stdout
    assert outcome.stdout.endswith("   note   the program is running: what it does from now on is not shown\n")
    assert "   open   " not in replay(shell).stdout


# On a terminal, at a pace, interrupted.


class OnTerminal:
    """A command that writes to a terminal of 50 columns, by one of its streams: ``>`` or ``2>``.

    Attributes:
        told: What it has written to the terminal.
        status: Its exit code, once `finish` has returned.
        other: What it wrote to its other stream.
    """

    def __init__(self, shell: Shell, stream: str, *arguments: str) -> None:
        shell.environ |= {"COLUMNS": "50", "TERM": "xterm"}
        self._ours, self._theirs = pty.openpty()
        self.settings = termios.tcgetattr(self._theirs)
        redirected = f'exec "$@" {stream}{os.ttyname(self._theirs)}'
        self.process = shell.start("sh", "-c", redirected, "sh", *COMMAND, *arguments)
        self.told = ""

    def read_until(self, holds: Callable[[], bool]) -> None:
        def read() -> bool:
            while select.select([self._ours], [], [], 0)[0]:
                self.told += os.read(self._ours, 4096).decode()
            return holds()

        wait_until(read)

    def finish(self) -> None:
        self.read_until(lambda: self.process.poll() is not None)
        self.read_until(lambda: True)
        self.other = "".join(self.process.communicate())
        self.status = self.process.returncode
        self.settings_after = termios.tcgetattr(self._theirs)
        os.close(self._ours)
        os.close(self._theirs)


def test_on_a_terminal_it_looks_as_it_did(shell, flow):
    shell.write("program.py", flow.replace('"answer"', '"answer to everything, and more"'))
    live = OnTerminal(shell, "2>", "run", "program.py")
    live.finish()
    shown = OnTerminal(shell, ">", "replay", "--speed", "0")
    shown.finish()
    assert "\x1b[32m✔\x1b[0m Ask" in shown.told
    assert "…" in shown.told
    assert shown.told == live.told.partition("\n")[2]


def test_an_interrupt_ends_it_at_once_and_leaves_the_terminal_as_it_was(shell):
    shell.write("program.py", SLOW)
    assert shell.run("program.py").status == 0
    shown = OnTerminal(shell, ">", "replay", "--speed", "0.001")
    shown.read_until(lambda: "Wait" in shown.told)
    shown.process.send_signal(signal.SIGINT)
    shown.finish()
    assert (shown.status, shown.other) == (130, "")
    assert "total" not in shown.told
    assert shown.told.count("\x1b[") == 2 * shown.told.count("\x1b[0m")
    assert shown.settings_after == shown.settings


def test_ten_thousand_spans_are_shown_in_little_time(shell):
    shell.write("program.py", MANY)
    assert shell.run("program.py").status == 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    outcome = replay(shell, "--verbosity", "verbose")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < MOST_SECONDS
    assert outcome.stdout.count("✔ Step") == 5000
    assert "1 flow, 5,001 node visits" in outcome.stdout


# What goes wrong.


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.jsonl"], "nowhere.jsonl: no such file"),
        (["last~5"], "only 1 traces are in"),
        (["."], ". is a directory"),
        (["--only", "Aks"], "no flow or node is called 'Aks'; near it is 'Ask'"),
        (["--verbosity", "normel"], "did you mean 'normal'?"),
        (["--speed", "-1"], "--speed"),
        (["--speed", "nan"], "--speed"),
        (["--speed", "fast"], "--speed"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_told_with_what_is_near(shell, traced, arguments, told):
    outcome = shell.pocketflow_otel("replay", *arguments)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert told in " ".join(re.sub(r"[│╭╮╰╯─]", " ", outcome.stderr).split())


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "no trace is in it"), ("hello\n", "expected OTLP JSON: it begins with 'hello'")],
)
def test_a_file_that_is_no_trace_is_told(shell, content, told):
    shell.write("file.jsonl", content)
    outcome = replay(shell, "file.jsonl")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("pocketflow-otel: file.jsonl")
    assert told in outcome.stderr


@pytest.mark.parametrize(
    ("redirection", "told"),
    [
        (">&-", "pocketflow-otel: standard output is closed\n"),
        (">/dev/full", "pocketflow-otel: cannot write -: No space left on device\n"),
    ],
)
def test_what_cannot_be_written_is_told(shell, traced, redirection, told):
    with shell.start("sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, "replay") as process:
        assert process.communicate() == ("", told)
    assert process.returncode == 1


def test_nothing_is_said_where_a_reader_has_seen_enough(shell):
    shell.write("program.py", SLOW)
    assert shell.run("program.py").status == 0
    with shell.start(*COMMAND, "replay") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait()) == ("", 1)


def test_help_tells_of_pauses_streams_and_exit_codes(shell):
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", shell.pocketflow_otel("replay", "--help").stdout).split())
    assert "No pause is longer than 2 seconds" in told
    assert "standard output" in told
    assert "130 when it was interrupted" in told
