"""What the documentation says is so: its commands and programs run, its output is real, its tables are the code's."""

import importlib.util
import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import opentelemetry.environment_variables as api_variables
import opentelemetry.instrumentation.environment_variables as instrumentation_variables
import opentelemetry.sdk.environment_variables as sdk_variables
import pytest
import typer.main
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from docs import console, options_table, picture, receiver, workspace
from docs.pages import ROOT, Block, Page, read_page, read_pages
from docs.receiver import Receiver
from docs.workspace import Outcome, Workspace
from pocketflow_otel import semconv
from pocketflow_otel.cli.app import app
from pocketflow_otel.export import otlp
from pocketflow_otel.llm import clients
from pocketflow_otel.llm.price_table import PriceTable
from pocketflow_otel.options import CONTENT_ENV, FIELDS, environment_variable

PAGES = read_pages()
BLOCKS = [block for page in PAGES for block in page.blocks]
OTLP_HERE = "localhost:4318"
KINDS = ("sh", "console", "python", "yaml", "toml")
SETS_UP = ("pip install ", "uv add ", "docker run ", "docker compose ", "python3 dev.py ")
# Their blocks are run by `tests/backends`, with the backends themselves, and by `test_workflow_pages`.
ELSEWHERE = ("docs/backends/", "docs/workflows")
TROUBLE = re.compile(
    r"Traceback|your program goes on|untraced|ignored|unknown (option|exporter)|Skipping|Failed to export|not traced"
)
SENDS = re.compile(r"(?<!--format )(?:jaeger|otlp)|OTLP|4318")
# What is run to see these files at work; all others are run as they are, or by a block of their page.
HARNESSES = {
    "gunicorn.conf.py": "\npost_fork(None, None)\nimport my_program\n",
    "tasks.py": "\nset_up()\nask()\nsend_rest()\n",
    # Frozen once it has returned.
    "handler.py": "\nhandler({}, None)\nimport os\nos._exit(0)\n",
    "web.py": "\nfrom fastapi.testclient import TestClient\nwith TestClient(app) as client:\n    client.post('/ask')\n",
}
MANIFEST = "deployment.yaml"


def commands(script: str) -> list[str]:
    """The commands of a script, each on one line, without comments."""
    lines = script.replace("\\\n", " ").splitlines()
    return [" ".join(shlex.split(line, comments=True)) for line in lines if shlex.split(line, comments=True)]


def sets_up(block: Block) -> bool:
    """Whether a block prepares the machine, which no test may do."""
    return block.kind == "sh" and all(command.startswith(SETS_UP) for command in commands(block.text))


def of_kind(kind: str) -> list[Block]:
    here = [block for block in BLOCKS if not block.page.startswith(ELSEWHERE)]
    return [block for block in here if block.kind == kind and not sets_up(block)]


def each(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=str)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return workspace.make(tmp_path.resolve())


@pytest.fixture
def received() -> Iterator[Receiver]:
    with receiver.receiving() as one:
        yield one


@pytest.fixture
def attempt(place: Workspace, received: Receiver) -> Callable[[Block, str], Outcome]:
    """Runs a block that is to work, with the receiver of this test where it speaks of one on this machine."""

    def run(block: Block, text: str) -> Outcome:
        for file in place.directory.glob("*.yaml"):
            file.write_text(file.read_text().replace(OTLP_HERE, received.address))
        text = text.replace(OTLP_HERE, received.address)
        sends = SENDS.search(text) or "OTEL_CONFIG_FILE" in text
        launched = "opentelemetry-instrument" in text
        if sends or launched:
            place.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
            if received.address not in text:
                place.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{received.address}"
        outcome = place.shell(text) if block.kind == "sh" else place.python(text)
        assert outcome.status == 0, outcome
        assert TROUBLE.search(outcome.stderr) is None, outcome.stderr
        assert not sends or received.spans
        return outcome

    return run


# Commands and programs.


def test_every_block_is_of_a_kind_that_is_checked():
    assert [str(block) for block in BLOCKS if block.kind not in KINDS] == []


def test_machine_is_prepared_by_whole_blocks_only():
    mixed = [
        str(block)
        for block in BLOCKS
        if block.kind == "sh" and not sets_up(block) and any(line.startswith(SETS_UP) for line in commands(block.text))
    ]
    assert mixed == []


@each(of_kind("sh"))
def test_commands_run(block: Block, attempt: Callable[[Block, str], Outcome]):
    attempt(block, block.text)


