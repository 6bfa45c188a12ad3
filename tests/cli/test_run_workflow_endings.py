"""However ``run FLOW.yaml`` ends: everything is closed and saved, nothing is half-written, and no child is left."""

import json
import signal
import socket
import threading

import psutil
import pytest

from backends.servers import wait_until
from cli.conftest import COMMAND, Outcome

NODES = """
import asyncio, signal, subprocess, threading, time

def waits(context):
    while not context.wait(0.05):
        pass
    return "ended"

def never_ends():
    subprocess.run(["sleep", "600"])

async def never_ends_elsewhere():
    await asyncio.to_thread(time.sleep, 600)

def is_signalled(context):
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    context.wait(10)

def fails():
    raise ValueError("no luck")

def large():
    return "x" * 1000
"""

WAITING = {
    "coroutine": {"type": "shell", "with": {"command": ["sleep", "600"]}},
    "thread": {"type": "parts:waits"},
}
TAKEN_BACK = {
    "first": {"type": "template", "with": {"text": "1"}, "undo": "back_first"},
    "second": {"type": "template", "with": {"text": "2"}, "needs": ["first"], "undo": "back_second"},
    "third": {"type": "parts:fails", "needs": ["second"]},
    "back_first": {"type": "file.write", "with": {"path": "back.txt", "content": "first\n", "mode": "append"}},
    "back_second": {"type": "file.write", "with": {"path": "back.txt", "content": "second\n", "mode": "append"}},
}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
LONGEST_SECONDS = 60


class Place:
    """A folder with a document, and the run's folder in it."""

    def __init__(self, shell):
        self.shell = shell
        self.run_dir = shell.directory / "kept"
        self.processes = []
        shell.write("parts.py", NODES)

    def document(self, nodes, **fields):
        self.shell.write("flow.json", json.dumps({"workflow": "probe", "nodes": nodes, **fields}))

    @property
    def command(self):
        return [
            *COMMAND,
            "run",
            "flow.json",
            "--run-dir",
            "kept",
            "--allow-shell",
            "--format",
            "json",
            "--exporter",
            "file",
        ]

    def start(self, *before):
        process = self.shell.start(*before, *self.command)
        self.processes.append(process)
        return process

    def run(self, *arguments, before=""):
        """Runs it to its end, after a command of the shell has made it harder."""
        command = self.command + list(arguments)
        if before:
            # What Python compiles is for all others as well, and would be cut under a limit of files; what coverage
            # saves would be too, and complained of.
            apart = "unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG; export PYTHONDONTWRITEBYTECODE=1"
            before = f"{before}; {apart}"
            command = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *command]
        with self.shell.start(*command) as process:
            stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
        return Outcome(stdout, stderr, process.returncode)

    def started(self, *nodes):
        """Whether nodes have started."""
        events = self.run_dir / "events.jsonl"
        lines = events.read_text().splitlines() if events.exists() else []
        told = [json.loads(line) for line in lines]
        return {one["node"] for one in told if one["kind"] == "node.started"} >= set(nodes)

    def saved(self):
        return json.loads((self.run_dir / "result.json").read_text())

    def events(self):
        return [json.loads(line) for line in (self.run_dir / "events.jsonl").read_text().splitlines()]

    def spans(self):
        return {
            span["name"]
            for file in self.shell.traces.glob("*.jsonl")
            for line in file.read_text().splitlines()
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        }

    def leftovers(self):
        """Files that are there only while others are written."""
        folders = [self.shell.directory, self.run_dir]
        return [
            path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.name.startswith(".")
        ]


@pytest.fixture
def place(shell):
    one = Place(shell)
    yield one
    for process in one.processes:
        # One that a failing test has left.
        process.kill()
        process.communicate()


def ended(process):
    stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
    return Outcome(stdout, stderr, process.returncode)


def started_by(process):
    """The processes that a run has started: a node that has begun is about to start one."""
    wait_until(lambda: psutil.Process(process.pid).children(recursive=True))
    return psutil.Process(process.pid).children(recursive=True)


