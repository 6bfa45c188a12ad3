"""``validate``, ``schema`` and ``nodes``."""

import json

import jsonschema
import yaml

VALID = "workflow: probe\nnodes:\n  a: {type: template, with: {text: hi}}\n"
BROKEN = "workflow: probe\nnodes:\n  a: {type: tmplate}\n  b: {type: template, with: {txt: hi}}\n"


def test_validate_tells_each_fault_on_standard_error(shell):
    shell.write("good.yaml", VALID)
    shell.write("bad.yaml", BROKEN)

    outcome = shell.pocketflow_otel("validate", "good.yaml", "bad.yaml", "missing.yaml")

    assert (outcome.stdout, outcome.status) == ("", 2)
    lines = outcome.stderr.splitlines()
    assert lines[0] == "good.yaml: it can be run"
    assert lines[1].startswith("bad.yaml:3:13: nodes.a.type: there is no node type 'tmplate'; there are approve, ")
    assert lines[1].endswith("; did you mean 'template'?")
    assert lines[2:] == [
        "bad.yaml:4:30: nodes.b.with.txt: 'txt' is no field here; there are text; did you mean 'text'?",
        "bad.yaml: 2 faults",
        "missing.yaml: there is no such file",
        "missing.yaml: 1 fault",
    ]


def test_validate_is_content_with_what_can_be_run(shell):
    shell.write("good.yaml", VALID)

    outcome = shell.pocketflow_otel("validate", "good.yaml")

    assert (outcome.stdout, outcome.stderr, outcome.status) == ("", "good.yaml: it can be run\n", 0)


def test_validate_writes_faults_as_json(shell):
    shell.write("good.yaml", VALID)
    shell.write("bad.yaml", BROKEN)

    outcome = shell.pocketflow_otel("validate", "--json", "good.yaml", "bad.yaml")

    assert (outcome.stderr, outcome.status) == ("", 2)
    good, bad = json.loads(outcome.stdout)
    assert good == {"document": "good.yaml", "valid": True, "faults": []}
    assert (bad["document"], bad["valid"]) == ("bad.yaml", False)
    assert bad["faults"][1] == {
        "file": "bad.yaml",
        "line": 4,
        "column": 30,
        "path": "nodes.b.with.txt",
        "message": "'txt' is no field here; there are text",
        "near": "text",
    }


def test_schema_writes_a_schema_that_documents_fit(shell):
    outcome = shell.pocketflow_otel("schema")

    assert (outcome.stderr, outcome.status) == ("", 0)
    schema = json.loads(outcome.stdout)
    jsonschema.validate(yaml.safe_load(VALID), schema, jsonschema.Draft202012Validator)


def test_schema_writes_to_a_file(shell):
    outcome = shell.pocketflow_otel("schema", "--output", "flow.schema.json")

    assert (outcome.stdout, outcome.stderr, outcome.status) == ("", "", 0)
    assert json.loads((shell.directory / "flow.schema.json").read_text())["title"] == "Workflow"


def test_a_schema_may_be_read_by_whoever_may_read_new_files(shell):
    shell.write("plain.json", "{}")

    shell.pocketflow_otel("schema", "--output", "flow.schema.json")

    plain, schema = ((shell.directory / name).stat().st_mode for name in ("plain.json", "flow.schema.json"))
    assert schema == plain


def test_schema_tells_where_it_could_not_write(shell):
    outcome = shell.pocketflow_otel("schema", "--output", "gone/flow.schema.json")

    assert outcome.stderr == "pocketflow-otel: cannot write gone/flow.schema.json: No such file or directory\n"
    assert outcome.status == 1


def test_nodes_lists_types_with_what_they_do(shell):
    outcome = shell.pocketflow_otel("nodes")

    assert (outcome.stderr, outcome.status) == ("", 0)
    listed = dict(line.split(maxsplit=1) for line in outcome.stdout.splitlines()[:-1])
    assert listed["template"] == "Makes a text of others: references in it are filled in."
    assert listed["map"] == "Runs nodes for each item of a list."
    assert list(listed) == sorted(listed)


