"""``run FLOW.yaml --step``: somebody at a terminal looks before each node, and decides."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

DOCUMENT = """
workflow: counted
nodes:
  text: {type: template, with: {text: "one two\\nthree"}}
  words: {type: python, with: {code: "return len(text.split())", args: {text: "${text}"}}}
  inside: {type: parallel, with: {do: {twice: {type: python, with: {code: "return 2 * n", args: {n: "${words}"}}}}}}
outputs: {twice: "${inside.twice}"}
"""


class Terminal:
    """A terminal with a person at it; standard output of what runs there goes elsewhere."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        (folder / "flow.yaml").write_text(DOCUMENT)
        self._person, theirs = pty.openpty()
        state = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder), "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pocketflow_otel.cli", "run", "flow.yaml", *arguments],
            cwd=folder,
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **state},
            start_new_session=True,
        )
        os.close(theirs)
        self._seen = ""

    def reads(self, text: str) -> str:
        """Waits until the person sees a text, and gives what came before it."""
        end = time.monotonic() + 60
        while text not in self._seen:
            assert time.monotonic() < end, self._seen
            if select.select([self._person], [], [], 0.1)[0]:
                self._seen += os.read(self._person, 4096).decode().replace("\r\n", "\n")
        before, _, self._seen = self._seen.partition(text)
        return before

    def types(self, line: str) -> None:
        os.write(self._person, f"{line}\n".encode())

    def end(self) -> tuple[int, str]:
        """The exit code, and what was written to standard output."""
        output, _ = self._process.communicate(timeout=60)
        os.close(self._person)
        return self._process.returncode, output


def test_somebody_looks_before_each_node_and_runs_it(tmp_path):
    terminal = Terminal(tmp_path, "--step", "--quiet")
    terminal.reads("next: text (template)\n  text: |-\n    one two\n    three\nEnter: run it")
    terminal.reads("\n> ")
    terminal.types("")
    terminal.reads(
        "next: words (python)\n  code: return len(text.split())\n  args:\n    text: |-\n      one two\n      three\n> "
    )
    terminal.types("what")
    terminal.reads("q: stop here\n> ")
    terminal.types("s")
    assert terminal.reads("\n> ").endswith("\n  text: |-\n    one two\n    three")
    terminal.types("u insid.twice")
    terminal.reads(
        "'insid.twice' is no node: there are text, words, inside, inside.twice; did you mean 'inside.twice'?\n> "
    )
    terminal.types("u inside.twice")
    terminal.reads("next: inside.twice (python)\n  code: return 2 * n\n  args:\n    n: 3\n")
    terminal.types("c")
    assert terminal.end() == (0, "twice: 6\n")


def test_a_run_may_begin_to_stop_at_a_node_and_be_ended_there(tmp_path):
    terminal = Terminal(tmp_path, "--step-at", "words", "--quiet", "--format", "json")
    assert "next: text" not in terminal.reads("next: words (python)")
    terminal.reads("> ")
    terminal.types("q")
    code, output = terminal.end()
    assert code == 130
    assert '"status": "interrupted"' in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--step"], "nobody can be asked: there is no terminal"),
        (
            ["--step-at", "wrds"],
            "'wrds' is no node: there are text, words, inside, inside.twice; did you mean 'words'?",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, arguments, told):
    (tmp_path / "flow.yaml").write_text(DOCUMENT)
    outcome = subprocess.run(
        [sys.executable, "-m", "pocketflow_otel.cli", "run", "flow.yaml", *arguments],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert told in " ".join(outcome.stderr.replace("│", "").split())
