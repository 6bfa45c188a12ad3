"""Node types of one's own whose models do not say what is to become of fields that they do not know."""

import pytest

from pocketflow_otel.runtime import collect, execute, load, prepare
from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.registry.registry import Registry

MODULE = """
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pocketflow_otel.runtime import FunctionType

class Silent(BaseModel):
    limit: int = 1
    top: int = Field(default=1, validation_alias=AliasChoices("top", "highest"))

    @model_validator(mode="before")
    @classmethod
    def _as_it_was_once(cls, given):
        return {"limit" if key == "cap" else key: value for key, value in given.items()}

class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")
    limit: int = 1

class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    limit: int = 1

def give(config, context):
    assert isinstance(config, (Silent, Ignoring, Open))
    return config.model_dump()

silent, ignoring, open_ = (FunctionType(kind.__name__, "Gives.", kind, give) for kind in (Silent, Ignoring, Open))
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "models_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))


def document(name, given):
    return {"workflow": "w", "nodes": {"a": {"type": f"models_of_a_test:{name}", "with": given}}}


@pytest.mark.parametrize("name", ["silent", "ignoring"])
def test_a_field_that_the_model_does_not_know_is_told_with_the_nearest(name):
    (fault,) = faults_of(document(name, {"limt": 2}), Registry())

    assert (fault.path, fault.near) == ("nodes.a.with.limt", "limit")
    assert fault.message.startswith("'limt' is no field here; there are limit")


@pytest.mark.parametrize(
    ("name", "given", "output"),
    [
        ("open_", {"limt": 2}, {"limit": 1, "limt": 2}),
        ("silent", {"cap": 5, "highest": 3}, {"limit": 5, "top": 3}),
    ],
)
def test_what_a_model_takes_it_is_given(name, given, output):
    assert collect(execute(prepare(load(document(name, given))))).outputs == {"a": output}
