"""``run FLOW.yaml``: a workflow document, from its command line to its result and exit code."""

import json
import re
import shutil
import stat
from pathlib import Path

import pytest

from backends.servers import wait_until
from cli.conftest import COMMAND
from pocketflow_otel.runtime.progress import Follower
from pocketflow_otel.runtime.running.events import Event

GREETING = """
workflow: greeting
description: Says hello.
inputs:
  name: {type: text, description: Whom to greet}
  times: {type: integer, default: 1}
  ratio: {type: number, default: 0.5}
  loud: {type: boolean, default: false}
  more: {type: list, default: []}
  about: {type: object, default: {}}
  thing: {default: null}
  token: {type: text, default: "", secret: true}
nodes:
  hello: {type: template, with: {text: "hello ${inputs.name}"}}
  given: {type: set, with: {values: {all: "${inputs}"}}}
outputs: {said: "${hello}", given: "${given.all}"}
"""

SAYING = """
workflow: saying
inputs: {text: {type: text, default: hello}}
nodes:
  say: {type: template, with: {text: "${inputs.text}"}}
"""

NODES = """
import os
import sys

def loud():
    print("from python")
    sys.stderr.write("from python, stderr\\n")
    os.system("echo from a child")
    os.write(1, b"from below\\n")
    return "quiet"

def fails():
    raise ValueError("no luck")

def counts(context):
    for done in range(3):
        context.progress(done, 3, "steps")
    return "counted"
"""

ASKING = """
workflow: asking
nodes:
  send: {type: approve, with: {prompt: "Send it?", by: file, choices: [send, keep]}}
  done: {type: template, with: {text: "${send.decision} ${send.by}"}}
"""


@pytest.fixture
def place(shell):
    shell.write("greeting.yaml", GREETING)
    shell.write("saying.yaml", SAYING)
    shell.write("asking.yaml", ASKING)
    shell.write("parts.py", NODES)
    return shell


def document(place, nodes, **fields):
    """A document of these nodes, in a file."""
    place.write("flow.json", json.dumps({"workflow": "probe", "nodes": nodes, **fields}))
    return "flow.json"


def run(place, *arguments, stdin=""):
    return place.pocketflow_otel("run", *arguments, stdin=stdin)


def plainly(place, *arguments, stdin=""):
    """Without a trace, which takes half a second."""
    return run(place, "--no-trace", *arguments, stdin=stdin)


def given(outcome):
    assert outcome.status == 0, outcome
    return json.loads(outcome.stdout)["outputs"]["given"]


def runs(place):
    return sorted((place.traces.parent / "runs").iterdir())


def spans(place):
    return [
        span["name"]
        for file in place.traces.glob("*.jsonl")
        for line in file.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


# The command line.


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-trace", "--input", "text=hi", "saying.yaml"],
        ["saying.yaml", "--input", "text=hi", "--no-trace"],
        ["--input=text=hi", "saying.yaml", "--no-trace", "--no-run-dir"],
        ["--no-trace", "--input", "text=hi", "--", "saying.yaml"],
    ],
    ids=["before", "after", "around", "dashes"],
)
def test_options_stand_before_and_after_the_document(place, arguments):
    outcome = run(place, *arguments)

    assert (outcome.stdout, outcome.status) == ("hi\n", 0)


@pytest.mark.parametrize("name", ["flow.yml", "flow.json", "FLOW.YAML", "deep/flow.yaml"])
def test_documents_are_known_by_their_names(place, name):
    place.write(name, json.dumps({"workflow": "w", "nodes": {"a": {"type": "template", "with": {"text": "x"}}}}))

    assert plainly(place, name).stdout == "x\n"


PROGRAM = "import sys; print(*sys.argv[1:])"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["program.py", "saying.yaml", "--input", "x"], "saying.yaml --input x\n"),
        (["--price-file", "prices.json", "program.py"], "\n"),
        (["-m", "program", "saying.yaml"], "saying.yaml\n"),
        (["-", "saying.yaml"], "saying.yaml\n"),
    ],
    ids=["script", "value-of-an-option", "module", "standard-input"],
)
def test_programs_stay_programs(place, arguments, printed):
    place.write("program.py", PROGRAM)
    place.write("prices.json", "{}")

    outcome = plainly(place, *arguments, stdin=PROGRAM)

    assert (outcome.stdout, outcome.status) == (printed, 0)