@each([block for block in of_kind("python") if block.file_name not in ("spans.py", *HARNESSES)])
def test_programs_run(block: Block, attempt: Callable[[Block, str], Outcome]):
    attempt(block, block.text)


@pytest.mark.parametrize("name", HARNESSES)
def test_files_for_other_programs_work(name: str, attempt: Callable[[Block, str], Outcome]):
    block = next(block for block in BLOCKS if block.file_name == name)
    attempt(block, block.text + HARNESSES[name])


def test_program_that_reads_a_trace_file_tells_every_span(place: Workspace):
    block = next(block for block in of_kind("sh") if "spans.py" in block.text)
    told = place.shell(block.text).stdout
    assert re.findall(r"ms  (.+)", told) == [
        "invoke_node Ask",
        "attempt",
        "attempt",
        "invoke_node Answer",
        "invoke_workflow Flow",
    ]


@each(of_kind("console"))
def test_output_is_what_is_printed(block: Block, place: Workspace):
    command, _, shown = block.text.partition("\n")
    assert command.startswith("$ ")
    console.assert_shown(shown, console.plain(place.terminal(command.removeprefix("$ "))))


def test_picture_of_the_demo_is_what_it_prints(place: Workspace):
    shown = picture.shown_in(picture.DEMO.read_text(encoding="utf-8"))
    real = console.plain(place.terminal(picture.COMMAND))
    assert console.masked(shown) == console.masked(f"$ {picture.COMMAND}\n{real}".rstrip("\n"))


@each([block for block in of_kind("yaml") if block.file_name != MANIFEST])
def test_configuration_file_takes_effect(block: Block, place: Workspace, attempt: Callable[[Block, str], Outcome]):
    run = Block(block.page, block.line, "sh", "")
    attempt(run, f"OTEL_CONFIG_FILE={block.file_name} opentelemetry-instrument python my_program.py")
    (trace,) = (place.directory / "traces").glob("*.jsonl")
    written = trace.read_text(encoding="utf-8")
    assert '"service.name","value":{"stringValue":"my-agent"}' in written
    assert '"pocketflow.store.value.question"' in written


def test_manifest_starts_a_program_that_tells_its_pod(place: Workspace, received: Receiver):
    block = next(block for block in BLOCKS if block.file_name == MANIFEST)
    (container,) = yaml.safe_load(block.text)["spec"]["template"]["spec"]["containers"]
    fields = {"metadata.name": "my-agent-7d4f", "metadata.namespace": "agents", "status.hostIP": "127.0.0.1"}
    environ: dict[str, str] = {}
    for variable in container["env"]:
        value = variable.get("value") or fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        environ[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: environ[match[1]], value)
    assert environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    place.environ |= environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{received.address}"}

    outcome = place.shell(shlex.join(container["command"]))

    assert (outcome.status, outcome.stderr) == (0, "")
    request = ExportTraceServiceRequest.FromString(received.spans[0])
    told = {attribute.key: attribute.value.string_value for attribute in request.resource_spans[0].resource.attributes}
    assert told.items() >= {
        ("service.name", "my-agent"),
        ("service.version", "1.0"),
        ("k8s.pod.name", "my-agent-7d4f"),
        ("k8s.namespace.name", "agents"),
    }


@each(of_kind("toml"))
def test_price_file_holds_prices(block: Block, place: Workspace):
    prices = PriceTable.load(place.directory / block.file_name)
    assert prices.find(None, "my-llama") is not None
    assert prices.find("openai", "acme/large") is not None


@pytest.mark.parametrize(
    "command",
    [code for code in read_page(ROOT / "examples/README.md").inline_code if "examples/" in code and " " in code],
)
def test_examples_run_as_their_readme_says(command: str, place: Workspace):
    command = command.replace("<file>", "map_reduce")
    outcome = place.shell(command)
    assert outcome.status == 0, outcome
    assert TROUBLE.search(outcome.stderr) is None, outcome.stderr
    assert ("1 flow" in outcome.stderr or "flows," in outcome.stderr) == ("pocketflow-otel" in command)


# What prepares the machine.


def prepared(prefix: str) -> list[str]:
    shown = [command for block in BLOCKS if sets_up(block) for command in commands(block.text)]
    shown += [code for page in PAGES for code in page.inline_code]
    return [command.removeprefix(prefix).strip("'") for command in shown if command.startswith(prefix)]


def test_packages_to_install_are_ours_or_known_instrumentations():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    known = {"pocketflow-otel", *(client.instrumentation for client in clients.CLIENTS)}
    named = prepared("pip install ") + prepared("uv add ")
    assert len(named) >= 4
    for package in named:
        name, _, extras = package.partition("[")
        assert name in known
        for extra in filter(None, extras.removesuffix("]").split(",")):
            assert f"\n{extra} = [" in project


