"""Colours, width, encodings, hostile text and broken streams."""

import io
import os
import pty
import sys
import termios

import pytest
from rich.cells import cell_len

from pocketflow_otel import semconv as s
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.console.terminal import Terminal
from pocketflow_otel.options import Verbosity


def small_program(p):
    flow = p.flow("Agent")
    iteration = p.iteration(flow, 0)
    node = p.node("Ask", iteration, attributes={s.MAX_RETRIES: 2})
    p.fail(p.attempt(node, 1), TimeoutError("late"), 10)
    p.end(node, 10, {s.ACTION: "search", s.STORE_ADDED: ["a"], s.STORE_MODIFIED: ["b"], s.STORE_REMOVED: ["c"]})
    p.end(p.node("Search", iteration), 5)
    p.fail(p.node("Search", iteration, visit=2), ValueError("no"), 10)
    p.end(flow)


COLORED = """
\x1b[2m        \x1b[0m\x1b[36m▶\x1b[0m \x1b[1mAgent\x1b[0m
\x1b[2m          \x1b[0m\x1b[2m▶\x1b[0m \x1b[2mAgent\x1b[0m\x1b[2m [0]\x1b[0m
\x1b[2m            \x1b[0m\x1b[2m▶\x1b[0m \x1b[2mAsk\x1b[0m\x1b[2m [0]\x1b[0m
\x1b[2m   10ms       \x1b[0m\x1b[33m↻\x1b[0m Ask\x1b[36m [0]\x1b[0m               \
\x1b[2mattempt 1 of 2\x1b[0m  \x1b[33mTimeoutError: late\x1b[0m
\x1b[2m   20ms     \x1b[0m\x1b[32m✔\x1b[0m Ask\x1b[36m [0]\x1b[0m\x1b[36m → search\x1b[0m        \
\x1b[32m+a\x1b[0m ~b\x1b[2m -c\x1b[0m
\x1b[2m            \x1b[0m\x1b[2m▶\x1b[0m \x1b[2mSearch\x1b[0m\x1b[2m [0]\x1b[0m
\x1b[2m  5.0ms     \x1b[0m\x1b[32m✔\x1b[0m Search\x1b[36m [0]\x1b[0m
\x1b[2m            \x1b[0m\x1b[2m▶\x1b[0m \x1b[2mSearch\x1b[0m\x1b[2m [0]\x1b[0m\x1b[2m #2\x1b[0m
\x1b[2m   10ms     \x1b[0m\x1b[31m✘\x1b[0m Search\x1b[36m [0]\x1b[0m\x1b[2m #2\x1b[0m           \
\x1b[31mValueError: no\x1b[0m
\x1b[2m   35ms \x1b[0m\x1b[32m✔\x1b[0m \x1b[1mAgent\x1b[0m                       \x1b[2m1 iteration\x1b[0m
"""


def test_colours_on_a_terminal(show):
    shown = show(columns=100)
    small_program(shown.program)
    assert shown.lines == COLORED


@pytest.mark.parametrize(
    ("environment", "color", "columns", "colored"),
    [
        ({}, None, 80, True),
        ({}, None, None, False),
        ({}, True, None, True),
        ({}, False, 80, False),
        ({"NO_COLOR": "1"}, None, 80, False),
        ({"NO_COLOR": ""}, None, 80, True),
        ({"NO_COLOR": "1"}, True, 80, True),
        ({"TERM": "dumb"}, None, 80, False),
        ({"FORCE_COLOR": "1"}, None, None, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, None, None, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, None, 80, False),
    ],
)
def test_when_there_are_colours(show, monkeypatch, environment, color, columns, colored):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = show(columns=columns, color=color)
    shown.program.flow("Agent")
    assert ("\x1b[" in shown.text) is colored