def test_unknown_options_are_told_with_those_of_documents(place):
    outcome = run(place, "--inputt", "text=hi", "saying.yaml")

    assert outcome.status == 2
    assert "--input" in outcome.stderr.replace("--inputt", "")


def test_help_tells_what_the_workflow_itself_is_given(place):
    outcome = run(place, "greeting.yaml", "--help")

    assert outcome.status == 0
    assert "--input-file" in outcome.stdout
    told = outcome.stdout[outcome.stdout.index("greeting.yaml: greeting") :]
    assert "  name   text, required\n         Whom to greet\n  times  integer, default 1\n" in told
    assert "token  text, default ***" in told
    assert "Says hello." in told


def test_help_bears_a_document_that_cannot_be_read(place):
    outcome = run(place, "missing.yaml", "--help")

    assert outcome.status == 0
    assert outcome.stdout.endswith(
        "missing.yaml can't be read:\n\n  missing.yaml: there is no such file; did you mean 'saying.yaml'?\n\n"
    )


# Inputs.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("times=7", 7),
        ("ratio=1e3", 1000.0),
        ("ratio=2", 2),
        ("loud=yes", True),
        ("loud=FALSE", False),
        ('more=[1, "a"]', [1, "a"]),
        ('about={"a": {"b": 1}}', {"a": {"b": 1}}),
        ("thing=12", 12),
        ("thing=twelve", "twelve"),
        ("name=a=b", "a=b"),
        ("name=", ""),
    ],
)
def test_texts_become_the_declared_kind_of_value(place, text, value):
    name = text.partition("=")[0]
    others = [] if name == "name" else ["--input", "name=Ada"]

    outcome = plainly(place, "greeting.yaml", "--input", text, *others, "--format", "json")

    found = given(outcome)[name]
    assert (found, type(found)) == (value, type(value))


def test_inputs_come_from_a_file_and_single_ones_go_before(place):
    place.write("inputs.yaml", "name: Ada\ntimes: 3\n")

    found = given(
        plainly(place, "greeting.yaml", "--input-file", "inputs.yaml", "--input", "times=4", "--format", "json")
    )

    assert (found["name"], found["times"], found["loud"]) == ("Ada", 4, False)


def test_inputs_come_from_standard_input(place):
    outcome = plainly(place, "greeting.yaml", "--input-file", "-", "--format", "json", stdin='{"name": "Grace"}')

    assert given(outcome)["name"] == "Grace"


def test_all_wrong_inputs_are_told_at_once(place):
    wrong = ["times=x", "ratio=nan", "loud=maybe", "more={}", "about=[", "nmae=Ada", "token=1"]

    outcome = run(place, "greeting.yaml", *(word for text in wrong for word in ("--input", text)))

    assert (outcome.stdout, outcome.status) == ("", 2)
    assert outcome.stderr.splitlines() == [
        "pocketflow-otel: input 'times': expected a whole number, not 'x'",
        "pocketflow-otel: input 'ratio': expected a number, not 'nan'",
        "pocketflow-otel: input 'loud': expected true or false, not 'maybe'",
        "pocketflow-otel: input 'more': expected a list as JSON, such as [1, 2], not '{}'",
        "pocketflow-otel: input 'about': expected a mapping as JSON, such as {\"a\": 1}, not '['",
        (
            "pocketflow-otel: input 'nmae' is unknown: there are name, times, ratio, loud, more, about, thing, token; "
            "did you mean 'name'?"
        ),
        "pocketflow-otel: input 'name' is missing: Whom to greet; expected text",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--input", "text"], "expected NAME=VALUE"),
        (["--input", "text=a", "--input", "text=b"], "'text' is given twice"),
        (["--input-file", "missing.yaml"], "missing.yaml: there is no such file"),
        (["--input-file", "parts.py"], "parts.py"),
        (["--format", "jsn"], "did you mean 'json'?"),
        (["--parallel", "0"], "'--parallel'"),
        (["--approve", "send=send"], "is no node of type approve"),
        (["--output", "missing/out.txt"], "there is no folder missing"),
        (["--run-dir", "here", "--no-run-dir"], "either a folder or none"),
        (["--no-trace", "--budget-usd", "1"], "budget"),
        (["--exporter", "consle"], "console"),
    ],
)
def test_a_command_line_that_makes_no_sense_runs_nothing(place, arguments, said):
    outcome = run(place, "saying.yaml", *arguments)

    assert (outcome.stdout, outcome.status) == ("", 2)
    assert said in " ".join(re.sub(r"[│╭╮╰╯─]", "", outcome.stderr).split())
    assert not (place.traces.parent / "runs").exists()


