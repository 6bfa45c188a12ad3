"""What fits together has no faults, and what only PocketFlow classes can get wrong is told."""

import pytest

from pocketflow_otel.runtime.documents.checks import faults_of, load_checked
from pocketflow_otel.runtime.documents.graph import Dependencies, Uses, dependencies
from pocketflow_otel.runtime.registry.registry import Registry

REGISTRY = Registry()
EXPECTED = "expected a node or one of env, inputs, run, store"
CLASSES = """
from typing import TypedDict
from pocketflow import Node

class Summarize(Node):
    def __init__(self, words: int = 5, max_retries=1, wait=0):
        super().__init__(max_retries, wait)

class Wordy(Summarize):
    def __init__(self, style="plain", **kwargs):
        super().__init__(**kwargs)

def rank(items: list[str], top: int = 3):
    return items[:top]

class Found(TypedDict):
    title: str
    score: float

async def find() -> Found:
    return {"title": "", "score": 0}
"""

VALID = {
    "by data, with all there is": """
workflow: probe
inputs:
  topic: {type: text, choices: [tea, coffee], default: tea}
  depth: {type: integer}
  any: {}
connections:
  http.main: {base_url: "http://127.0.0.1:${inputs.depth}", bearer: "${env.TOKEN}"}
limits: {visits: 5, seconds: 1.5, tokens: 10, usd: 0.1, parallel: 2}
defaults: {retry: {tries: 2, wait: 0, backoff: 2, on: [OSError]}, timeout: 5}
nodes:
  get: {type: http.request, with: {connection: "@http.main", url: "/${inputs.topic}"}, undo: forget}
  forget: {type: template, with: {text: "${output.body} ${error.message} ${get.status}"}}
  when: {type: template, with: {text: "$${no reference}"}, when: "exists(get.body) and inputs.depth > 1"}
  join: {type: template, with: {text: "${get.body ?? 'none'}"}, needs: [get, when], join: any}
  two: {type: template, with: {text: hi}, needs: [get, when], join: 2, priority: -1}
  risky: {type: template, with: {text: "${get.body}"}, on_error: rescue}
  rescue: {type: template, with: {text: "${error.message} ${get.status}"}}
  soft: {type: template, with: {text: "@not.one"}, on_error: continue, fallback: [1, {a: b}]}
  each:
    type: map
    with:
      over: "${get.body | lines}"
      as: line
      do:
        up: {type: template, with: {text: "${line | upper} ${index} ${inputs.topic} ${get.status}"}}
        pick: {type: condition, with: {cases: [{when: "length(up) > index", action: long}]}}
      edges: [{from: up, to: pick}]
      output: "${up}"
  side:
    type: parallel
    with: {do: {a: {type: template, with: {text: "${each[0]}"}}, b: {type: set, with: {values: {x: 1}}}}}
  keep: {type: set, with: {values: {kept: "${store.any}"}, compute: {sum: "length(each) + 1"}}}
  after: {type: set, with: {values: {kept: 2}}, needs: [keep]}
outputs: {answer: "${join}", all: ["${each}", "${run.id}"]}
""",
    "by action, in a loop with a cap": """
workflow: probe
start: ask
nodes:
  rescue: {type: template, with: {text: "${error.type}"}}
  answer: {type: template, with: {text: "${search ?? 'nothing'}"}}
  ask: {type: template, with: {text: "${answer ?? ''}"}, action: "${output | trim}", visits: 3, on_error: rescue}
  search: {type: template, with: {text: "${ask}"}, undo: back}
  back: {type: template, with: {text: "${output}"}}
edges:
  - {from: ask, action: search, to: search}
  - {from: ask, to: answer}
  - {from: search, to: ask}
  - {from: rescue, to: ask}
  - {from: answer, to: end}
""",
    "a loop that the document caps": """
workflow: probe
limits: {visits: 10}
nodes:
  a: {type: template, with: {text: "${b ?? 1}"}}
  b: {type: template, with: {text: "${a}"}}
edges: [{from: a, to: b}, {from: b, to: a}]
""",
    "writers of a key, one after the other": """
workflow: probe
nodes:
  a: {type: set, with: {values: {k: 1}}}
  b: {type: template, with: {text: hi}, needs: [a]}
  c: {type: set, with: {values: {k: 2}}, needs: [b]}
  d: {type: set, with: {values: {k: 3}}, needs: [c]}
""",
    "what may be there, and what has a default": """
workflow: probe
inputs: {path: {type: text}, kind: {type: text}, schema: {type: object}, rows: {type: list}, one: {type: object}}
nodes:
  read: {type: file.read, with: {path: "${inputs.path}"}}
  json: {type: file.read, with: {path: a.txt, format: json}}
  fetch: {type: http.request, with: {url: "http://127.0.0.1:1/"}, on_error: instead}
  instead: {type: set, with: {values: {page: none}}}
  ask: {type: llm.chat, with: {model: m, prompt: hi, schema: "${inputs.schema}"}}
  calc: {type: python, with: {code: "return {'a': 1}"}, on_error: continue, fallback: 0}
  put: {type: set, with: {values: {deep: {open: "${inputs.one}"}}}}
  each: {type: map, with: {over: "${inputs.rows}", do: {up: {type: template, with: {text: "${item.name}"}}}}}
  all:
    type: template
    needs: [put]
    with:
      text:
        - ${read.text ?? read.data} ${json.data.x[0].y}
        - ${fetch.status ?? fetch.page} ${fetch.attempts ?? 1}
        - ${ask.data.anything.at.all} ${calc.a.b} ${put.deep.open.any} ${each[0].up} ${inputs.rows[0].x} ${inputs.one.x}
        - ${store.deep.open} ${store.fetch} ${store._run.id} ${store.nowhere ?? 'none'}
""",
    "merged fields, keys in quotes, and an alias": """
"workflow": probe
'nodes':
  one: &one {type: template, with: &with {text: hi}, retry: &retry {tries: 2, "on": [OSError]}}
  two: {<<: *one, with: {<<: *with}}
  three: {<<: [{priority: 2}, *one], retry: *retry}
""",
    "colons inside braces": "workflow: probe\nnodes: {a: {type: http.request, with: {url: http://x/y?a=b:c}}}\n",
}