def test_nodes_explains_a_type_with_an_example_that_can_be_run(shell):
    outcome = shell.pocketflow_otel("nodes", "file.read")

    told, _, shown = outcome.stdout.partition("example:\n")
    assert told.startswith("file.read: Reads a file")
    assert "  path: text, required\n      The file; a relative path begins at the document's folder.\n" in told
    assert '  encoding: text, default "utf-8"\n' in told or "  encoding: " in told
    shell.write("flow.yaml", "\n".join(line.removeprefix("  ") for line in shown.splitlines()))
    assert shell.pocketflow_otel("validate", "flow.yaml").status == 0


def test_nodes_explains_a_class_beside_the_user(shell):
    code = "from pocketflow import Node\nclass Rank(Node):\n    'Ranks.'\n    def __init__(self, top: int): ...\n"
    shell.write("my_nodes.py", code)

    outcome = shell.pocketflow_otel("nodes", "my_nodes:Rank")

    assert outcome.stdout.startswith("my_nodes:Rank: Ranks.\n\nwith:\n  top: whole number, required\n")


LOUD = """
import os, sys
print("loading")
os.write(1, b"from C\\n")

def give(count: int) -> int:
    "Gives."
    return count
"""


def test_what_imported_modules_print_goes_to_standard_error(shell):
    shell.write("loud.py", LOUD)
    shell.write("flow.yaml", "workflow: w\nnodes:\n  a: {type: loud:give, with: {count: x}}\n")

    validated = shell.pocketflow_otel("validate", "--json", "flow.yaml")
    explained = shell.pocketflow_otel("nodes", "--json", "loud:give")

    assert json.loads(validated.stdout)[0]["faults"][0]["path"] == "nodes.a.with.count"
    assert json.loads(explained.stdout)["name"] == "loud:give"
    assert [sorted(one.stderr.splitlines()) for one in (validated, explained)] == [["from C", "loading"]] * 2


def test_nodes_tells_the_nearest_of_an_unknown_type(shell):
    outcome = shell.pocketflow_otel("nodes", "http.requst")

    assert (outcome.stdout, outcome.status) == ("", 2)
    assert outcome.stderr.endswith("did you mean 'http.request'?\n")


def without_openai(shell, *arguments):
    code = "import sys; sys.modules['openai'] = None; from pocketflow_otel.cli import main; main()"
    return shell.python("-c", code, *arguments)


def test_nodes_explains_a_type_whose_library_is_missing_and_says_what_installs_it(shell):
    outcome = without_openai(shell, "nodes", "llm.chat")

    assert outcome.stdout.startswith("llm.chat: Asks a language model, by OpenAI's chat completions API.\n\nwith:\n")
    assert "\n  model: text, required\n      The model.\n" in outcome.stdout
    assert outcome.stderr == "pocketflow-otel: llm.chat needs openai: pip install 'pocketflow-otel[llm]'\n"
    assert outcome.status == 2


def test_nodes_lists_a_type_whose_library_is_missing_with_what_it_does(shell):
    lines = without_openai(shell, "nodes").stdout.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("llm.chat "))

    assert lines[number].endswith("  Asks a language model, by OpenAI's chat completions API.")
    assert (
        lines[number + 1].split() == "cannot be used: llm.chat needs openai: pip install 'pocketflow-otel[llm]'".split()
    )
    assert {
        "name": "llm.chat",
        "summary": "Asks a language model, by OpenAI's chat completions API.",
        "unusable": "llm.chat needs openai: pip install 'pocketflow-otel[llm]'",
    } in json.loads(without_openai(shell, "nodes", "--json").stdout)


def test_nodes_writes_json(shell):
    outcome = shell.pocketflow_otel("nodes", "condition", "--json")

    told = json.loads(outcome.stdout)
    assert (told["name"], told["permission"]) == ("condition", None)
    assert told["with"]["required"] == ["cases"]
    assert {"name": "set", "summary": "Puts values into the run's store.", "unusable": None} in json.loads(
        shell.pocketflow_otel("nodes", "--json").stdout
    )
