"""Secrets that a program tells are masked in every trace of its process."""

import base64
import gc
import weakref
from urllib.parse import quote

import pytest

from pocketflow_otel.capture import told
from pocketflow_otel.capture.redaction import MASK
from pocketflow_otel.capture.seen import SeenSecrets

SECRET = "correct horse & battery"


@pytest.fixture(autouse=True)
def _told_to_nobody_else(monkeypatch):
    monkeypatch.setattr(told, "_told", SeenSecrets())


def of(*texts):
    secrets = SeenSecrets()
    for text in texts:
        secrets.add(text)
    return secrets


def test_a_trace_of_a_process_that_told_nothing_knows_nothing():
    assert told.new_trace().known is False


def test_traces_that_begin_later_and_those_under_way_mask_what_was_told():
    under_way = told.new_trace()
    told.tell(of(SECRET))
    for trace in (under_way, told.new_trace()):
        assert trace.known
        assert trace.mask(f"a {SECRET} b") == f"a {MASK} b"


@pytest.mark.parametrize("form", [quote(SECRET), quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()])
def test_it_is_masked_in_other_spellings(form):
    told.tell(of(SECRET))
    assert told.new_trace().mask(f"<{form}>") == f"<{MASK}>"


def test_what_a_trace_has_met_itself_stays_known_and_stays_its_own():
    one, other = told.new_trace(), told.new_trace()
    one.add("met-by-one-9")
    told.tell(of(SECRET))
    assert one.mask(f"met-by-one-9 {SECRET}") == f"{MASK} {MASK}"
    assert other.mask(f"met-by-one-9 {SECRET}") == f"met-by-one-9 {MASK}"


def test_a_trace_that_has_met_many_takes_over_what_is_told():
    trace = told.new_trace()
    for number in range(1200):
        trace.add(f"secret-number-{number}")
    told.tell(of(SECRET))
    assert trace.mask(SECRET) == MASK


def test_of_very_many_the_latest_are_kept():
    for number in range(told.MOST + 10):
        told.tell(of(f"secret-number-{number}"))
    trace = told.new_trace()
    assert trace.mask(f"secret-number-{told.MOST + 9}") == MASK
    assert trace.mask("secret-number-9") == "secret-number-9"
    told.tell(of("secret-number-9"))
    assert told.new_trace().mask("secret-number-9") == MASK


def test_traces_that_are_over_are_let_go():
    trace = told.new_trace()
    reference = weakref.ref(trace)
    del trace
    gc.collect()
    assert reference() is None
