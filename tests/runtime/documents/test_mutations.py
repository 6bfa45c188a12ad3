"""One fault, planted anywhere into a document that has none, is told at its place, by its path, and alone."""

import random
from pathlib import Path

import pytest

from pocketflow_otel.runtime.documents.checks import load_checked
from pocketflow_otel.runtime.documents.faults import Fault, InvalidDocument
from pocketflow_otel.runtime.documents.places import written
from pocketflow_otel.runtime.documents.text import read
from runtime.documents.mutations import REGISTRY, WRITERS, place_of, planted

EXAMPLES = Path(__file__).parents[3] / "examples"
SPELLED = Path(__file__).parent / "spelled"
DOCUMENTS = {
    path.name: path for path in (*EXAMPLES.glob("*.yaml"), *EXAMPLES.glob("workflows/*.yaml"), *SPELLED.iterdir())
}
FEW = 40
CLASSES = ("agent_with_tools.yaml", "map_reduce.yaml")
"""Documents whose nodes are PocketFlow classes: nobody knows what these write to the store."""


def faults_of(text: str, document: str) -> list[Fault]:
    try:
        # A text of one line would be the name of a file.
        load_checked(text + "\n", REGISTRY, name=str(DOCUMENTS[document]))
    except InvalidDocument as error:
        return list(error.faults)
    return []


@pytest.fixture(autouse=True)
def path(monkeypatch):
    """What the documents name as modules is found beside them, and only here."""
    monkeypatch.setattr("sys.path", [*__import__("sys").path])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_as_it_is_written_and_in_any_other_style_it_has_no_fault(document):
    text = DOCUMENTS[document].read_text()
    value = read(text).value

    assert {style: found for style, write in WRITERS.items() if (found := faults_of(write(value), document))} == {}
    assert faults_of(text, document) == []
    assert faults_of("\ufeff" + text.replace("\n", "\r\n"), document) == []


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("most", [FEW, pytest.param(None, marks=pytest.mark.slow)])
def test_a_planted_fault_is_told_at_its_place_and_no_other(document, most):
    chance = random.Random(document)
    faults = [
        fault
        for fault in planted(read(DOCUMENTS[document].read_text()).value)
        if not (document in CLASSES and fault.what == "a misspelt name in store")
    ]
    styles = [(style, fault) for fault in faults for style in WRITERS]
    told = {}
    for style, fault in chance.sample(styles, most) if most else styles:
        text = WRITERS[style](fault.value)
        expected = (*place_of(text, fault), written(fault.path), fault.near)
        found = faults_of(text, document)
        if [(one.line, one.column, one.path, one.near) for one in found] != [expected]:
            told[fault.what, style, expected] = "\n".join(map(str, found))

    assert told == {}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_of_two_faults_in_different_parts_both_are_told(document):
    value = read(DOCUMENTS[document].read_text()).value
    value["outputs"] = {**value.get("outputs", {}), "more": "${inputs.nowhere_at_all}"}
    if "limits" not in value:
        value["limits"] = {}
    value["limits"]["sekonds"] = 5
    first = next(iter(value["nodes"].values()))
    first["timeout"] = "soon"

    found = faults_of(WRITERS["literal blocks"](value), document)

    assert {fault.path: fault.near for fault in found} == {
        "outputs.more": None,
        "limits.sekonds": "seconds",
        f"nodes.{next(iter(value['nodes']))}.timeout": None,
    }
