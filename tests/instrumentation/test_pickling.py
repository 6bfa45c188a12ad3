"""Nodes and flows are copied and pickled while they are traced as they are untraced."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pocketflow
import pytest

from instrumentation.processes import run_script
from instrumentation.recording import traced


class Ask(pocketflow.Node):
    def __init__(self, question: str = "why?") -> None:
        super().__init__(max_retries=2)
        self.question = question

    def exec(self, prep_res: Any) -> str:
        return f"answer to {self.question}"

    @classmethod
    def made_for(cls, question: str) -> "Ask":
        return cls(question)


def flow() -> pocketflow.Flow:
    start = Ask()
    start - "again" >> start
    start >> Ask("how?")
    return pocketflow.Flow(start)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_hold_nothing_of_ours(protocol: int) -> None:
    plain = pickle.dumps(flow(), protocol)
    with traced():
        flow().run({})
        hooked = pickle.dumps(flow(), protocol)
    assert hooked == plain


def test_what_was_pickled_traced_runs_untraced_and_the_other_way_round() -> None:
    plain = pickle.dumps(flow())
    with traced() as recording:
        hooked = pickle.dumps(flow())
        pickle.loads(plain).run({})
    assert len(recording.named("invoke_node Ask#2")) == 1
    pickle.loads(hooked).run({})
    assert len(recording.spans) == 5


@pytest.mark.parametrize("name", ["exec", "_exec", "_run", "run", "exec_fallback", "prep"])
def test_bound_methods_are_pickled(name: str) -> None:
    with traced():
        Ask().run({})
        method = pickle.loads(pickle.dumps(getattr(Ask("what?"), name)))
        assert method.__name__ == name
        assert method.__self__.question == "what?"
    assert pickle.loads(pickle.dumps(getattr(Ask("what?"), name))).__self__.question == "what?"


def test_functions_and_class_methods_are_pickled_by_name() -> None:
    with traced():
        Ask().run({})
        assert pickle.loads(pickle.dumps(Ask.exec)) == Ask.exec
        assert pickle.loads(pickle.dumps(pocketflow.Flow._orch)) == pocketflow.Flow._orch
        assert pickle.loads(pickle.dumps(Ask.made_for))("who?").question == "who?"


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_nodes_flows_and_methods_are_copied(copier: Any) -> None:
    with traced() as recording:
        Ask().run({})
        copied = copier(Ask("what?"))
        assert copied.question == "what?"
        assert copied.exec(None) == "answer to what?"
        assert copier(Ask("what?").exec)(None) == "answer to what?"
        copier(flow()).run({})
    assert len(recording.named("invoke_workflow Flow")) == 1
    assert vars(copied).keys() == vars(Ask()).keys()


def test_a_flow_and_its_methods_reach_a_spawned_process(tmp_path: Path) -> None:
    (tmp_path / "nodes.py").write_text(
        """
import pocketflow

class Double(pocketflow.Node):
    def __init__(self):
        super().__init__(max_retries=2)

    def exec(self, prep_res):
        return 2 * self.params["number"]

    def post(self, shared, prep_res, exec_res):
        shared["result"] = exec_res

def run(flow, number):
    flow.set_params({"number": number})
    shared = {}
    flow.run(shared)
    return shared["result"]
"""
    )
    script = """
    import json
    import multiprocessing

    import nodes
    import pocketflow
    from pocketflow_otel import PocketFlowInstrumentor

    if __name__ == "__main__":
        PocketFlowInstrumentor().instrument()
        node = nodes.Double()
        node.set_params({"number": 4})
        node.run({})
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            first = pool.apply(nodes.run, (pocketflow.Flow(nodes.Double()), 21))
            second = pool.apply(node.exec, (None,))
        print(json.dumps([first, second]))
    """
    assert run_script(tmp_path, script) == [42, 8]