def left_of(processes):
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_the_first_signal_ends_the_run_and_saves_it(place, number):
    place.document(
        {"first": {"type": "template", "with": {"text": "1"}, "undo": "back"}, **WAITING, "back": WAITING["thread"]}
    )
    process = place.start()
    wait_until(lambda: place.started(*WAITING))
    children = started_by(process)

    process.send_signal(number)
    outcome = ended(process)

    assert outcome.status == CODES[number]
    told = json.loads(outcome.stdout)
    assert told == place.saved()
    assert told["status"] == "interrupted"
    assert {node["node"]: node["status"] for node in told["nodes"]} == {
        "first": "succeeded",
        "coroutine": "cancelled",
        "thread": "succeeded",
    }
    # What is interrupted may be gone on with: nothing is taken back.
    assert told["undone"] == []
    assert place.events()[-1]["kind"] == "run.finished"
    assert "probe: interrupted after " in outcome.stderr
    assert place.spans() == {"invoke_workflow probe", *(f"invoke_node {name}" for name in ("first", *WAITING))}
    assert (left_of(children), place.leftovers()) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_second_signal_ends_the_process_at_once(place, number):
    place.document({"never": {"type": "parts:never_ends"}, "coroutine": WAITING["coroutine"]})
    process = place.start()
    parent = psutil.Process(process.pid)
    wait_until(lambda: len(parent.children()) == 2)
    children = parent.children()

    process.send_signal(number)
    # The command of the coroutine has ended; what the thread has started goes on.
    wait_until(lambda: len(left_of(children)) == 1)
    process.send_signal(number)
    outcome = ended(process)

    assert (outcome.status, outcome.stdout) == (CODES[number], "")
    assert not (place.run_dir / "result.json").exists()
    wait_until(lambda: not left_of(children))
    assert place.leftovers() == []


def test_a_signal_that_reaches_another_thread_than_the_main_one_ends_the_run(place):
    done = {"type": "template", "with": {"text": "done"}, "needs": ["first"]}
    place.document({"first": {"type": "parts:is_signalled"}, "second": done})

    outcome = place.run()

    assert (outcome.status, place.saved()["status"]) == (143, "interrupted")


def test_a_thread_that_a_coroutine_waits_for_is_left_behind(place):
    place.document({"never": {"type": "parts:never_ends_elsewhere"}})
    process = place.start()
    wait_until(lambda: place.started("never"))

    process.terminate()

    assert ended(process).status == 143
    assert place.saved()["nodes"][0]["status"] == "cancelled"


def test_a_thread_that_does_not_end_is_left_behind(place):
    place.document({"never": {"type": "parts:never_ends"}})
    process = place.start()
    wait_until(lambda: place.started("never"))
    children = started_by(process)

    process.terminate()
    outcome = ended(process)

    assert outcome.status == 143
    assert place.saved()["summary"]["abandoned_threads"] == 1
    assert "interrupted: what still runs has 5 seconds to end; a second signal ends it at once\n" in outcome.stderr
    assert "left behind, as it did not end in time: 1 node (never)" in outcome.stderr
    assert any(place.shell.traces.iterdir())
    wait_until(lambda: not left_of(children))


def test_a_signal_before_anything_runs_ends_it_quietly(place):
    place.shell.write("slowly.py", "import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(600)\n")
    place.document({"a": {"type": "slowly:anything"}})
    process = place.start()
    wait_until((place.shell.directory / "here").exists)

    process.send_signal(signal.SIGINT)

    assert ended(process) == Outcome("", "", 130)
    assert not place.run_dir.exists()


def test_a_signal_that_is_ignored_stays_ignored(place):
    place.document(
        {"pause": {"type": "shell", "with": {"command": ["sh", "-c", "until test -e go; do sleep 0.05; done"]}}}
    )
    process = place.start("nohup")
    wait_until(lambda: place.started("pause"))

    process.send_signal(signal.SIGHUP)
    (place.shell.directory / "go").touch()

    assert ended(process).status == 0


def test_a_node_that_fails_has_what_came_before_taken_back(place):
    place.document(TAKEN_BACK)

    outcome = place.run()

    assert outcome.status == 1
    assert (place.shell.directory / "back.txt").read_text() == "second\nfirst\n"
    assert place.saved() == json.loads(outcome.stdout)
    assert "probe: failed after " in outcome.stderr
    assert "third: ValueError: no luck" in outcome.stderr
    assert "taken back: back_second, back_first" in outcome.stderr
    assert {"invoke_node back_second", "invoke_node third"} <= place.spans()


def test_an_undo_that_fails_is_told_and_the_others_go_on(place):
    place.document(TAKEN_BACK | {"back_second": {"type": "parts:fails"}})

    outcome = place.run()

    assert outcome.status == 1
    assert (place.shell.directory / "back.txt").read_text() == "first\n"
    assert [(one["node"], one["status"]) for one in place.saved()["undone"]] == [
        ("back_second", "failed"),
        ("back_first", "succeeded"),
    ]
    assert "taken back: back_second (failed: no luck), back_first" in outcome.stderr


# Full disks.