def test_jaeger_listens_where_spans_are_sent():
    for arguments in prepared("docker run "):
        assert "-p 4318:4318 " in arguments
        assert otlp.receiver("jaeger") == "http://localhost:4318"


@pytest.mark.parametrize(
    ("task", "command"), [("demo", ["pocketflow-otel", "demo"]), ("test", ["pytest"])], ids=["demo", "test"]
)
def test_development_script_has_the_tasks(task: str, command: list[str], monkeypatch: pytest.MonkeyPatch):
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    dev = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dev)
    ran = []
    monkeypatch.setattr(dev, "find_uv", lambda: Path("uv"))
    monkeypatch.setattr(dev.subprocess, "run", lambda line, **_: ran.append(line) or SimpleNamespace(returncode=0))
    assert dev.main([task]) == 0
    tool, run, frozen, *line = [word for word in ran[0] if word != "--no-dev"]
    assert (tool, run, frozen) == ("uv", "run", "--frozen")
    assert line[: len(command)] == command


def test_development_script_is_only_asked_for_what_there_is():
    asked = prepared("python3 dev.py ")
    assert {"demo", "test"} <= set(asked)
    for task, *words in map(str.split, asked):
        assert task in ("demo", "test", "backends", "run")
        assert [word for word in words if word.endswith(".py") and not (ROOT / word).is_file()] == []


# Inline code, tables, links.


def test_commands_in_running_text_exist():
    known = {
        name: {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
        for name, command in typer.main.get_command(app).commands.items()
    }
    named = [code for page in PAGES for code in page.inline_code if re.match(r"pocketflow-otel [a-z]", code)]
    assert len(named) >= 10
    for name, *words in (code.split()[1:] for code in named):
        ours = itertools.takewhile(lambda word: not word.endswith(".py"), words)
        assert {word for word in ours if word.startswith("-")} <= known[name]


def test_options_of_run_are_all_told():
    run = typer.main.get_command(app).commands["run"]
    told = " ".join(read_page(ROOT / "docs/running-programs.md").inline_code)
    flags = [flag for option in run.params if option.param_type_name == "option" for flag in option.opts]
    assert [flag for flag in flags if flag not in ("-m", "--trace") and flag not in told] == []


def test_table_of_options_is_that_of_the_code():
    assert options_table.shown() == options_table.table()


def test_environment_variables_exist():
    standard = [api_variables, sdk_variables, instrumentation_variables]
    known = {value for module in standard for name, value in vars(module).items() if name.startswith("OTEL_")}
    known |= {environment_variable(name) for name in FIELDS} | {CONTENT_ENV}
    written = "".join(page.prose + "".join(block.text for block in page.blocks) for page in PAGES)
    assert set(re.findall(r"\bOTEL_[A-Z_]*[A-Z]\b", written)) <= known


def emitted(*prefixes: str) -> set[str]:
    """The names that the code emits, as the documentation writes them."""
    values = {name: value for name, value in vars(semconv).items() if isinstance(value, str) and name.isupper()}
    names = {f"{value}<key>" if name.endswith("_PREFIX") else value for name, value in values.items()}
    names |= {stream + suffix for stream in (semconv.STDOUT, semconv.STDERR) for suffix in (".bytes", ".lines")}
    return {name for name in names if name.startswith(prefixes)}


def test_every_name_that_is_recorded_is_told_and_no_other():
    prefixes = ("pocketflow.", "gen_ai.", "graph.", "code.", "exception.", "vcs.", "openinference.")
    told = {code for code in read_page(ROOT / "docs/what-is-recorded.md").inline_code if code.startswith(prefixes)}
    assert told == emitted(*prefixes)


def test_examples_are_told_alike_in_both_readmes():
    rows = [
        [line for line in page.prose.splitlines() if line.startswith("| `") and "examples/" in line]
        for page in (read_page(ROOT / "README.md"), read_page(ROOT / "examples/README.md"))
    ]
    assert rows[0] == rows[1]
    programs = {path.name for path in (ROOT / "examples").glob("*.py")} - {"fake_llm.py"}
    assert {program for program in programs if any(f"examples/{program}" in row for row in rows[0])} == programs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page):
    by_path = {other.path: other for other in PAGES}
    broken = []
    for link in page.links:
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        if not path.exists() or (anchor and anchor not in by_path[path].anchors):
            broken.append(link)
    assert broken == []
