"""What came of a run, as JSON and in sentences."""

import copy
import dataclasses
import json
import pickle

import pytest

from pocketflow_otel.runtime import collect, execute, load, prepare
from pocketflow_otel.runtime.telling import sentences
from runtime.running.running import document, python, ran

KEY = "sk-proj-Zq81mWvT40xLr7"


def run_with_a_key(tmp_path):
    nodes = {"a": python("print(key); return {'key': key, 'of': [1]}", key="${env.SERVICE_KEY}")}
    plan = prepare(load(document(nodes)), environ={"SERVICE_KEY": KEY})
    return collect(execute(plan, directory=tmp_path / "run"))


def test_a_result_as_json_is_what_is_kept_of_it_without_secrets(tmp_path):
    result = run_with_a_key(tmp_path)

    assert result.outputs == {"a": {"key": KEY, "of": [1]}}
    assert KEY not in json.dumps(result.as_json())
    assert result.as_json()["outputs"] == {"a": {"key": "[redacted]", "of": [1]}}
    assert result.as_json() == json.loads((tmp_path / "run" / "result.json").read_text())


def test_copies_of_a_result_mask_what_it_masks(tmp_path):
    result = run_with_a_key(tmp_path)

    assert copy.deepcopy(result).as_json() == dataclasses.replace(result).as_json() == result.as_json()


def test_a_pickled_result_shows_nothing_that_it_cannot_mask(tmp_path):
    result = run_with_a_key(tmp_path)
    pickled = pickle.dumps(dataclasses.replace(result, outputs={}, store={}))

    assert KEY.encode() not in pickled
    with pytest.raises(RuntimeError, match="pickle what as_json"):
        pickle.loads(pickled).as_json()


DIVIDE = python("return 1 // n", n="${item}")
BOTH = {"do": {"half": {**DIVIDE, "on_error": "continue"}, "whole": {**DIVIDE, "needs": ["half"]}}}


def each(over, do, **more):
    return {"type": "map", "with": {"over": over, "do": do, "on_error": "continue", **more}}


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({"entries": each([1, 0, 2], {"divide": DIVIDE})}, "1 of 3 items of entries failed"),
        ({"entries": each([1, 0] * 2000, {"divide": DIVIDE})}, "2,000 items of entries failed"),
        (
            {"entries": each([1, 0, 2], {"divide": DIVIDE}), "other": python("raise OSError", on_error="continue")},
            "something else stands in for other; 1 of 3 items of entries failed",
        ),
        (
            {"entries": each([[1, 0], [0, 0], [1]], {"deep": each("${part}", {"divide": DIVIDE})}, **{"as": "part"})},
            "3 of 4 items of entries.deep failed",
        ),
        (
            {"entries": each([1, 0], {"both": {"type": "parallel", "with": BOTH}})},
            "something else stands in for entries.both.half; 1 of 2 items of entries failed",
        ),
        (
            {"entries": each(["1", "x"], {"idle": python("return 1")}, output="${item | integer}")},
            "items of entries failed",
        ),
    ],
    ids=["some", "many", "and another", "a map inside", "nodes deeper inside", "in its output"],
)
def test_a_degraded_run_tells_what_it_went_on_without(nodes, said):
    (sentence,) = sentences(ran(nodes), None, "flow.yaml")

    assert sentence.partition("s: ")[2] == said


def test_an_output_of_a_map_that_makes_no_sense_says_that_it_is_the_output():
    do = {"get": python("return n", n="${item}")}
    result = ran({"feeds": {"type": "map", "with": {"over": [[1], []], "do": do, "output": "${get | last}"}}})
    assert (result.error.node, result.error.message) == ("feeds", "output: get | last: the list is empty")
