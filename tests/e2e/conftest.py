"""What the end-to-end tests share: a place to run programs in, and a program that does a little of everything."""

from pathlib import Path

import pytest

from e2e.processes import Programs

AGENT = """
from pocketflow import BatchNode, Flow, Node

class Ask(Node):
    def exec(self, prep_res):
        print("asking")
        return "yes"

    def post(self, shared, prep_res, exec_res):
        shared["answer"] = exec_res
        return "answered"

class Check(BatchNode):
    def prep(self, shared):
        return ["one", "two"]

    def exec(self, item):
        if item == "two" and self.cur_retry == 0:
            raise ValueError("not yet")
        return len(item)

    def post(self, shared, prep_res, exec_res):
        shared["checked"] = exec_res

class Checks(Flow):
    pass

ask = Ask()
ask - "answered" >> Checks(start=Check(max_retries=2))
shared = {}
Flow(start=ask).run(shared)
print(shared)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """A working directory with ``agent.py`` in it, whose trace is `AGENT_OUTLINE`."""
    programs = Programs(tmp_path)
    programs.write("agent.py", AGENT)
    return programs