@pytest.mark.parametrize("name", VALID)
def test_what_fits_together_has_no_faults(name):
    assert [str(fault) for fault in faults_of(VALID[name], REGISTRY)] == []


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Checks a document beside a module of classes; gives the faults without their file."""
    name = f"nodes_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(CLASSES)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])

    def check(nodes: str) -> list[str]:
        path = tmp_path / "flow.yaml"
        path.write_text("workflow: probe\ninputs: {topic: {}}\nnodes:\n" + nodes.replace("MODULE", name))
        return [str(fault).removeprefix(f"{path}:").replace(name, "MODULE") for fault in faults_of(path, Registry())]

    return check


def test_classes_and_functions_beside_the_document_are_node_types(beside):
    assert (
        beside(
            "  a: {type: MODULE:Summarize, with: {words: 3}, reads: {text: topic}, writes: {summary: brief}}\n"
            '  b: {type: MODULE:rank, with: {items: "${a.summary}", top: 2}}\n'
        )
        == []
    )


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        (
            "a: {type: MODULE:Sumarize}",
            "nodes.a.type: there is no 'Sumarize' in MODULE; did you mean 'MODULE:Summarize'?",
        ),
        (
            "a: {type: MODULE:Summarize, with: {word: 3}}",
            "nodes.a.with.word: 'word' is no field here; there are words, max_retries, wait; did you mean 'words'?",
        ),
        (
            "a: {type: MODULE:Summarize, with: {words: many}}",
            "nodes.a.with.words: expected a whole number, not 'many'",
        ),
        (
            "a: {type: MODULE:Wordy, with: {style: short, max_retris: 3}}",
            (
                "nodes.a.with.max_retris: 'max_retris' is no field here; there are style, words, max_retries, wait; "
                "did you mean 'max_retries'?"
            ),
        ),
        (
            'a: {type: MODULE:find}\n  b: {type: template, with: {text: "${a.titel}"}}',
            "nodes.b.with.text: a has no field 'titel'; there are title, score; did you mean 'title'?",
        ),
        ("a: {type: MODULE:rank}", "nodes.a.with: the field 'items' is missing"),
        ("a: {type: MODULE:rank, with: {items: 5}}", "nodes.a.with.items: expected a list, not 5"),
        (
            "a: {type: MODULE:Summarize, reads: {text: 5}}",
            "nodes.a.reads.text: expected a key of the store, or a reference, not 5",
        ),
        (
            'a: {type: MODULE:Summarize, reads: {text: "${topic}"}}',
            f"nodes.a.reads.text: there is nothing called 'topic' here: {EXPECTED}; did you mean 'inputs.topic'?",
        ),
        (
            "a: {type: MODULE:Summarize, writes: {one: k, two: k}}",
            "nodes.a.writes.two: 'one' is written to the key 'k' of the store already",
        ),
        (
            "a: {type: MODULE:Summarize, writes: {one: _run}}",
            "nodes.a.writes.one: the key '_run' of the store tells of the run, and is not written",
        ),
        (
            'a: {type: MODULE:Summarize, writes: {one: ""}}',
            "nodes.a.writes.one: expected a key of the store, not an empty text",
        ),
        (
            "a: {type: MODULE:Summarize, writes: {one: topic}}",
            "nodes.a.writes.one: the key 'topic' of the store is that of the input 'topic'",
        ),
        (
            "a: {type: MODULE:Summarize, writes: {one: k}}\n  b: {type: MODULE:Summarize, writes: {one: k}}",
            "nodes.b.writes.one: 'a' writes the key 'k' too, and may run at the same time: let one need the other",
        ),
    ],
)
def test_what_is_wrong_with_a_class_s_node_is_told(beside, node, fault):
    (told,) = beside(f"  {node}\n")

    assert told.partition(": ")[2] == fault


def test_commands_need_the_run_s_permission():
    text = "workflow: w\nnodes:\n  a: {type: shell, with: {command: [ls]}}\n"

    assert faults_of(text, REGISTRY) == []
    assert [str(fault) for fault in faults_of(text, REGISTRY, allow_shell=False)] == [
        "<document>:3:13: nodes.a.type: shell runs commands, and this run does not allow that: --allow-shell does"
    ]


@pytest.mark.parametrize(
    "fields",
    [
        "inputs: {key: {type: list, secret: true, default: hush-hush-42}}\n",
        "connections: {http.main: {bearer: hush-hush-42}}\n",
        "connections: {http.main: {base_url: 'http://x', basic: {user: me, password: [hush-hush-42]}}}\n",
    ],
)
def test_no_fault_shows_a_secret(fields):
    faults = faults_of(f"workflow: w\n{fields}nodes:\n  a: {{type: template, with: {{text: hi}}}}\n", REGISTRY)

    assert faults != []
    assert "hush" not in str(faults)


def test_of_what_is_inside_a_body_only_what_leads_out_is_told_of_its_node():
    loaded = load_checked(VALID["by data, with all there is"], REGISTRY)
    uses = Uses(lambda name: REGISTRY.expressions(name, loaded.base))

    heads = [use.reference.head for use in uses.leading_out(loaded.scope, "each")]

    assert heads == ["get", "inputs", "get"]


def test_nodes_wait_for_what_they_refer_to_in_any_field_and_in_their_bodies():
    loaded = load_checked(VALID["by data, with all there is"], REGISTRY)
    scope = loaded.scope

    waits = dependencies(scope, Uses(lambda name: REGISTRY.expressions(name, loaded.base)))

    assert waits["get"] == Dependencies()
    assert waits["when"] == Dependencies(soft=("get",))
    assert waits["join"] == waits["two"] == Dependencies(hard=("get", "when"))
    assert waits["each"] == Dependencies(hard=("get",))
    assert waits["side"] == waits["keep"] == Dependencies(hard=("each",))
    body = scope.bodies["each"].scope
    assert body is not None
    assert body.by_action
    assert dependencies(body, Uses(lambda name: REGISTRY.expressions(name, loaded.base)))["pick"].hard == ("up",)
