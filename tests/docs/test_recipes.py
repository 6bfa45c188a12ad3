"""The recipes do what their page says: run as they stand there, against the servers that they need."""

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from docs import workspace
from docs.pages import ROOT, read_page
from docs.workspace import Outcome, Workspace
from runtime.nodes.serving import Answer, serving

RECIPES = {block.file_name for block in read_page(ROOT / "docs/workflows/recipes.md").blocks if block.kind == "yaml"}
TOKEN = "token-of-a-test-4711"


class World:
    """What the recipes' servers have been asked, in order, and how they answer.

    Attributes:
        asked: Method and path of each request.
        keys: The idempotency keys of payments.
        good: After how many lines the reviewer is content.
        healthy: Whether new machines are.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.good = 2
        self.healthy = True
        self._made: Counter[str] = Counter()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        self.asked.append(f"{request.command} {request.path}")
        sent = json.loads(body) if body else {}
        match request.command, request.path.strip("/").split("/"):
            case "POST", ["chat", "completions"]:
                return _json(200, _completion(self._said(sent)))
            case "GET", ["stories", "moss"]:
                return _json(503, {"error": "no moss today"})
            case "GET", ["stories", topic]:
                return _json(200, {"stories": [f"{topic} are back", f"{topic} sleep"]})
            case "POST", ["payments"]:
                self.keys.append(request.headers["Idempotency-Key"])
                return _json(201, {"payment": {"id": 7, **sent}})
            case "POST", [kind]:
                self._made[kind] += 1
                return _json(201, {"id": f"{kind}-{self._made[kind]}", **sent})
            case "GET", ["machines", _, "health"]:
                return _json(200 if self.healthy else 500, {})
            case "DELETE", [_, _]:
                return 204, {}, b""
        return _json(404, {})

    def _said(self, sent: dict[str, object]) -> str:
        messages = sent["messages"]
        assert isinstance(messages, list)
        question: str = messages[-1]["content"]
        if question.startswith("Sum up"):
            return f"{question.splitlines()[1].removeprefix('- ')}."
        if question.startswith("Write"):
            self._made["lines"] += 1
            return f"line {self._made['lines']}"
        good = self._made["lines"] >= self.good
        return json.dumps({"good": good, "remark": "fine" if good else "too short"})


def _json(status: int, value: object) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _completion(text: str) -> dict[str, object]:
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def place(tmp_path: Path, world: World) -> Iterator[Workspace]:
    """A user's place, with the variables by which the recipes find their servers."""
    made = workspace.make(tmp_path.resolve())
    del made.environ["PYTHONPATH"]
    with serving(world.answer) as address:
        for name in ("NEWS", "BANK", "CLOUD"):
            made.environ[f"{name}_URL"] = f"http://{address}"
            made.environ[f"{name}_TOKEN"] = TOKEN
        made.environ |= {"OPENAI_BASE_URL": f"http://{address}", "OPENAI_API_KEY": TOKEN}
        yield made


def run(place: Workspace, command: str) -> Outcome:
    return place.shell(f"pocketflow-otel run {command} --quiet --run-dir run")


def test_digest_goes_on_with_what_came(place: Workspace):
    outcome = run(place, "digest.yaml")
    assert outcome.status == 3
    assert (place.directory / "digest.md").read_text() == "- bees: bees are back.\n- eels: eels are back.\n"
    assert "503" in (place.directory / "run/result.json").read_text()


def test_loop_ends_when_the_line_is_good(place: Workspace):
    outcome = run(place, "polish.yaml")
    assert (outcome.status, outcome.stdout) == (0, "line 2\n")


def test_loop_gives_up_after_so_many_tries(place: Workspace, world: World):
    world.good = 99
    outcome = run(place, "polish.yaml --input most=2")
    assert (outcome.status, outcome.stdout) == (0, "line 2 (not good after 2 tries: too short)\n")


@pytest.mark.parametrize(("choice", "asked"), [("pay", ["POST /payments"]), ("refuse", [])])
def test_nothing_is_paid_but_by_decision(place: Workspace, world: World, choice: str, asked: list[str]):
    outcome = run(place, f"payout.yaml --input to=Ada --input amount=10 --approve ask={choice}")
    assert outcome.status == 0, outcome
    assert world.asked == asked
    run_id = json.loads((place.directory / "run/result.json").read_text())["run_id"]
    assert world.keys == [run_id] * len(asked)


def test_what_was_set_up_stays_where_it_is_healthy(place: Workspace, world: World):
    assert run(place, "provision.yaml").stdout == "machines-1\n"
    assert [line for line in world.asked if line.startswith("DELETE")] == []


def test_what_was_set_up_is_taken_back(place: Workspace, world: World):
    world.healthy = False
    assert run(place, "provision.yaml").status == 1
    *first, last = [line for line in world.asked if line.startswith("DELETE")]
    assert sorted(first) == ["DELETE /databases/databases-1", "DELETE /machines/machines-1"]
    assert last == "DELETE /networks/networks-1"


def test_linter_fails_the_run_and_still_reports(place: Workspace):
    (place.directory / "examples/broken.py").write_text("x = (\n")
    outcome = run(place, "lint.yaml --allow-shell --input 'files=examples/[bt]*.py'")
    assert outcome.status == 1
    assert "verdict: ValueError: 1 of 2 files: examples/broken.py" in outcome.stderr
    report = json.loads((place.directory / "run/artifacts/lint.json").read_text())
    assert [(file["path"], file["code"]) for file in report] == [("examples/broken.py", 1), ("examples/threads.py", 0)]


def test_report_holds_what_the_documents_gave(place: Workspace):
    assert run(place, "nightly.yaml --input day=2026-03-01").stdout == "reports/2026-03-01.txt\n"
    assert (place.directory / "reports/2026-03-01.txt").read_text() == "HELLO, ADA!\nHELLO, BO!\n"


def test_every_recipe_is_run():
    told = Path(__file__).read_text()
    assert {name for name in RECIPES if name is None or f'"{name}' not in told} == set()
