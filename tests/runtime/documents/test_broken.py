"""Each document has one planted fault: it alone is told, at its place, with the nearest valid name."""

import pytest

from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.documents.text import read
from pocketflow_otel.runtime.registry.registry import Registry
from runtime.documents.broken_documents import BROKEN

REGISTRY = Registry()


def test_there_are_more_than_150():
    assert len({broken.text for broken in BROKEN.values()}) == len(BROKEN) > 150


@pytest.mark.parametrize("name", BROKEN)
def test_the_planted_fault_is_told_and_no_other(name):
    broken = BROKEN[name]

    faults = faults_of(broken.text, REGISTRY)

    told = [(fault.line, fault.column, fault.path, fault.near) for fault in faults]
    assert told == [(broken.line, broken.column, broken.path, broken.near)], "\n".join(map(str, faults))
    assert broken.words in faults[0].message


@pytest.mark.parametrize("name", [name for name in BROKEN if not name.startswith("syntax")])
def test_a_mapping_has_the_fault_of_the_text_but_no_place(name):
    broken = BROKEN[name]

    faults = faults_of(read(broken.text).value, REGISTRY)

    assert [(fault.line, fault.column, fault.path, fault.near) for fault in faults] == [
        (0, 0, broken.path, broken.near)
    ]
    assert broken.words in faults[0].message
