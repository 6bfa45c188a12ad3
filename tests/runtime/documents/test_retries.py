"""Errors named in ``retry.on``: a slip is told when a document is loaded, what may be an error somewhere is not."""

import textwrap

import pytest

from pocketflow_otel.runtime.documents.checks import faults_of
from pocketflow_otel.runtime.registry.registry import Registry

REQUEST = {"type": "http.request", "with": {"url": "http://127.0.0.1"}}
CHAT = {"type": "llm.chat", "with": {"model": "m", "prompt": "hi"}}
CODE = {"type": "python", "with": {"code": "return 1"}}


def found(node, *names, **more):
    retry = {"tries": 2, "on": list(names)}
    return faults_of({"workflow": "w", "nodes": {"a": {**node, "retry": retry}}, **more}, Registry())


@pytest.mark.parametrize(
    ("node", "name", "near"),
    [
        (REQUEST, "HttpStatusErr", "HttpStatusError"),
        (REQUEST, "httpstatuserror", "HttpStatusError"),
        (CHAT, "LlmRateLimtError", "LlmRateLimitError"),
        (CODE, "TimeoutErr", "TimeoutError"),
        (CODE, "NodeTimeuot", "NodeTimeout"),
    ],
)
def test_a_misspelled_error_is_told_with_the_one_that_was_meant(node, name, near):
    (fault,) = found(node, "OSError", name)

    assert (fault.path, fault.near) == ("nodes.a.retry.on[1]", near)
    assert repr(name) in fault.message


@pytest.mark.parametrize(
    "name",
    ["ConnectError", "IPError", "ParserError", "IndexingError", "RateLimitError", "MyOwnError", "httpx.ConectError"],
)
def test_what_may_be_the_name_of_another_error_is_not_told(name):
    assert found(CODE, name) == []
    assert found(REQUEST, name) == []


def test_errors_of_a_node_s_own_module_are_known(tmp_path, monkeypatch):
    (tmp_path / "shops_of_a_test.py").write_text(
        textwrap.dedent(
            """
            class TimeoutErro(Exception): ...
            class SoldOutError(Exception): ...
            def buy(): raise SoldOutError
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    node = {"type": "shops_of_a_test:buy"}

    assert found(node, "SoldOutError", "TimeoutErro") == []
    (fault,) = found(node, "SoldOotError")
    assert fault.near == "SoldOutError"


def test_defaults_may_name_the_errors_of_any_node_and_those_inside_others_are_looked_at():
    inside = {**REQUEST, "retry": {"tries": 2, "on": ["HttpErr"]}}
    nodes = {"a": CODE, "each": {"type": "map", "with": {"over": [1], "do": {"b": inside}}}}
    defaults = {"retry": {"tries": 2, "on": ["HttpStatusError", "HttpStatsError"]}}

    faults = faults_of({"workflow": "w", "nodes": nodes, "defaults": defaults}, Registry())

    assert [(fault.path, fault.near) for fault in faults] == [
        ("defaults.retry.on[1]", "HttpStatusError"),
        ("nodes.each.with.do.b.retry.on[0]", "HttpError"),
    ]
