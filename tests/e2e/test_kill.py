"""A program under `run` is killed: what had ended is in its trace file, and what was open shows as unfinished."""

import random
from itertools import pairwise

import pytest

from e2e.processes import run_command
from pocketflow_otel.traces.reader import TraceState

PROGRAM = """
import os
from pocketflow import Flow, Node

class Step(Node):
    def prep(self, shared):
        # Past the end of the node before this one; straight to the pipe, so that nothing is held back.
        os.write(1, f"{shared['begun']}\\n".encode())
        shared["begun"] += 1

    def post(self, shared, prep_res, exec_res):
        shared["results"].append(f"result {shared['begun']}")

class Round(Flow):
    pass

first, second = Step(), Step()
rounds = Round(start=second)
first >> rounds >> first
Flow(start=first).run({"begun": 0, "results": []})
"""
MOST_READ = 400


def kill_at_random(programs, seed: int) -> None:
    """Kills the program after a random number of steps, and compares its trace with what it has told of."""
    programs.write("program.py", PROGRAM)
    wanted = random.Random(seed).randrange(1, MOST_READ)
    with programs.start(*run_command("--quiet", "program.py"), OTEL_TRACES_EXPORTER="file") as process:
        told = [process.stdout.readline() for _ in range(wanted)]
        process.kill()
        told += process.stdout.readlines()
    ended = int([line for line in told if line.endswith("\n")][-1])

    (trace,) = programs.read()
    assert (trace.state, trace.torn_lines) == (TraceState.CRASHED, 0)
    steps = [span for span in trace.spans if span.name == "invoke_node Step"]
    finished = [span.finished for span in steps]
    # The last of them may have ended without a word, and the one after it may have begun.
    assert len(steps) in (ended + 1, ended + 2)
    assert all(finished[:ended])
    assert all(finished[:-1])
    # In one thread, what is open is a chain from the outermost flow down.
    open_spans = [span for span in trace.spans if not span.finished]
    assert [span.name for span in open_spans] in (
        ["invoke_workflow Flow"],
        ["invoke_workflow Flow", "invoke_node Step"],
        ["invoke_workflow Flow", "invoke_workflow Round"],
        ["invoke_workflow Flow", "invoke_workflow Round", "invoke_node Step"],
    )
    assert all(below.parent_span_id == above.span_id for above, below in pairwise(open_spans))


@pytest.mark.parametrize("seed", range(10))
def test_nothing_that_had_ended_is_lost(programs, seed):
    kill_at_random(programs, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 110))
def test_nothing_that_had_ended_is_ever_lost(programs, seed):
    kill_at_random(programs, seed)
