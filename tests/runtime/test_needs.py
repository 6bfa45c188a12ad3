"""What a run needs besides its inputs is asked before anything runs, of what is sure to run."""

import pytest

from pocketflow_otel.runtime import collect, execute, load, prepare
from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.connections.http import FAMILY
from pocketflow_otel.runtime.errors import InvalidInputs
from pocketflow_otel.runtime.needs import check_needs

FIRST = """\
workflow: needy
connections:
  http.used: {base_url: "${env.HOST}", bearer: "${env.NEEDED_TOKEN}"}
  http.unused: {base_url: "${env.UNUSED_HOST}"}
nodes:
"""


def problems(nodes: str, **environ: str) -> list[str]:
    plan = prepare(load(FIRST + nodes), environ=environ)
    try:
        check_needs(plan)
    except InvalidInputs as error:
        return list(error.problems)
    return []


def text(name: str, **more: str) -> str:
    fields = "".join(f", {field}: {value}" for field, value in more.items())
    return f'  {name}: {{type: template, with: {{text: "${{env.{name.upper()}}}"}}{fields}}}\n'


def test_all_that_is_missing_is_told_at_once_and_no_more():
    nodes = "  ask: {type: http.request, with: {connection: '@http.used', url: /}}\n" + text("one") + text("two")

    assert problems(nodes, ONE="1", NEEDED_TOKN="") == [
        "the environment variable TWO is not set, and two needs it",
        "the environment variable HOST is not set, and @http.used needs it",
        "the environment variable NEEDED_TOKEN is not set, and @http.used needs it; did you mean 'NEEDED_TOKN'?",
    ]
    assert problems(nodes, ONE="1", TWO="", HOST="http://x", NEEDED_TOKEN="t") == []


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        (text("one") + text("two", needs="[one]"), ["one", "two"]),
        (text("one", when="1 > 2") + text("two", needs="[one]"), []),
        (text("one", when="1 > 2") + text("two") + text("three", needs="[one, two]", join="first"), ["two", "three"]),
        (text("one", on_error="continue") + text("two", needs="[one]"), ["two"]),
        (text("one", undo="two") + text("two"), ["one"]),
        ('  one: {type: template, with: {text: "${env.ONE ?? 1}"}}\n', []),
        (f"  each: {{type: map, with: {{over: [1], do: {{{text('one').strip()}}}}}}}\n", ["each.one"]),
        (
            text("files") + f"  each: {{type: map, with: {{over: '${{files}}', do: {{{text('one').strip()}}}}}}}\n",
            ["files", "each.one"],
        ),
        (f"  each: {{type: map, with: {{over: [1], on_error: continue, do: {{{text('one').strip()}}}}}}}\n", []),
        (f"  each: {{type: map, with: {{over: [], do: {{{text('one').strip()}}}}}}}\n", []),
        (
            text("one")
            + text("two")
            + text("three")
            + "edges: [{from: one, to: two}, {from: two, action: a, to: end}, {from: two, to: three}]\n",
            ["one", "two"],
        ),
    ],
)
def test_only_what_is_sure_to_run_is_asked_for(nodes, named):
    told = [problem.removesuffix(" needs it").rpartition(" ")[2] for problem in problems(nodes)]

    assert told == named


def test_a_package_that_a_connection_needs_is_told_with_what_installs_it(monkeypatch):
    nodes = "  ask: {type: http.request, with: {connection: '@http.used', url: /}}\n"
    family = Family("http", "Needy.", FAMILY.config, FAMILY.open, {"no_such_package": "needy"})
    monkeypatch.setattr("pocketflow_otel.runtime.connections.http.FAMILY", family)

    assert problems(nodes, HOST="http://x", NEEDED_TOKEN="t") == [
        "@http.used needs no_such_package: pip install 'pocketflow-otel[needy]'"
    ]


def test_nothing_runs_where_something_is_missing(tmp_path):
    nodes = f"  first: {{type: file.write, with: {{path: {tmp_path}/x, content: x}}}}\n" + text("one", needs="[first]")

    with pytest.raises(InvalidInputs, match="ONE is not set, and one needs it"):
        execute(prepare(load(FIRST + nodes), environ={}))

    assert not (tmp_path / "x").exists()
    assert collect(execute(prepare(load(FIRST + nodes), environ={"ONE": "1"}))).status == "succeeded"


def test_a_long_chain_is_looked_through_at_once():
    nodes = "  n0: {type: template, with: {text: hi}}\n" + "".join(
        f"  n{number}: {{type: template, with: {{text: '${{n{number - 1}}}'}}}}\n" for number in range(1, 3000)
    )

    assert problems(nodes + text("last", needs="[n2999]")) == [
        "the environment variable LAST is not set, and last needs it"
    ]
