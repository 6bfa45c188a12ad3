"""What the console shows of the examples while they run, and what a replay of their traces shows."""

import re

import pytest

from e2e.examples import CASES, EXAMPLES
from e2e.processes import SCRIPTS, Programs

COMMAND = str(SCRIPTS / "pocketflow-otel")
# Which line of two threads comes first is decided between the reading of a clock and the writing of a line.
IN_THREADS = {"threads", "fastapi_background"}
DECIDED_BY_ORDER = re.compile(r"(?:\S+(?: #\d+)? › )+|(?<=Flow) #\d+|^  trace")  # noqa: RUF001 - the console's


def in_any_order(lines: list[str]) -> list[str]:
    """Lines sorted, without what depends on those before them, such as the flow and the column of the rest."""
    return sorted(" ".join(DECIDED_BY_ORDER.sub("", line).split()) for line in lines)


@pytest.mark.parametrize("name", [name for name in CASES if "revised" not in name])
def test_a_replay_shows_what_the_console_showed(name, tmp_path):
    case = CASES[name]
    programs = Programs(tmp_path)
    script = str(EXAMPLES / f"{case.example}.py")
    ran = programs.run("--verbosity", "verbose", script, stdin=case.stdin, PYTHONWARNINGS="ignore")
    ids = [trace.trace_id for trace in programs.read()]
    replayed = programs.finish(COMMAND, "replay", *ids, "--speed", "0", "--verbosity", "verbose")
    assert (replayed.status, replayed.stderr) == (0, "")
    live = [line for line in ran.stderr.splitlines() if not line.startswith(("pocketflow-otel: ", "   note "))]
    shown = replayed.stdout.splitlines()
    if case.example in IN_THREADS:
        live, shown = in_any_order(live), in_any_order(shown)
    assert shown == live
