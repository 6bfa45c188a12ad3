"""Programs of several kinds, under ``opentelemetry-instrument`` and under `run`: traced as far as there is a flow."""

import signal
import sys
from pathlib import Path

import pocketflow
import pytest

from e2e.agent import OUTLINE, OUTPUT, SOURCE
from e2e.outline import outline
from e2e.processes import instrument_command, run_command
from pocketflow_otel.traces.reader import TraceState

WAYS = pytest.mark.parametrize("way", ["instrument", "run"])


@WAYS
@pytest.mark.parametrize("imported", ["from myapp.pocketflow import", "from myapp import"])
def test_a_vendored_copy_is_traced_wherever_it_is_imported(programs, way, imported):
    """The installed package is hidden, so that the copy is all there is."""
    programs.write("myapp/pocketflow.py", Path(pocketflow.__file__).read_text())
    programs.write("myapp/__init__.py", "from myapp.pocketflow import BatchNode, Flow, Node\n")
    hidden = "import sys\nsys.modules['pocketflow'] = None\n"
    programs.write("program.py", hidden + SOURCE.replace("from pocketflow import", imported))

    outcome = getattr(programs, way)("program.py")

    assert outcome.seen == (OUTPUT, 0)
    assert [outline(trace) for trace in programs.read()] == [OUTLINE]


@WAYS
@pytest.mark.parametrize("command", [("program.py",), ("-m", "program")], ids=["script", "module"])
def test_a_program_may_hold_pocketflow_in_its_own_file(programs, way, command):
    ours = SOURCE.replace("from pocketflow import BatchNode, Flow, Node\n", "")
    assert ours != SOURCE
    hidden = "import sys\nsys.modules['pocketflow'] = None\n"
    programs.write("program.py", hidden + Path(pocketflow.__file__).read_text() + "\n" + ours)

    outcome = getattr(programs, way)(*command)

    assert outcome.seen == (OUTPUT, 0)
    assert [outline(trace) for trace in programs.read()] == [OUTLINE]


@WAYS
def test_a_program_without_pocketflow_is_left_alone(programs, way):
    programs.write("program.py", "import sys\nprint('pocketflow' in sys.modules)\nsys.exit(3)\n")

    outcome = getattr(programs, way)("program.py")

    assert outcome.seen == ("False\n", 3)
    assert outcome.stderr.splitlines()[1:] == (["pocketflow-otel: no PocketFlow flow ran"] if way == "run" else [])
    assert programs.read() == []


PREFORK = """
import os
from pocketflow import Flow, Node

class Handle(Node):
    def exec(self, prep_res):
        return os.getpid()

    def post(self, shared, prep_res, exec_res):
        shared["handled_by"] = exec_res

class Worker(Flow):
    pass

def serve(requests):
    for request in requests:
        shared = {"request": request}
        Worker(start=Handle()).run(shared)
        assert shared["handled_by"] == os.getpid()

flow = Worker(start=Handle())
flow.run({"request": "before the fork"})
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        serve([f"{number}.{each}" for each in range(2)])
        raise SystemExit(number)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
flow.run({"request": "after the fork"})
"""


@WAYS
def test_workers_forked_after_set_up_have_traces_of_their_own(programs, way):
    programs.write("server.py", PREFORK)

    outcome = getattr(programs, way)(
        "server.py", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true", OTEL_BSP_SCHEDULE_DELAY="60000"
    )

    assert outcome.seen == ("[0, 1, 2]\n", 0)
    traces = programs.read()
    handled = {trace.roots()[0].attributes["input.value"]: trace for trace in traces}
    requests = ["before the fork", *(f"{number}.{each}" for number in range(3) for each in range(2)), "after the fork"]
    assert sorted(handled) == sorted(f'{{"request":"{request}"}}' for request in requests)
    assert [outline(trace) for trace in traces] == [
        "invoke_workflow Worker -> default +handled_by\n  invoke_node Handle #1 -> default +handled_by"
    ] * len(requests)
    assert {trace.state for trace in traces} == {TraceState.FINISHED}


def test_a_flow_open_at_the_fork_is_the_parents(programs):
    programs.write(
        "program.py",
        """
import os
from pocketflow import Flow, Node

class Fork(Node):
    def exec(self, prep_res):
        child = os.fork()
        if child == 0:
            Flow(start=Inside()).run({})
            raise SystemExit
        return os.waitpid(child, 0)[1]

class Inside(Node):
    pass

Flow(start=Fork()).run({})
""",
    )

    assert programs.run("--quiet", "program.py").seen == ("", 0)

    (trace,) = programs.read()
    assert trace.path.read_text().count('"spanId"') == len(trace.spans) == 4
    assert outline(trace).splitlines() == [
        "invoke_workflow Flow -> default",
        "  invoke_node Fork #1 -> default",
        "    invoke_workflow Flow -> default",
        "      invoke_node Inside #1 -> default",
    ]


WAITING = """
import sys
from pocketflow import Flow, Node

class Ended(Node):
    pass

class Wait(Node):
    def exec(self, prep_res):
        print("waiting", flush=True)
        return sys.stdin.readline()

ended = Ended()
ended >> Wait()
Flow(start=ended).run({})
"""

INTERRUPTED = """\
invoke_workflow Flow KeyboardInterrupt
  invoke_node Ended #1 -> default -> Wait
  invoke_node Wait #1 KeyboardInterrupt"""


class TestJournalOfTheNamedExporter:
    """Behind the SDK's batch processor: what has ended is listed as open until it has been exported."""

    OPEN = """\
invoke_workflow Flow (unfinished)
  invoke_node Ended #1 (unfinished)
  invoke_node Wait #1 (unfinished)"""

    ENDED = """\
invoke_workflow Flow -> default
  invoke_node Ended #1 -> default -> Wait
  invoke_node Wait #1 -> default"""

    def start(self, programs):
        programs.write("program.py", WAITING)
        process = programs.start(*instrument_command("program.py"), stdin=-1, OTEL_BSP_SCHEDULE_DELAY="60000")
        assert process.stdout.readline() == "waiting\n"
        return process

    def test_a_running_program_shows(self, programs):
        with self.start(programs) as process:
            (trace,) = programs.read()
            process.communicate("go on\n")

        assert (trace.state, outline(trace)) == (TraceState.RUNNING, self.OPEN)
        (trace,) = programs.read()
        assert (trace.state, outline(trace)) == (
            TraceState.FINISHED,
            self.ENDED,
        )
        assert list(programs.traces.glob("*.open")) == []

    def test_a_killed_one_is_told_from_it(self, programs):
        with self.start(programs) as process:
            process.kill()

        (trace,) = programs.read()
        assert (trace.state, outline(trace)) == (TraceState.CRASHED, self.OPEN)


@pytest.mark.parametrize("command", [instrument_command, run_command])
def test_an_interrupted_program_ends_as_ever_and_its_trace_is_whole(programs, command):
    programs.write("program.py", WAITING)
    with programs.start(sys.executable, "program.py", stdin=-1) as plain:
        assert plain.stdout.readline() == "waiting\n"
        plain.send_signal(signal.SIGINT)
        plain.communicate()

    with programs.start(*command("program.py"), stdin=-1) as process:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()

    assert (stdout, process.returncode) == ("", plain.returncode)
    assert "KeyboardInterrupt" in stderr
    (trace,) = programs.read()
    assert (trace.state, outline(trace)) == (
        TraceState.FINISHED,
        INTERRUPTED,
    )
