"""The page about running workflows tells of every option, and of every exit code."""

import re

from docs.pages import ROOT, read_page
from pocketflow_otel.cli.run_workflow import options_by_arity
from pocketflow_otel.runtime.running.records import EXIT_CODES

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
