"""``run`` with a budget: it holds for all that the program runs."""

import json

import pytest

LOOP = """
import sys
import threading
from pocketflow import Flow, Node

class Ask(Node):
    def exec(self, prep_res):
        return {"model": "gpt-4o", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}

    def post(self, shared, prep_res, exec_res):
        shared["asked"] += 1
        return "again" if shared["asked"] < 10 else "done"

class Done(Node):
    pass

def ask(shared):
    node = Ask()
    node - "again" >> node
    node - "done" >> Done()
    try:
        Flow(node).run(shared)
    except Exception as error:
        print(type(error).__module__, type(error).__name__, error)
    print(shared["asked"])
"""
ONCE = LOOP + "ask({'asked': 0})\n"
TWICE = LOOP + "ask({'asked': 7})\nask({'asked': 0})\n"
IN_A_THREAD = LOOP + "thread = threading.Thread(target=ask, args=({'asked': 0},))\nthread.start()\nthread.join()\n"


# gpt-4o: $2.50 a million tokens in, $10 out: $0.0035 a call.
@pytest.mark.parametrize(
    ("flag", "limit", "asked", "says"),
    [
        ("--budget-usd", "0.01", 3, "budget of $0.01 used up before node Ask: $0.0105 spent"),
        ("--budget-tokens", "2200", 2, "budget of 2,200 tokens used up before node Ask: 2,200 tokens spent"),
        ("--budget-visits", "4", 4, "budget of 4 node visits used up before node Ask: 4 node visits spent"),
    ],
)
def test_flows_are_stopped_at_a_limit(shell, flag, limit, asked, says):
    shell.write("agent.py", ONCE)

    outcome = shell.pocketflow_otel("run", "--quiet", flag, limit, "agent.py")

    assert (outcome.status, outcome.stdout) == (0, f"pocketflow_otel.budgets BudgetExceeded {says}\n{asked}\n")
    [file] = shell.traces.glob("*.jsonl")
    spans = [
        {attribute["key"]: next(iter(attribute["value"].values())) for attribute in span["attributes"]}
        | {"name": span["name"]}
        for line in file.read_text().splitlines()
        for scope in json.loads(line)["resourceSpans"][0]["scopeSpans"]
        for span in scope["spans"]
    ]
    whole = spans[-1]
    assert whole["name"] == "invoke_workflow Flow"
    assert whole["pocketflow.budget.exceeded"] == flag.removeprefix("--budget-")
    assert float(whole["pocketflow.budget.limit"]) == float(limit)
    assert int(whole["pocketflow.usage.calls"]) == asked


def test_the_budget_is_the_programs(shell):
    shell.write("agent.py", TWICE)

    outcome = shell.pocketflow_otel("run", "--quiet", "--budget-visits", "6", "agent.py")

    says = "pocketflow_otel.budgets BudgetExceeded budget of 6 node visits used up before node Ask: 6 node visits spent"
    assert (outcome.status, outcome.stdout) == (0, f"10\n{says}\n2\n")


def test_threads_are_held_to_it(shell):
    shell.write("agent.py", IN_A_THREAD)

    outcome = shell.pocketflow_otel("run", "--quiet", "--budget-visits", "2", "agent.py")

    assert outcome.stdout.splitlines()[-1] == "2"


def test_time_runs_from_the_programs_start(shell):
    shell.write("agent.py", ONCE)

    outcome = shell.pocketflow_otel("run", "--quiet", "--budget-seconds", "0", "agent.py")

    assert outcome.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize("value", ["-1", "much", ""])
def test_a_limit_that_is_none_is_a_wrong_command_line(shell, value):
    shell.write("agent.py", ONCE)

    outcome = shell.pocketflow_otel("run", "--budget-usd", value, "agent.py")

    assert (outcome.status, outcome.stdout) == (2, "")
    assert "--budget-usd" in outcome.stderr
