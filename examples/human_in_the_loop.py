"""A person in the loop: the model drafts, you approve or say what to change, and it revises until you approve.

`Review` asks in its `exec` and turns the answer into an action; "revise" leads through `Revise` back to it. Without a
terminal the answers are read from standard input, and where that has no more lines the draft is approved.

Run: python examples/human_in_the_loop.py
  or: printf 'make it shorter\ny\n' | python examples/human_in_the_loop.py
"""

import sys

from pocketflow import Flow, Node

from fake_llm import call_llm

YES = ("", "y", "yes", "ok")


def ask(question):
    try:
        answer = input(question)
    except EOFError:
        answer = "y"
    if not sys.stdin.isatty():
        print(answer)  # only a terminal shows what was typed
    return answer.strip()


class Draft(Node):
    def prep(self, shared):
        return shared["subject"]

    def exec(self, subject):
        return call_llm(f"Draft an announcement about {subject}.")

    def post(self, shared, prep_res, draft):
        shared["drafts"].append(draft)
        shared["messages"].append({"role": "assistant", "content": draft})


class Review(Node):
    def prep(self, shared):
        return len(shared["drafts"]), shared["drafts"][-1]

    def exec(self, inputs):
        number, draft = inputs
        print(f"Draft {number}: {draft}")
        return ask("Enter to approve, or say what to change: ")

    def post(self, shared, prep_res, answer):
        shared["messages"].append({"role": "user", "content": answer})
        if answer.lower() in YES:
            shared["review"]["approved"] = True
            return "approve"
        shared["review"]["rounds"] += 1
        shared["feedback"] = answer
        return "revise"


class Revise(Node):
    def prep(self, shared):
        return shared["drafts"][-1], shared["feedback"]

    def exec(self, inputs):
        draft, feedback = inputs
        return call_llm(f"Revise the text: {feedback}\n\n{draft}")

    def post(self, shared, prep_res, draft):
        shared["drafts"].append(draft)
        shared["messages"].append({"role": "assistant", "content": draft})
        del shared["feedback"]


class Publish(Node):
    def prep(self, shared):
        return shared["drafts"][-1]

    def post(self, shared, announcement, exec_res):
        shared["published"] = announcement
        print(f"Published draft {len(shared['drafts'])}: {announcement}")


def create_flow() -> Flow:
    draft, review, revise = Draft(max_retries=2), Review(), Revise(max_retries=2)
    draft >> review
    review - "approve" >> Publish()
    review - "revise" >> revise >> review
    return Flow(start=draft)


def main() -> dict:
    shared = {
        "subject": "our new search",
        "drafts": [],
        "messages": [],
        "review": {"approved": False, "rounds": 0},
    }
    create_flow().run(shared)
    return shared


if __name__ == "__main__":
    main()
