"""The page about running workflows tells of every option, and of every exit code."""

import dataclasses
import re
from typing import get_args

from docs.pages import ROOT, read_page
from pocketflow_otel.cli.run_workflow import options_by_arity
from pocketflow_otel.runtime.running.events import Event
from pocketflow_otel.runtime.running.records import EXIT_CODES, NodeRecord, NodeStatus, Result, RunStatus, Summary

PAGES = [
    read_page(ROOT / name) for name in ("docs/workflows/running.md", "docs/workflows.md", "docs/running-programs.md")
]


def test_every_option_is_told():
    told = " ".join(code for page in PAGES for code in page.inline_code)
    told += "".join(block.text for block in PAGES[0].blocks)
    options = set().union(*options_by_arity())
    assert {option for option in options if not re.search(rf"(?<![-\w]){option}(?![-\w])", told)} <= {"-h", "--trace"}


def test_every_exit_code_is_told():
    rows = re.findall(r"^\| ([\d, ]+) \|", PAGES[0].prose, re.MULTILINE)
    codes = {int(code) for row in rows for code in row.split(",")}
    assert codes == {*EXIT_CODES.values(), 2, 143, 129}


def names_of(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def told_between(beginning: str, end: str) -> set[str]:
    part = PAGES[0].prose.partition(beginning)[2].partition(end)[0]
    return set(re.findall(r"`(\w+)`", part))


def test_every_field_of_the_result_is_told():
    told = told_between("## The result as JSON", "Of a record")
    assert (names_of(Result) | names_of(Summary)) - {"store", "masks"} <= told
    assert set(get_args(RunStatus)) <= told


def test_every_field_of_a_record_is_told():
    told = told_between("Of a record", "## The run's folder")
    assert told >= set(get_args(NodeStatus))
    inside = {"number", "cause"}
    assert names_of(NodeRecord) - inside == {name for name in told if name in names_of(NodeRecord)}


def test_every_field_of_an_event_is_told():
    (line,) = [line for line in PAGES[0].prose.splitlines() if line.startswith("| `events.jsonl`")]
    assert names_of(Event) <= set(re.findall(r"`(\w+)`", line))