def test_a_broken_document_is_told_in_full(place):
    place.write("broken.yaml", "workflow: w\nnodes:\n  a: {type: tmplate}\n  b: {type: set, wth: {}}\n")

    outcome = run(place, "broken.yaml")

    assert (outcome.stdout, outcome.status) == ("", 2)
    assert [line.partition(": ")[0] for line in outcome.stderr.splitlines()] == [
        "broken.yaml:3:13",
        "broken.yaml:4:18",
    ]


def test_what_only_node_types_can_tell_is_told_before_anything_runs(place):
    outcome = run(place, document(place, {"a": {"type": "parts:missing"}}))

    assert (outcome.stdout, outcome.status) == ("", 2)
    assert re.fullmatch(r"flow.json:1:\d+: nodes.a.type: there is no 'missing' in parts\n", outcome.stderr)


@pytest.mark.parametrize("arguments", [[], ["--dry-run", "--format", "json"]], ids=["run", "dry-run"])
def test_what_modules_print_when_they_are_imported_is_no_result(place, arguments):
    place.write("talks.py", "import os\nprint('imported')\nos.system('echo by a child')\ndef speak(): return 'done'\n")

    outcome = plainly(place, document(place, {"a": {"type": "talks:speak"}}), *arguments)

    assert outcome.status == 0
    assert "imported" in outcome.stderr
    assert "by a child" in outcome.stderr
    assert json.loads(outcome.stdout)["outputs"] == ["a"] if arguments else outcome.stdout == "done\n"


def test_nodes_import_what_stands_beside_the_document(place):
    place.write("deep/beside.py", "word = 'found'\n")
    place.write(
        "deep/flow.yaml",
        "workflow: w\nnodes:\n  a: {type: python, with: {code: 'import beside; return beside.word'}}\n",
    )

    assert plainly(place, "deep/flow.yaml").stdout == "found\n"


# Results.


def test_a_single_text_is_written_as_it_is(place):
    assert plainly(place, "saying.yaml", "--input", "text=two\nlines\n").stdout == "two\nlines\n"


def test_several_outputs_are_written_by_name(place):
    flow = document(
        place, {"a": {"type": "template", "with": {"text": "x\ny"}}, "b": {"type": "set", "with": {"values": {"n": 1}}}}
    )

    assert plainly(place, flow).stdout == "a: |-\n  x\n  y\nb:\n  n: 1\n"


def test_json_tells_all_that_came_of_the_run(place):
    told = json.loads(plainly(place, "saying.yaml", "--format", "json").stdout)

    assert (told["workflow"], told["status"], told["outputs"]) == ("saying", "succeeded", {"say": "hello"})
    assert [(node["node"], node["status"], node["output"]) for node in told["nodes"]] == [("say", "succeeded", "hello")]
    assert (told["error"], told["problems"], told["summary"]["visits"]) == (None, [], 1)


def test_the_result_is_alone_on_standard_output(place):
    outcome = run(place, document(place, {"a": {"type": "parts:loud"}}))

    assert (outcome.stdout, outcome.status) == ("quiet\n", 0)
    lines = outcome.stderr.splitlines()
    for printed in ("from python", "from python, stderr", "from a child", "from below"):
        assert printed in lines
    assert "1 flow, 1 node visit" in outcome.stderr