def test_lines_are_cut_at_the_terminals_width_only_on_a_terminal(show):
    def program(p):
        flow = p.flow("Agent")
        p.fail(p.node("翻訳する", flow), ValueError("答えがありません " * 9), 10)

    shown = show(columns=60, color=False)
    program(shown.program)
    assert (
        shown.lines
        == """
        ▶ Agent
          ▶ 翻訳する
   10ms   ✘ 翻訳する                  ValueError: 答えがあ…
"""
    )
    assert [cell_len(line) for line in shown.text.splitlines()] == [15, 20, 59]
    piped = show()
    program(piped.program)
    assert piped.text.splitlines()[2] == (
        "   10ms   ✘ 翻訳する                  ValueError: " + " ".join(["答えがありません"] * 9)
    )


def test_paths_and_notes_are_not_cut(show, tmp_path):
    path = tmp_path / ("x" * 60)
    shown = show(columns=40, color=False, trace_files=lambda: [path], notes=lambda: ["n" * 60])
    p = shown.program
    p.end(p.node("Ask"), 10)
    shown.console.shutdown()
    assert shown.text.splitlines()[-2:] == [f"  trace   {path}", "   note   " + "n" * 60]


def test_the_width_of_a_real_terminal(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    main, second = pty.openpty()
    termios.tcsetwinsize(second, (24, 30))
    with io.TextIOWrapper(io.FileIO(second, "w"), encoding="utf-8") as stream:
        terminal = Terminal(stream)
        terminal.write([[("", "x" * 50)]])
        first = os.read(main, 1000)
        termios.tcsetwinsize(second, (24, 10))
        terminal.write([[("", "x" * 50)]])
        then = os.read(main, 1000)
    os.close(main)
    assert first.decode() == "x" * 29 + "…\r\n"
    assert then.decode() == "x" * 9 + "…\r\n"


def test_a_terminal_of_unknown_width_is_taken_to_have_80_columns(show, monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    stream = show(columns=0).stream
    Terminal(stream, color=False).write([[("", "x" * 90)]])
    assert stream.getvalue() == "x" * 79 + "…\n"


ASCII_LINES = """
        > Agent
          > Agent [0]
            > Ask [0]
   10ms       @ Ask [0]               attempt 1 of 2  TimeoutError: late
   20ms     v Ask [0] -> search       +a ~b -c
            > Search [0]
  5.0ms     v Search [0]
            > Search [0] #2
   10ms     x Search [0] #2           ValueError: no
   35ms v Agent                       1 iteration
        > Caf{e}
        > \\u7ffb
          > Agent / Late
"""


@pytest.mark.parametrize(("encoding", "e"), [("ascii", r"\xe9"), ("cp1252", "é"), ("latin-1", "é")])
def test_streams_that_cannot_write_the_signs_get_ascii(make_program, encoding, e):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="\n")
    p = make_program(LiveConsole(stream))
    small_program(p)
    agent = p.flow("Agent")
    p.flow("Café")
    p.flow("翻")
    p.node("Late", agent)
    text = "\n" + raw.getvalue().decode(encoding)
    assert text.replace("        > Agent #2\n", "") == ASCII_LINES.format(e=e).replace("Agent /", "Agent #2 /")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-16", None, "no such encoding"])
def test_signs_by_encoding(encoding):
    class Stream(io.StringIO):
        pass

    Stream.encoding = encoding
    stream = Stream()
    Terminal(stream).write([[("", Terminal(stream).symbols.done)]])
    assert stream.getvalue() == ("v\n" if encoding == "no such encoding" else "✔\n")


HOSTILE = "a\x1b[2Jb\x1b]0;title\x07c\rd\x08\u202ee\x9b31mf\x1bPq\x1b\\g\nh\ud800i\u2028j\x00\x1b"
HARMLESS = r"abc d\x08\u202eefg h\ud800i j\x00\x1b"


def test_hostile_text_is_made_harmless_everywhere(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    flow = p.flow(HOSTILE)
    node = p.node(HOSTILE, flow)
    p.fail(p.other(HOSTILE, node), ValueError(HOSTILE))
    changes = {
        s.STORE_ADDED: [HOSTILE],
        s.STORE_SHAPE_PREFIX + HOSTILE: HOSTILE,
        s.STORE_VALUE_PREFIX + HOSTILE: HOSTILE,
    }
    p.fail(node, ValueError(HOSTILE), 1, {s.ACTION: HOSTILE, s.PARAMS: HOSTILE, s.STDERR: "a\x1b[2Jb\x07", **changes})
    assert (
        shown.lines
        == f"""
        ▶ {HARMLESS}
          ▶ {HARMLESS}
 0.00ms     · {HARMLESS}  ValueError
  1.0ms   ✘ {HARMLESS} → {HARMLESS}  ValueError: {HARMLESS}
 params     {HARMLESS}
            + {HARMLESS}  {HARMLESS}  {HARMLESS}
 stderr     │ ab\\x07
"""
    )


def test_a_message_is_bounded_also_on_a_pipe(show):
    shown = show()
    p = shown.program
    p.fail(p.node("Ask"), ValueError("x" * 100_000))
    prefix = " 0.00ms ✘ Ask                         ValueError: "
    assert shown.text.splitlines()[1] == prefix + "x" * (4096 - len("ValueError: ")) + "…"


class BrokenStream(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error
        self.writes = 0

    def write(self, text):
        self.writes += 1
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file"), KeyError("odd")])
def test_a_broken_stream_is_left_alone_from_then_on(make_program, error):
    stream = BrokenStream(error)
    console = LiveConsole(stream)
    p = make_program(console)
    small_program(p)
    console.shutdown()
    assert stream.writes == 1
    assert console.summary().startswith("  total ✘ 1 flow, 3 node visits in 35ms  1 error")


def test_a_write_inside_a_write_loses_only_its_line(make_program):
    stream = BrokenStream(RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>"))
    p = make_program(LiveConsole(stream))
    p.flow("Agent")
    p.flow("Agent")
    assert stream.writes == 2


def test_a_closed_pipe(make_program):
    reading, writing = os.pipe()
    os.close(reading)
    stream = io.TextIOWrapper(io.FileIO(writing, "w"), encoding="utf-8", write_through=True)
    console = LiveConsole(stream)
    small_program(make_program(console))
    console.shutdown()
    stream.close()


def test_a_stream_that_was_closed_before(make_program):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream.close()
    small_program(make_program(LiveConsole(stream)))


def test_a_stream_that_can_only_write(make_program):
    class Writer:
        def __init__(self):
            self.texts = []

        def write(self, text):
            self.texts.append(text)

        def flush(self):
            pass

    stream = Writer()
    make_program(LiveConsole(stream)).flow("Agent")
    assert stream.texts == ["        ▶ Agent\n"]


def test_no_stream_at_all(make_program, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    console = LiveConsole()
    small_program(make_program(console))
    console.shutdown()
    assert console.summary().startswith("  total ✘ 1 flow")


class Proxy(io.StringIO):
    def __init__(self, wrapped):
        super().__init__()
        self.__pocketflow_wrapped__ = wrapped


def test_lines_go_past_streams_that_capture_to_the_one_of_the_time(make_program, monkeypatch):
    real = io.StringIO()
    monkeypatch.setattr(sys, "stderr", Proxy(Proxy(real)))
    p = make_program(LiveConsole())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    p.flow("Agent")
    assert real.getvalue() == "        ▶ Agent\n"


def test_each_line_is_one_write_and_flushed(make_program):
    class Stream(io.StringIO):
        def __init__(self):
            super().__init__()
            self.calls = []

        def write(self, text):
            self.calls.append(text)
            return len(text)

        def flush(self):
            self.calls.append("flush")

    stream = Stream()
    p = make_program(LiveConsole(stream))
    p.end(p.flow("Agent"), 5)
    assert stream.calls == ["        ▶ Agent\n", "flush", "  5.0ms ✔ Agent\n", "flush"]
