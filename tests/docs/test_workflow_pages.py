"""What the pages about workflows say is so: documents are valid and run, commands work, output is real."""

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import console, workspace
from docs.pages import ROOT, Block, read_page, read_pages
from docs.workspace import Workspace
from pocketflow_otel.runtime.nodes.approve import NODE_TYPE as APPROVE
from pocketflow_otel.runtime.registry.registry import Registry

BLOCKS = [block for page in read_pages() if page.name.startswith("docs/workflows") for block in page.blocks]
NODE_TYPES = read_page(ROOT / "docs/workflows/node-types.md")
WRONG = "wrong.yaml"
"""Shows what is told of a document that cannot be run."""
FAILS = {"undone.yaml": 1}
"""Documents that show how a run fails, and its exit code."""
OUTSIDE = re.compile(r"example\.com")
"""What is on other machines is checked, and not run."""
RECIPES = "docs/workflows/recipes.md"
"""Its documents need servers: `test_recipes` runs them."""
TROUBLE = re.compile(r"Traceback|ignored|unknown|not traced")


def of_kind(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


def each(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=str)


DOCUMENTS = [block for block in of_kind("yaml") if block.file_name != WRONG]


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """A user's place with the files of the example workflows, who has installed all extras."""
    made = workspace.make(tmp_path.resolve())
    del made.environ["PYTHONPATH"]
    shutil.copytree(ROOT / "examples/workflows/notes", made.directory / "notes")
    shutil.copy(ROOT / "examples/workflows/orders.csv", made.directory)
    (made.directory / "inputs.json").write_text('{"name": "Cleo"}')
    return made


def written(block: Block, place: Workspace) -> Path:
    """The document of a block, with the line that some leave out."""
    text = block.text if re.search(r"^workflow:", block.text, re.MULTILINE) else f"workflow: example\n{block.text}"
    path = place.directory / (block.file_name or "shown.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def decisions(document: dict[str, Any]) -> list[str]:
    asked = [(name, node["with"]) for name, node in document["nodes"].items() if node["type"] == APPROVE.name]
    return [f"--approve {name}={given['choices'][0]}" for name, given in asked]


@each(DOCUMENTS)
def test_documents_can_be_run(block: Block, place: Workspace):
    outcome = place.shell(f"pocketflow-otel validate {written(block, place).name}")
    assert outcome.status == 0, outcome.stderr


@each([block for block in DOCUMENTS if block.page != RECIPES and not OUTSIDE.search(block.text)])
def test_documents_run(block: Block, place: Workspace):
    path = written(block, place)
    options = ["--quiet", "--allow-shell", *decisions(yaml.safe_load(path.read_text(encoding="utf-8")))]
    command = f"pocketflow-otel run {path.name} {' '.join(options)}"
    outcome = place.shell(f"python examples/workflows/offline_llm.py {command}")
    degraded = 3 if "on_error" in block.text and "map" not in block.text else 0
    assert outcome.status == FAILS.get(path.name, degraded), outcome
    assert bool(outcome.stdout) == (path.name not in FAILS)


@each(of_kind("sh"))
def test_commands_run(block: Block, place: Workspace):
    outcome = place.shell(block.text)
    assert outcome.status == 0, outcome
    assert TROUBLE.search(outcome.stderr) is None, outcome.stderr


@each(of_kind("python"))
def test_programs_run(block: Block, place: Workspace):
    outcome = place.python(block.text)
    assert (outcome.status, outcome.stderr) == (0, "")


@each(of_kind("console"))
def test_output_is_what_is_printed(block: Block, place: Workspace):
    command, _, shown = block.text.partition("\n")
    console.assert_shown(shown, console.plain(place.terminal(command.removeprefix("$ "))))


def test_what_packages_add_is_known(place: Workspace):
    """Entry points, as the pages declare them, of a package that holds the pages' modules."""
    package = place.directory / "my_nodes-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: my-nodes\nVersion: 1\n")
    declared = [tomllib.loads(block.text)["project"]["entry-points"] for block in of_kind("toml")]
    sections = [(group, entries) for groups in declared for group, entries in groups.items()]
    (package / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name}={at}\n" for name, at in entries.items()) for group, entries in sections
        )
    )
    place.environ |= {"PYTHONPATH": str(place.directory), "QUEUE_PASSWORD": "not told"}
    (place.directory / "queued.yaml").write_text(
        """
workflow: queued
connections: {queue.main: {path: orders.txt, password: "${env.QUEUE_PASSWORD}"}}
nodes:
  rank: {type: text.rank, with: {words: [bee, moss]}}
  push: {type: "my_families:push", with: {text: "${rank | join(' ')}"}}
"""
    )
    outcome = place.shell("pocketflow-otel run queued.yaml --quiet")
    assert outcome.status == 0, outcome
    assert (place.directory / "orders.txt").read_text() == "moss bee\n"


def test_page_names_what_each_type_gives():
    """Whatever a cell says is given is in the type's own words, as `nodes TYPE` tells them."""
    registry = Registry()
    rows = re.findall(r"^\| (`.+?`.*?) \| .+? \| (.+?) \| (.*?) ?\|$", NODE_TYPES.prose, re.MULTILINE)
    told = {name: gives for names, gives, _ in rows for name in re.findall(r"`([\w.]+)`", names)}
    assert told.keys() == set(registry.names())
    for name, gives in told.items():
        words = set(re.findall(r"\w+", registry.get(name).output))
        assert set(re.findall(r"`(\w+)`", gives)) - {"fetch"} <= words, name


ORDER = "import dataclasses\nOrder = dataclasses.make_dataclass('Order', ['id'])\nreturn Order(3)"
TROUBLES: dict[str, dict[str, Any] | str] = {
    "it is no YAML": "workflow: w\nnodes:\n  a: {type: template, with: {text: ${b}}}\n",
    "this can't be read": {"a": {"type": "template", "when": "${run.id} == 1", "with": {"text": ""}}},
    "true or false was expected as the result": {"a": {"type": "template", "when": "run.id", "with": {"text": ""}}},
    "is looked up in a value of type null": {
        "a": {"type": "python", "with": {"code": "return None"}},
        "b": {"type": "template", "with": {"text": "${a.body}"}},
    },
    "is looked up in a value of type Order": {
        "a": {"type": "python", "with": {"code": ORDER}},
        "b": {"type": "template", "with": {"text": "${a.id}"}},
    },
    "there is no such file": {"a": {"type": "file.read", "with": {"path": "none.txt"}}},
    "a table was expected": {
        "a": {"type": "table.read", "with": {"path": "orders.csv"}},
        "b": {"type": "table.write", "with": {"data": "${a}", "path": "copy.csv"}},
    },
    "has this name too, and both are keys of the store": (
        "workflow: w\ninputs: {a: {type: any, default: 1}}\nnodes: {a: {type: template, with: {text: x}}}\n"
    ),
}


def test_every_trouble_is_shown():
    section = read_page(ROOT / "docs/troubleshooting.md").prose.partition("## Workflows")[2].partition("## ")[0]
    assert {row[1] for row in re.finditer(r"^\| `([^`]+)`", section, re.MULTILINE)} == set(TROUBLES)


@pytest.mark.parametrize("said", TROUBLES)
def test_troubles_are_told_in_the_words_of_the_page(said: str, place: Workspace):
    shown = TROUBLES[said]
    text = shown if isinstance(shown, str) else json.dumps({"workflow": "w", "nodes": shown})
    name = "trouble.yaml" if isinstance(shown, str) else "trouble.json"
    (place.directory / name).write_text(text)
    assert said in place.shell(f"pocketflow-otel run {name} --quiet || true").stderr
