"""The program's own code may run in the middle of ours, and its classes may be odd: neither stops a flow."""

import logging
import re
import signal
import sys
import threading

import pocketflow
import pytest

from instrumentation.recording import traced
from pocketflow_otel import budget, record_llm_usage


class Unhashable(type):  # noqa: PLW1641 - which is the point
    def __eq__(cls, other):
        return cls is other


class Odd(metaclass=Unhashable):
    pass


class Asking(type):
    def __hash__(cls):
        raise SystemExit("the program's own code ran")


class Loud(metaclass=Asking):
    pass


@pytest.mark.parametrize("kind", [Odd, Loud])
@pytest.mark.parametrize("content", [False, True])
def test_classes_that_have_no_hash_are_harmless_anywhere(kind, content):
    class Answer(pocketflow.Node):
        def exec(self, prep_res):
            return self.answer

        def post(self, shared, prep_res, exec_res):
            shared["answer"] = exec_res
            shared["held"] = [exec_res]

    class Answers(pocketflow.BatchNode):
        def prep(self, shared):
            return [kind(), kind()]

        def exec(self, item):
            return item

        def post(self, shared, prep_res, exec_res):
            shared["answers"] = exec_res

    node, answer = Answer(), kind()
    node.answer = answer
    node >> Answers(max_retries=2)
    shared = {"given": kind()}
    options = dict.fromkeys(("capture_values", "capture_output", "capture_io"), content)
    with traced(**options) as recording:
        pocketflow.Flow(node).run(shared)

    assert shared["answer"] is answer
    assert len(shared["answers"]) == 2
    assert [span.name for span in recording.spans].count("item") == 2
    assert recording.one("invoke_node Answer").attributes["pocketflow.store.added"] == ("answer", "held")


def test_a_signals_handler_may_print_while_the_program_does(capsys):
    printed = threading.Event()

    def handler(_number, _frame):
        print("tick")
        printed.set()

    class Talk(pocketflow.Node):
        def exec(self, prep_res):
            for _ in range(200_000):
                print("tock")
                if printed.is_set():
                    break

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with traced() as recording:
            signal.setitimer(signal.ITIMER_REAL, 0.005, 0.001)
            try:
                pocketflow.Flow(Talk()).run({})
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)

    text = capsys.readouterr().out  # in which lines may stand inside one another, as without us
    assert set(re.findall(r"tick|tock|.", text)) == {"tick", "tock"}
    assert 0 < recording.one("invoke_node Talk").attributes["pocketflow.stdout.bytes"] <= len(text)


def test_a_handler_of_logs_may_record_a_call():
    class Recording(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())
            thread = threading.Thread(target=record_llm_usage, kwargs={"model": "another", "input_tokens": 1})
            thread.start()
            thread.join(10)
            ended.append(not thread.is_alive())

    seen, ended = [], []

    class Ask(pocketflow.Node):
        def exec(self, prep_res):
            record_llm_usage(model="own-7b", input_tokens=1)

    logger, handler = logging.getLogger("pocketflow_otel"), Recording()
    logger.addHandler(handler)
    try:
        with traced(), budget(usd=1):
            pocketflow.Flow(Ask()).run({})
    finally:
        logger.removeHandler(handler)

    assert seen == ["the budget of $1 does not see what own-7b costs: its price is not known"]
    assert ended == [True]


def test_what_we_log_is_not_what_a_node_printed(capsys):
    class ToStderr(logging.Handler):
        def emit(self, record):
            print(record.getMessage(), file=sys.stderr)

    class Ask(pocketflow.Node):
        def exec(self, prep_res):
            print("asking", file=sys.stderr)
            record_llm_usage(model="own-7b", input_tokens=-1)

    logger, handler = logging.getLogger("pocketflow_otel"), ToStderr()
    logger.addHandler(handler)
    try:
        with traced() as recording, budget(usd=1):
            pocketflow.Flow(Ask()).run({})
    finally:
        logger.removeHandler(handler)

    assert capsys.readouterr().err.splitlines() == [
        "asking",
        "record_llm_usage(input_tokens=…) is ignored: expected a whole number of at least 0, got -1",
        "the budget of $1 does not see what own-7b costs: its price is not known",
    ]
    assert recording.one("invoke_node Ask").attributes["pocketflow.stderr.bytes"] == len("asking\n")
    assert "pocketflow.stderr.bytes" not in recording.one("invoke_workflow Flow").attributes