SMALL = {"a": {"type": "template", "with": {"text": "small"}}}
LARGE = {f"n{number}": {"type": "parts:large"} for number in range(60)}


def test_a_result_that_does_not_fit_is_written_nowhere(place):
    """The file system takes files of 16 kB; the result is larger."""
    place.document(LARGE)

    outcome = place.run("--no-trace", before="ulimit -f 32")

    assert outcome.status == 1
    assert json.loads(outcome.stdout)["status"] == "succeeded"
    assert not (place.run_dir / "result.json").exists()
    assert "the result can't be saved" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    # Up to where there was room, each line is whole.
    assert place.events()[0]["kind"] == "run.started"
    assert place.leftovers() == []


def test_an_output_that_does_not_fit_leaves_the_old_one(place):
    place.document(LARGE)
    place.shell.write("out.json", "before")

    outcome = place.run("--no-trace", "--output", "out.json", before="ulimit -f 32")

    assert (outcome.status, outcome.stdout) == (1, "")
    assert (place.shell.directory / "out.json").read_text() == "before"
    assert "cannot write to out.json: File too large" in outcome.stderr
    assert place.leftovers() == []


@pytest.mark.parametrize("trace", ["--trace", "--no-trace"])
def test_a_full_device_is_told(place, trace):
    place.document(SMALL)

    outcome = place.run("--output", "/dev/full", trace)

    assert (outcome.status, outcome.stdout) == (1, "")
    assert "cannot write to /dev/full: No space left on device" in outcome.stderr
    assert place.saved()["status"] == "succeeded"


def test_a_standard_output_that_is_full_is_told(place):
    place.document(SMALL)

    outcome = place.run(before="exec >/dev/full")

    assert outcome.status == 1
    assert "cannot write to standard output: No space left on device" in outcome.stderr
    assert place.saved()["status"] == "succeeded"


def test_a_standard_output_that_is_closed_is_told(place):
    place.document({"a": {"type": "shell", "with": {"command": ["echo", "hello"]}}})

    outcome = place.run(before="exec >&-")

    assert outcome.status == 1
    assert "cannot write to standard output" in outcome.stderr
    assert place.saved()["nodes"][0]["output"]["stdout"] == "hello\n"


def test_a_standard_error_that_is_closed_changes_nothing(place):
    place.document({"a": {"type": "shell", "with": {"command": ["echo", "hello"]}}})

    outcome = place.run(before="exec 2>&-")

    assert (outcome.status, json.loads(outcome.stdout)["status"]) == (0, "succeeded")


def test_a_reader_that_goes_away_is_told(place):
    place.document(LARGE)

    outcome = place.run(before='exec 3>&1; "$@" 2>&3 | true; exit 0')

    assert "cannot write to standard output: Broken pipe" in outcome.stdout
    assert place.saved()["status"] == "succeeded"


def test_nothing_runs_where_the_folder_cannot_be_made(place):
    place.document({"a": {"type": "file.write", "with": {"path": "ran.txt", "content": "x"}}})
    place.run_dir.symlink_to("nowhere")

    outcome = place.run()

    assert (outcome.status, outcome.stdout) == (2, "")
    assert "the run's folder" in outcome.stderr
    assert "can't be made: File exists" in outcome.stderr
    assert not (place.shell.directory / "ran.txt").exists()


# Connections.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_an_unreachable_connection_fails_its_node(place):
    place.document(
        {"ask": {"type": "http.request", "with": {"connection": "@http.far", "url": "/x"}}},
        connections={"http.far": {"base_url": f"http://127.0.0.1:{free_port()}"}},
    )

    outcome = place.run()

    assert outcome.status == 1
    assert place.saved()["error"]["node"] == "ask"
    assert "probe: failed after " in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert {"invoke_workflow probe", "invoke_node ask"} <= place.spans()


def test_a_connection_is_closed_when_the_run_is_interrupted(place):
    """A server on this machine that never answers: it sees that nobody waits any more."""
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = threading.Event()

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                asked.set()
                while connection.recv(4096):
                    pass
                gone.set()

        thread = threading.Thread(target=serve)
        thread.start()
        place.document(
            {"ask": {"type": "http.request", "with": {"connection": "@http.near", "url": "/x"}}},
            connections={"http.near": {"base_url": f"http://127.0.0.1:{server.getsockname()[1]}"}},
        )
        process = place.start()
        assert asked.wait(LONGEST_SECONDS)

        process.send_signal(signal.SIGINT)

        assert ended(process).status == 130
        assert gone.wait(LONGEST_SECONDS)
        thread.join()
    assert place.saved()["status"] == "interrupted"
