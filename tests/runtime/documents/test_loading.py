"""Documents as files, texts and mappings; those they name; and many faults at once."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocketflow_otel.runtime.documents.checks import check, faults_of, load_checked
from pocketflow_otel.runtime.documents.faults import InvalidDocument
from pocketflow_otel.runtime.documents.loading import load
from pocketflow_otel.runtime.registry.registry import Registry

REGISTRY = Registry()
VALID = "workflow: probe\nnodes:\n  a: {type: template, with: {text: hi}}\n"


def told(source):
    return [str(fault) for fault in faults_of(source, REGISTRY)]


def test_a_file_a_text_and_a_mapping_give_the_same_document(tmp_path):
    path = tmp_path / "flow.yaml"
    path.write_text(VALID)
    mapping = {"workflow": "probe", "nodes": {"a": {"type": "template", "with": {"text": "hi"}}}}

    loaded = [load(path), load(str(path)), load(VALID), load(mapping)]

    assert all(one.document == loaded[0].document for one in loaded)
    assert [one.file for one in loaded] == [str(path), str(path), "<document>", "<document>"]
    assert [one.base for one in loaded] == [tmp_path, tmp_path, Path(), Path()]


def test_json_is_read_as_it_is():
    assert load('{"workflow": "\\ud83d\\ude00", "nodes": {"a": {"type": "x:y"}}}').document.workflow == "😀"


def test_a_name_is_what_faults_call_a_text_and_where_its_paths_begin():
    with pytest.raises(InvalidDocument, match=r"^flows/a\.yaml:1:1: the field 'nodes' is missing$"):
        load("workflow: x\n", name="flows/a.yaml")

    assert load(VALID, name="flows/a.yaml").base == Path("flows")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "flow.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + VALID.encode())

    assert load(path).places.key(("workflow",)) == (1, 1)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "1:1: expected a workflow: a mapping with the fields workflow and nodes; found nothing"),
        (b"workflow: x\nnodes: caf\xe9\n", "2:11: the byte 0xe9 is no UTF-8"),
        (VALID.encode("utf-16"), "1:1: the byte 0xff is no UTF-8"),
        (b"workflow: \x00\n", "1:11: the character U+0000 is not allowed in a document"),
        (b"workflow: x\n\xef\xbf\xbf: 1\n", "2:1: the character U+FFFF is not allowed in a document"),
    ],
)
def test_a_file_that_holds_no_text_is_told_at_its_place(tmp_path, content, fault):
    path = tmp_path / "flow.yaml"
    path.write_bytes(content)

    assert told(path) == [f"{path}:{fault}"]


def test_a_file_that_is_not_there_is_told_with_the_nearest(tmp_path):
    (tmp_path / "flow.yaml").write_text(VALID)

    assert told(tmp_path / "flwo.yaml") == [f"{tmp_path}/flwo.yaml: there is no such file; did you mean 'flow.yaml'?"]


def test_a_folder_is_no_document(tmp_path):
    assert told(tmp_path) == [f"{tmp_path}: this is a folder; a document's file was expected"]


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    path = tmp_path / "flow.yaml"
    path.write_text(VALID)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", refused)

    assert told(path) == [f"{path}: it can't be read: Permission denied"]


def test_an_endless_file_is_not_read_to_its_end():
    assert told(Path("/dev/zero")) == [
        "/dev/zero: it has more than 16777216 bytes; documents have at most 4194304 characters"
    ]


def test_all_faults_are_told_at_once_in_the_order_of_their_lines():
    text = """\
workflow: 5
limit: {visits: 3}
inputs:
  topic: {type: string}
nodes:
  one: {typ: template, with: {text: hi}}
  two: {type: template, wiht: {text: hi}, needs: one}
  three: {type: http.requst, with: {url: /x}, when: "fuor == 1"}
  four: {type: template, with: {text: "${thre.x} ${inputs.topc}"}}
  five: {type: map, with: {ovr: [1], do: {six: {type: template, with: {txt: "${itm}"}}}}}
outputs:
  answer: "${fve}"
"""
    faults = faults_of(text, REGISTRY)

    assert [(fault.line, fault.path, fault.near) for fault in faults] == [
        (1, "workflow", None),
        (2, "limit", "limits"),
        (4, "inputs.topic.type", None),
        (6, "nodes.one.typ", "type"),
        (7, "nodes.two.wiht", "with"),
        (7, "nodes.two.needs", None),
        (8, "nodes.three.type", "http.request"),
        (8, "nodes.three.when", "four"),
        (9, "nodes.four.with.text", "three"),
        (9, "nodes.four.with.text", "topic"),
        (10, "nodes.five.with.ovr", "over"),
        (10, "nodes.five.with.do.six.with.txt", "text"),
        (10, "nodes.five.with.do.six.with.txt", "item"),
        (12, "outputs.answer", "five"),
    ]


def test_what_is_wrong_with_a_part_brings_no_faults_of_others():
    text = """\
workflow: probe
nodes:
  ask: {type: template, with: {text: hi}}
  answer: {type: template, with: {text: "${ask}"}}
  alone: {type: template, with: {text: hi}}
edges:
  - {from: ask, to: answer}
  - {form: answer, to: alone}
"""
    assert [fault.path for fault in faults_of(text, REGISTRY)] == ["edges[1].form"]


def test_more_faults_than_anyone_reads_are_counted():
    text = "workflow: probe\nnodes:\n" + "".join(f"  n{n}: {{type: template, with: {{txt: hi}}}}\n" for n in range(300))

    faults = faults_of(text, REGISTRY)

    assert len(faults) == 201
    assert faults[-1].message.endswith("more faults are not listed")


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


OUTER = "workflow: outer\nnodes:\n  sub: {type: workflow, with: {path: %s%s}}\n"
INNER = """\
workflow: inner
inputs:
  city: {type: text}
  days: {type: integer, default: 3}
