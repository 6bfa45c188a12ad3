"""A program that does a little of everything, what it prints, and what its trace looks like."""

SOURCE = """
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

OUTPUT = "asking\n{'answer': 'yes', 'checked': [3, 3]}\n"

OUTLINE = """\
invoke_workflow Flow -> default +answer,checked
  invoke_node Ask #1 -> answered -> Checks +answer
  invoke_workflow Checks flow #1 -> default +checked
    invoke_node Check batch #1 -> default items=2 +checked
      item 0
        attempt 1
      item 1 attempts=2
        attempt 1 ValueError
        attempt 2"""
