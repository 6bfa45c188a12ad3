"""What the page of Jaeger tells to search by finds the traces it speaks of, and no others."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from backends.jaeger import Jaeger
from backends.servers import get, wait_until
from docs import workspace
from docs.pages import ROOT

SERVICE = "searched"
ROW = re.compile(r"^\| `(?P<name>[\w.]+)=(?P<value>[\w-]+)` \|", re.MULTILINE)
TAGS = [(row["name"], row["value"]) for row in ROW.finditer((ROOT / "docs/backends/jaeger.md").read_text("utf-8"))]

PROGRAM = """
from pocketflow import Flow, Node

import pocketflow_otel


class Decide(Node):
    def exec(self, prep_res):
        raise TimeoutError("nobody answers")

    def exec_fallback(self, prep_res, exc):
        return "search"

    def post(self, shared, prep_res, action):
        return action


class Answer(Node):
    pass


with pocketflow_otel.session("chat-42"):
    Flow(start=Decide(max_retries=3)).run({})
Flow(start=Answer()).run({})
"""


@pytest.fixture(scope="module")
def at_jaeger(the_jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory) -> Jaeger:
    """A Jaeger with two traces of a service: in one something failed, in the other nothing."""
    place = workspace.make(Path(tmp_path_factory.mktemp("searching")).resolve())
    place.environ |= {"OTEL_SERVICE_NAME": SERVICE, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{the_jaeger.http}"}
    place.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    (place.directory / "searched.py").write_text(PROGRAM, encoding="utf-8")
    outcome = place.shell("pocketflow-otel run --exporter jaeger searched.py")
    assert outcome.status == 0, outcome
    wait_until(lambda: len(the_jaeger.trace_ids(SERVICE)) == 2)
    return the_jaeger


def test_the_page_has_a_table_of_them():
    assert ("gen_ai.node.name", "Decide") in TAGS
    assert len(TAGS) == 6


@pytest.mark.parametrize(("name", "value"), TAGS)
def test_a_tag_finds_the_trace_that_has_it(at_jaeger, name, value):
    asked = urlencode({"service": SERVICE, "lookback": "1h", "tags": json.dumps({name: value})})
    (found,) = json.loads(get(f"{at_jaeger.query}/api/traces?{asked}"))["data"]
    assert "invoke_node Decide" in {span["operationName"] for span in found["spans"]}