def test_the_result_goes_into_a_file(place):
    outcome = plainly(place, "saying.yaml", "--output", "out.txt")

    assert (outcome.stdout, outcome.status) == ("", 0)
    assert (place.directory / "out.txt").read_text() == "hello\n"
    assert sorted(path.name for path in place.directory.iterdir() if path.is_file()) == [
        "asking.yaml",
        "greeting.yaml",
        "out.txt",
        "parts.py",
        "saying.yaml",
    ]


def test_a_secret_input_is_masked(place):
    outcome = plainly(
        place, "greeting.yaml", "--input", "name=Ada", "--input", "token=correct-horse-9", "--format", "json"
    )

    assert given(outcome)["token"] != "correct-horse-9"
    for file in [path for folder in runs(place) for path in folder.rglob("*") if path.is_file()]:
        assert "correct-horse-9" not in file.read_text()


def test_the_run_has_a_folder_of_its_own(place):
    outcome = plainly(place, "saying.yaml")

    (folder,) = runs(place)
    assert f"see {folder}" in outcome.stderr
    assert json.loads((folder / "result.json").read_text())["run_id"] == folder.name
    kinds = [json.loads(line)["kind"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert kinds == ["run.started", "node.started", "node.finished", "run.finished"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_folder_can_be_named_but_not_used_twice(place):
    first = plainly(place, "saying.yaml", "--run-dir", "kept")
    second = plainly(place, "saying.yaml", "--run-dir", "kept")

    assert (first.status, second.status) == (0, 2)
    assert "holds the result of another run" in " ".join(re.sub("[│]", "", second.stderr).split())
    assert (place.directory / "kept" / "result.json").is_file()


@pytest.mark.parametrize(
    ("file", "told"),
    [("events.jsonl", "holds another run, which goes on, or was killed"), ("notes.txt", "holds other files")],
)
def test_a_folder_that_is_in_use_is_no_runs_own(place, file, told):
    (place.directory / "kept").mkdir()
    (place.directory / "kept" / file).write_text("theirs\n")
    outcome = plainly(place, "saying.yaml", "--run-dir", "kept")

    assert outcome.status == 2
    assert f"kept {told}: name an empty folder, or a new one" in " ".join(re.sub("[│]", "", outcome.stderr).split())
    assert [path.name for path in (place.directory / "kept").iterdir()] == [file]


def test_a_file_is_no_runs_folder(place):
    place.write("kept", "theirs")
    outcome = plainly(place, "saying.yaml", "--run-dir", "kept")

    assert outcome.status == 2
    assert "kept is a file" in outcome.stderr


def test_an_empty_folder_is_taken(place):
    (place.directory / "kept").mkdir()

    assert plainly(place, "saying.yaml", "--run-dir", "kept").status == 0


def test_no_folder_is_made_where_none_is_wanted(place):
    outcome = plainly(place, "saying.yaml", "--no-run-dir")

    assert outcome.stderr.startswith("pocketflow-otel: saying: succeeded in ")
    assert not (place.traces.parent / "runs").exists()


def test_where_no_folder_is_wanted_it_is_told_where_files_were_left(place):
    node = {"type": "file.write", "with": {"artifact": "note.txt", "content": "kept"}}
    place.write("leaving.yaml", json.dumps({"workflow": "leaving", "nodes": {"note": node}}))

    outcome = plainly(place, "leaving.yaml", "--no-run-dir")

    folder = Path(outcome.stderr.rpartition("files that its nodes left are in ")[2].strip())
    assert (folder / "artifacts" / "note.txt").read_text() == "kept"
    shutil.rmtree(folder)


# Tracing.


def test_a_document_is_traced_as_a_program_is(place):
    outcome = run(place, "saying.yaml")

    assert sorted(spans(place)) == ["invoke_node say", "invoke_workflow saying"]
    assert f"tracing to files in {place.traces}, console; with content" in outcome.stderr
    assert "▶ saying" in outcome.stderr


def test_only_chosen_nodes_are_traced(place):
    run(place, "greeting.yaml", "--input", "name=Ada", "--trace-only", "greeting", "--trace-only", "giv*")

    assert sorted(spans(place)) == ["invoke_node given", "invoke_workflow greeting"]


def test_quiet_says_nothing_of_what_went_well(place):
    outcome = run(place, "saying.yaml", "--quiet")

    assert (outcome.stdout, outcome.stderr, outcome.status) == ("hello\n", "", 0)
    assert spans(place)


def test_traces_go_where_they_are_asked_to(place):
    run(place, "--trace-dir", "here", "saying.yaml", "--exporter", "file")

    assert len(list((place.directory / "here").glob("*.jsonl"))) == 1
    assert not place.traces.exists()


def test_a_budget_of_the_command_line_ends_the_run(place):
    outcome = run(place, "greeting.yaml", "--input", "name=Ada", "--parallel", "1", "--budget-visits", "1", "-q")

    assert outcome.status == 4
    assert "greeting: ended by a limit after " in outcome.stderr


# Decisions.


def test_a_decision_can_be_made_beforehand(place):
    outcome = plainly(place, "asking.yaml", "--approve", "send=keep")

    assert (outcome.stdout, outcome.status) == ("keep beforehand\n", 0)


def test_a_run_that_waits_for_nobody_tells_how_to_go_on(place):
    outcome = plainly(place, "asking.yaml", "--no-wait")

    assert (outcome.stdout, outcome.status) == ("", 5)
    first, second = outcome.stderr.splitlines()
    assert first.startswith("pocketflow-otel: asking: waits: send: Send it? (send or keep): ")
    assert "--approve send=send" in first
    assert second == "pocketflow-otel: once that is decided, run asking.yaml again"


def test_a_misspelt_decision_is_told_with_what_was_meant(place):
    outcome = plainly(place, "asking.yaml", "--approve", "sned=keep")

    assert outcome.status == 2
    assert "did you mean 'send'?" in " ".join(re.sub("[│]", "", outcome.stderr).split())


def test_a_decision_that_is_no_choice_is_told_before_anything_runs(place):
    outcome = plainly(place, "asking.yaml", "--approve", "send=kep")

    assert outcome.status == 2
    assert "send: expected send or keep, not 'kep'; did you mean 'keep'?" in " ".join(
        re.sub("[│]", "", outcome.stderr).split()
    )


def test_a_decision_can_be_waited_for_in_the_background(place):
    process = place.start(*COMMAND, "run", "--no-trace", "asking.yaml", "--run-dir", "kept")
    artifacts = place.directory / "kept" / "artifacts"
    wait_until(artifacts.is_dir)
    (artifacts / "send.1.decision").write_text("send")

    stdout, _ = process.communicate(timeout=60)

    assert (stdout, process.returncode) == ("send file\n", 0)


# Exit codes.

WAYS_TO_END = {
    "succeeded": (0, {"a": {"type": "set", "with": {"values": {"x": 1}}}}, {}),
    "failed": (1, {"a": {"type": "parts:fails"}}, {}),
    "degraded": (3, {"a": {"type": "parts:fails", "on_error": "continue", "fallback": "none"}}, {}),
    "limit": (
        4,
        {
            "a": {"type": "template", "with": {"text": "x"}, "visits": 2},
            "b": {"type": "template", "with": {"text": "x"}},
        },
        {"edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]},
    ),
}


@pytest.mark.parametrize("status", WAYS_TO_END)
def test_the_exit_code_tells_how_it_ended(place, status):
    code, nodes, fields = WAYS_TO_END[status]

    outcome = plainly(place, document(place, nodes, **fields), "--format", "json")

    assert outcome.status == code
    assert json.loads(outcome.stdout)["status"] == status


def test_a_failed_run_has_no_text_to_give(place):
    outcome = plainly(place, document(place, {"a": {"type": "parts:fails"}}), "--output", "out.txt")

    assert (outcome.stdout, outcome.status) == ("", 1)
    assert not (place.directory / "out.txt").exists()
    assert "probe: failed after " in outcome.stderr
    assert ": a: ValueError: no luck; see " in outcome.stderr


# The plan.


def test_a_dry_run_shows_the_plan_and_runs_nothing(place):
    place.environ["SET_HERE"] = "correct-horse-9"
    place.write(
        "plan.yaml",
        """
workflow: planned
inputs: {topic: {type: text, default: bees}, token: {type: text, default: correct-horse-9, secret: true}}
limits: {visits: 9, seconds: 60}
connections:
  openai.main: {base_url: "http://127.0.0.1:9/v1", api_key: "${env.SET_HERE}"}
  http.other: {base_url: "http://127.0.0.1:9", headers: {authorization: "${env.NOT_SET_HERE}"}}
nodes:
  a: {type: template, with: {text: x}, undo: back}
  b: {type: template, with: {text: x}, priority: 2, timeout: 1.5}
  c: {type: template, with: {text: "${a} ${b}"}, when: "a != ''", on_error: mend}
  each: {type: map, with: {over: [1, 2], parallel: 2, do: {one: {type: template, with: {text: "${item} ${c}"}}}}}
  back: {type: template, with: {text: x}}
  mend: {type: template, with: {text: x}}
outputs: {all: "${each}"}
""",
    )

    shown = run(place, "plan.yaml", "--dry-run", "--parallel", "3")
    told = json.loads(run(place, "plan.yaml", "--dry-run", "--parallel", "3", "--format", "json").stdout)

    assert (shown.stderr, shown.status) == ("", 0)
    assert told["waves"] == [["b", "a"], ["c"], ["each"]]
    assert (told["parallel"], told["limits"], told["outputs"]) == (3, {"visits": 9, "seconds": 60}, ["all"])
    assert [one["environment"] for one in told["connections"]] == [{"SET_HERE": True}, {"NOT_SET_HERE": False}]
    nodes = {node["name"]: node for node in told["nodes"]}
    assert nodes["c"]["waits_for"] == ["a", "b"]
    assert (nodes["a"]["undo"], nodes["c"]["on_error"], nodes["mend"]["role"]) == ("back", "mend", "handler or undo")
    assert nodes["each"]["holds"]["waves"] == [["one"]]
    assert "1., side by side\n   b (template); timeout 1.5 s; priority 2\n   a (template); undo back\n" in shown.stdout
    assert "  seconds: 60\n" in shown.stdout
    assert "c (template); after a, b; when a != ''; on error mend" in shown.stdout
    assert "@openai.main: SET_HERE is set" in shown.stdout
    assert "@http.other: NOT_SET_HERE IS NOT SET" in shown.stdout
    assert "correct-horse-9" not in shown.stdout + json.dumps(told)
    assert not (place.traces.parent / "runs").exists()


def test_a_dry_run_by_action_shows_where_actions_lead(place):
    nodes = {name: {"type": "template", "with": {"text": "x"}, "visits": 3} for name in "ab"}
    edges = [{"from": "a", "to": "b"}, {"from": "b", "action": "again", "to": "a"}, {"from": "b", "to": "end"}]

    outcome = run(place, document(place, nodes, edges=edges), "--dry-run")

    assert "begins at a\n   a (template); visits 3\n      default → b\n" in outcome.stdout
    assert "      again → a\n      default → end\n" in outcome.stdout


# Progress.


def test_progress_tells_of_what_runs_and_how_far_it_has_come():
    follower = Follower()
    for kind, node, at, data in (
        ("node.started", "each", (), None),
        ("node.progress", "each", (), {"done": 3, "total": 8, "unit": "items"}),
        ("node.started", "each.read", (3,), None),
        ("node.progress", "each.read", (3,), {"done": 1, "total": 2, "unit": "steps"}),
        ("node.started", "last", (), None),
        ("node.started", "other", (), None),
        ("node.finished", "other", (), None),
    ):
        follower.note(Event(kind, 0.0, "r", node, 1, at, data))

    assert follower.sentence(nodes=False) == "each 3 of 8 items"
    assert follower.sentence(nodes=True) == "1 node done, each 3 of 8 items, running: last"
    assert follower.furthest() == (3, 8)
