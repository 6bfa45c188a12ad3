"""What came of a run, as JSON and in sentences."""

import copy
import dataclasses
import json
import pickle

import pytest

from pocketflow_otel.runtime import collect, execute, load, prepare
from runtime.running.running import document, python

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