nodes:
  a: {type: template, with: {text: "${inputs.city}"}}
"""


def test_a_workflow_that_is_named_is_loaded_from_beside_the_one_that_names_it(tmp_path):
    write(tmp_path, "deep/inner.yaml", INNER)
    path = write(tmp_path, "outer.yaml", OUTER % ("deep/inner.yaml", ", inputs: {city: Rome}"))

    loaded = load_checked(path, REGISTRY)

    inner = loaded.scope.bodies["sub"].workflow
    assert inner is not None
    assert (inner.document.workflow, inner.base) == ("inner", tmp_path / "deep")


@pytest.mark.parametrize(
    ("inputs", "fault"),
    [
        ("", "3:25: nodes.sub.with: the input 'city' of {inner} is missing"),
        (
            ", inputs: {city: Rome, dyas: 2}",
            "3:71: nodes.sub.with.inputs.dyas: {inner} has no input 'dyas'; there are city, days; did you mean 'days'?",
        ),
        (", inputs: {city: 5}", "3:65: nodes.sub.with.inputs.city: expected a text, not 5"),
    ],
)
def test_what_a_workflow_is_given_has_to_fit_its_inputs(tmp_path, inputs, fault):
    inner = write(tmp_path, "inner.yaml", INNER)
    path = write(tmp_path, "outer.yaml", OUTER % ("inner.yaml", inputs))

    assert told(path) == [f"{path}:{fault.format(inner=inner)}"]


def test_faults_of_a_workflow_that_is_named_are_told_in_its_own_file(tmp_path):
    inner = write(tmp_path, "inner.yaml", "workflow: inner\nnodes:\n  a: {type: tmplate}\n")
    path = write(tmp_path, "outer.yaml", OUTER % ("inner.yaml", "") + "  b: {type: tmplate}\n")

    assert [fault.partition(": nodes")[0] for fault in told(path)] == [f"{inner}:3:13", f"{path}:4:13"]


def test_workflows_can_not_hold_themselves(tmp_path):
    one = write(tmp_path, "one.yaml", OUTER % ("two.yaml", ""))
    two = write(tmp_path, "two.yaml", OUTER % ("one.yaml", ""))

    assert told(one) == [
        f"{two}:3:38: nodes.sub.with.path: workflows can't hold themselves: one.yaml → two.yaml → one.yaml"
    ]


def test_a_workflow_that_is_named_twice_is_loaded_and_told_once(tmp_path):
    inner = write(tmp_path, "inner.yaml", "workflow: inner\nnodes:\n  a: {type: tmplate}\n")
    second = "  again: {type: workflow, with: {path: inner.yaml}}\n"
    path = write(tmp_path, "outer.yaml", OUTER % ("inner.yaml", "") + second)

    faults = faults_of(path, REGISTRY)

    assert [fault.file for fault in faults] == [str(inner)]


def test_a_mapping_that_holds_what_documents_can_not_is_told_where():
    values = {"t": Path(), 5: 1, "n": float("nan"), "i": 10**200}
    source = {"workflow": "x", "nodes": {"a": {"type": "set", "with": {"values": values}}}}

    kinds = "expected a text, a number, a list or a mapping"
    assert told(source) == [
        "<document>: nodes.a.with.values: a key has to be a text, not 5",
        "<document>: nodes.a.with.values.i: a number of more than 100 digits",
        "<document>: nodes.a.with.values.n: nan is no number that JSON knows",
        f"<document>: nodes.a.with.values.t: a document can't hold a {type(Path()).__name__}; {kinds}",
    ]


def test_what_yaml_1_1_makes_of_on_is_told():
    retry = {"tries": 2, True: ["OSError"]}
    source = {"workflow": "x", "nodes": {"a": {"type": "template", "with": {"text": "hi"}, "retry": retry}}}

    hint = "readers of YAML 1.1 take on, off, yes and no for it; quote them"
    assert told(source) == [f"<document>: nodes.a.retry: a key has to be a text, not true: {hint}"]


def test_a_mapping_that_holds_itself_ends():
    loop: dict[str, object] = {"workflow": "x"}
    loop["nodes"] = loop

    assert "nested too deeply" in "".join(told(loop))


NAMED = st.sampled_from(["map", "${a}", "a", "template"])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["map", "${a}", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "with", "nodes", "do", "over", "a", "b", "edges", "from", "to", "needs", "when"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)
FIELDS = st.sampled_from(
    [
        "workflow",
        "description",
        "inputs",
        "connections",
        "limits",
        "defaults",
        "start",
        "nodes",
        "edges",
        "outputs",
        "x",
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(FIELDS, ANYTHING), st.booleans())
def test_any_mapping_is_a_document_or_an_invalid_one(mapping, named):
    source = {"workflow": "w", **mapping} if named else mapping
    faults = faults_of(source, REGISTRY)

    assert faults == list(dict.fromkeys(faults))
    if not faults:
        assert check(load(source), REGISTRY) == []


def test_ten_thousand_nodes_are_loaded_and_checked_within_bounds():
    lines = (
        f"  n{n}:\n    type: template\n    with: {{text: '${{n{n - 1}}} and more'}}\n"
        f"    when: n{n - 1} != ''\n    needs: [n{n // 2}]\n    retry: {{tries: 3}}\n"
        for n in range(1, 10_000)
    )
    text = "workflow: large\nnodes:\n  n0: {type: template, with: {text: hi}}\n" + "".join(lines)
    began = time.perf_counter()

    loaded = load_checked(text, REGISTRY)

    assert len(loaded.scope.nodes) == 10_000
    assert time.perf_counter() - began < 6  # about 1.3 seconds on a machine that does nothing else
