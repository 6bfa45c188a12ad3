"""Values as JSON can hold them."""

import dataclasses
import datetime as dt
import enum
import json
import threading
import uuid
from collections import deque
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pydantic
import pytest

from pocketflow_otel.runtime import InvalidInputs, collect, execute, load, prepare
from pocketflow_otel.runtime.values.plain import plain
from runtime.running.running import document, python


class Color(enum.Enum):
    RED = "red"
    DEEP = ("a", 1)


class Level(enum.IntEnum):
    LOW = 1


class Model(pydantic.BaseModel):
    when: dt.date = dt.date(2026, 1, 2)


@dataclasses.dataclass
class Point:
    x: object
    y: int = 2


class Pair(NamedTuple):
    a: int
    b: Point


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Decimal("1.10"), 1.1),
        (Decimal(7), 7),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Color.RED, "red"),
        (Color.DEEP, ["a", 1]),
        (Level.LOW, 1),
        (dt.timedelta(seconds=5.5), 5.5),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00+00:00"),
        (dt.time(1, 2), "01:02:00"),
        (range(3), [0, 1, 2]),
        (deque([1, Decimal(2)]), [1, 2]),
        ({3}, [3]),
        (Pair(1, Point(Color.RED)), [1, {"x": "red", "y": 2}]),
        (Model(), {"when": "2026-01-02"}),
        (PurePosixPath("a/b"), "a/b"),
        (b"text", "text"),
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Fraction(1, 4), 0.25),
        (float("nan"), "nan"),
        ({Color.RED: 1}, {"Color.RED": 1}),
    ],
)
def test_what_holds_data_is_told_as_data(value, told):
    lost: list[str] = []
    assert plain({"deep": [value]}, lost) == {"deep": [told]}
    assert lost == []
    json.dumps(plain(value), allow_nan=False)


class Odd:
    @property
    def __dict__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (threading.Lock(), "lock"),
        (Odd(), "Odd"),
        (b"\xff\xfe", "bytes"),
        (range(10**12), "range"),
        (object(), "object"),
    ],
)
def test_what_is_no_data_is_told_by_type_and_the_loss_is_known(value, kind):
    lost: list[str] = []
    assert isinstance(plain(value, lost), str)
    assert lost == [kind]


def test_decisions_beforehand_are_checked_before_anything_runs():
    ask = {"type": "approve", "with": {"prompt": "Go?"}}
    plan = prepare(load(document({"review": ask, "a": python("return 1")})))
    for decisions, told in (({"revew": "approve"}, "did you mean 'review'?"), ({"review": "aprove"}, "'approve'?")):
        with pytest.raises(InvalidInputs, match=told.replace("?", r"\?")):
            execute(plan, decisions=decisions)
    assert collect(execute(plan, decisions={"review": "reject"})).status == "succeeded"


def test_plans_and_documents_are_short_to_look_at():
    document_ = load(document({"a": python("return 1"), "b": python("return 2")}))
    assert repr(document_) == "<Loaded 'tried' from <document>: 2 nodes>"
    assert repr(prepare(document_)) == "<Plan of 'tried': 2 nodes>"
