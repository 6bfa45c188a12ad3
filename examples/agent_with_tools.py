"""An agent that decides, again and again, which tool to use next, until it can answer.

`Decide` returns the tool's name as its action, each tool leads back to `Decide`, and `Answer` ends the loop. The search
engine is flaky: every third call times out, and `Search` tries again. `shared["usage"]` adds up the tokens that the
model has used.

Run: python examples/agent_with_tools.py
"""

import ast
import json
import operator

from pocketflow import Flow, Node

from fake_llm import ask_llm, text_of

MAX_STEPS = 12
PAGES = {
    "population of Iceland": "Iceland has 389,000 inhabitants.",
    "area of Iceland": "Iceland covers 103,000 square kilometres.",
    "population of Norway": "Norway has 5,594,000 inhabitants.",
    "area of Norway": "Norway covers 385,000 square kilometres.",
}
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class SearchEngine:
    def __init__(self, pages):
        self.pages = pages
        self.calls = 0

    def search(self, query):
        self.calls += 1
        if self.calls % 3 == 0:
            raise TimeoutError(f"no answer for {query!r}")
        return self.pages[query]


def calculate(expression):
    """Evaluates +, -, * and / between two numbers, and nothing else."""
    match ast.parse(expression, mode="eval").body:
        case ast.BinOp(left=ast.Constant(value=left), op=op, right=ast.Constant(value=right)):
            return OPERATORS[type(op)](left, right)
    raise ValueError(f"cannot calculate {expression!r}")


def notes(messages):
    return "\n".join(message["content"] for message in messages if message["role"] == "tool")


def record(shared, tool, result):
    shared["messages"].append({"role": "tool", "content": f"{tool}({shared['tool_input']}): {result}"})
    shared["stats"]["tools"][tool] += 1


def add_usage(shared, response):
    for kind, tokens in response["usage"].items():
        shared["usage"][kind] += tokens


class Decide(Node):
    def prep(self, shared):
        return shared["question"], notes(shared["messages"])

    def exec(self, inputs):
        question, known = inputs
        response = ask_llm(
            f"Decide what to do next: search, calculate or answer.\n\n"
            f"Question: {question}\n\nNotes:\n{known}\n\n"
            f'Reply in JSON: {{"action": ..., "input": ..., "reason": ...}}'
        )
        decision = json.loads(text_of(response))
        if decision["action"] not in ("search", "calculate", "answer"):
            raise ValueError(f"no such tool: {decision['action']}")
        return decision, response

    def post(self, shared, prep_res, exec_res):
        decision, response = exec_res
        add_usage(shared, response)
        shared["messages"].append({"role": "assistant", "content": decision["reason"]})
        shared["tool_input"] = decision["input"]
        shared["stats"]["steps"] += 1
        print(f"{shared['stats']['steps']}. {decision['action']} {decision['input']}".rstrip())
        return decision["action"] if shared["stats"]["steps"] < MAX_STEPS else "answer"


class Search(Node):
    def prep(self, shared):
        return shared["search_engine"], shared["tool_input"]

    def exec(self, inputs):
        engine, query = inputs
        return engine.search(query)

    def exec_fallback(self, inputs, exc):
        return f"nothing found ({exc})"

    def post(self, shared, prep_res, page):
        record(shared, "search", page)


class Calculate(Node):
    def prep(self, shared):
        return shared["tool_input"]

    def exec(self, expression):
        return round(calculate(expression), 2)

    def post(self, shared, expression, result):
        record(shared, "calculate", result)


class Answer(Node):
    def prep(self, shared):
        return shared["question"], notes(shared["messages"])

    def exec(self, inputs):
        question, known = inputs
        return ask_llm(f"Answer from the notes.\n\nQuestion: {question}\n\nNotes:\n{known}")

    def post(self, shared, prep_res, response):
        add_usage(shared, response)
        shared["answer"] = text_of(response)
        del shared["tool_input"]
        print(shared["answer"])


def create_agent() -> Flow:
    decide = Decide(max_retries=2)
    search = Search(max_retries=3, wait=0.01)
    calculator = Calculate()
    decide - "search" >> search
    decide - "calculate" >> calculator
    decide - "answer" >> Answer()
    search >> decide
    calculator >> decide
    return Flow(start=decide)


def main() -> dict:
    shared = {
        "question": "Which is more densely populated, Iceland or Norway?",
        "messages": [],
        "search_engine": SearchEngine(PAGES),
        "stats": {"steps": 0, "tools": {"search": 0, "calculate": 0}},
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }
    create_agent().run(shared)
    return shared


if __name__ == "__main__":
    main()
