"""A research agent in plain PocketFlow: it looks facts up, writes an answer, and revises it until its reviewers agree.

    Decide ── search ──▶ Research (Search ──▶ Read) ──▶ Decide
    Decide ── answer ──▶ Answer ──▶ Review ── accept ──▶ Finish
    Review ── revise ──▶ Answer

Nothing in this file knows about tracing. Run it as it is, then with eyes::

    python -m pocketflow_otel.demo.agent "Which is older, Big Ben or the Statue of Liberty?"
    pocketflow-otel run -m pocketflow_otel.demo.agent
"""
# mypy: disallow-subclassing-any=False, warn-return-any=False

import asyncio
import sys
from pathlib import Path
from typing import Any

from pocketflow import AsyncFlow, AsyncParallelBatchNode, BatchNode, Flow, Node

from pocketflow_otel.demo.chat_api import UNPRICED_MODEL
from pocketflow_otel.demo.llm_client import call_llm, call_llm_async
from pocketflow_otel.demo.llm_server import demo_server

QUESTION = "Which is taller, the Eiffel Tower or the Statue of Liberty?"
PAGES = Path(__file__).with_name("notes.txt").read_text(encoding="utf-8").split("\n\n")
CRITERIA = ["relevance", "evidence", "brevity"]
SHORT_TOKENS = 16

Store = dict[str, Any]


class Decide(Node):
    """Chooses what to do next from the conversation so far: search for a topic, or answer."""

    def prep(self, shared: Store) -> str:
        return "\n".join(f"{message['role']}: {message['content']}" for message in shared["messages"])

    def exec(self, conversation: str) -> str:
        return call_llm(f"Decide what to do next: `search: <topic>`, or `answer`.\n{conversation}")

    def post(self, shared: Store, conversation: str, decision: str) -> str:
        print(f"Decision: {decision}")
        action, _, shared["topic"] = decision.partition(": ")
        shared["messages"].append({"role": "assistant", "content": decision})
        return action


class Search(Node):
    """Finds the three pages that mention the topic's words most."""

    def prep(self, shared: Store) -> str:
        return shared["topic"]

    def exec(self, topic: str) -> list[str]:
        words = set(topic.split()) - {"of", "the"}
        mentions = {page: sum(page.count(word) for word in words) for page in PAGES}
        found = [page for page in PAGES if mentions[page]]
        return sorted(found, key=mentions.__getitem__, reverse=True)[:3]

    def post(self, shared: Store, topic: str, pages: list[str]) -> None:
        print(f"  pages about {topic}: {len(pages)}")
        shared["pages"] = pages


class Read(BatchNode):
    """Takes from each page the sentence that says most about the question."""

    def prep(self, shared: Store) -> list[str]:
        return [
            f"Summarise the page in one sentence.\nQuestion: {shared['question']}\nPage: {' '.join(page.split())}"
            for page in shared["pages"]
        ]

    def exec(self, prompt: str) -> str:
        return call_llm(prompt)

    def post(self, shared: Store, prompts: list[str], sentences: list[str]) -> None:
        new = [sentence for sentence in sentences if sentence not in shared["notes"]]
        shared["notes"].extend(new)
        shared["messages"].append({"role": "tool", "content": f"{len(new)} new notes"})


class Answer(Node):
    """Writes an answer from the notes, and heeds what the reviewers remarked on the last one.

    It asks a better model, and for few tokens: an answer that is cut off is asked for again, with room for more.
    """

    def prep(self, shared: Store) -> str:
        lines = ["Write a short answer.", f"Question: {shared['question']}"]
        lines += [f"Note: {note}" for note in shared["notes"]]
        lines += [f"Remark: {remark}" for remark in shared["remarks"]]
        return "\n".join(lines)

    def exec(self, prompt: str) -> str:
        answer = call_llm(prompt, model="gpt-4o", max_tokens=SHORT_TOKENS * (self.cur_retry + 1))
        if not answer.endswith("."):
            raise ValueError(f"the answer is cut off: {answer}")
        return answer

    def post(self, shared: Store, prompt: str, answer: str) -> None:
        print(f"Draft: {answer}")
        shared["answer"] = answer
        shared["messages"].append({"role": "assistant", "content": answer})


class Review(AsyncParallelBatchNode):
    """Has the answer reviewed by several criteria at once, and sends it back if one of them is not met.

    The reviewer is a model of one's own, of which nobody knows a price.
    """

    async def prep_async(self, shared: Store) -> list[str]:
        return [f"Review the answer.\nCriterion: {criterion}\nAnswer: {shared['answer']}" for criterion in CRITERIA]

    async def exec_async(self, prompt: str) -> str:
        return await call_llm_async(prompt, model=UNPRICED_MODEL)

    async def post_async(self, shared: Store, prompts: list[str], reviews: list[str]) -> str:
        for criterion, review in zip(CRITERIA, reviews, strict=True):
            print(f"  {criterion}: {review}")
        shared["remarks"] = [review.removeprefix("revise: ") for review in reviews if review != "accept"]
        return "revise" if shared["remarks"] else "accept"


class Finish(Node):
    """Gives the answer."""

    def post(self, shared: Store, prep_res: None, exec_res: None) -> None:
        print(f"Answer: {shared['answer']}")


class Research(Flow):
    """A flow that is one step of another: looks a topic up and notes what the pages say."""


class Agent(AsyncFlow):
    """The whole, async because one of its nodes is."""


def agent() -> AsyncFlow:
    """Connects the nodes."""
    search, read = Search(), Read()
    search >> read

    decide, research, answer, review = Decide(), Research(start=search), Answer(max_retries=3, wait=0.1), Review()
    decide - "search" >> research >> decide
    decide - "answer" >> answer >> review
    review - "revise" >> answer
    review - "accept" >> Finish()
    return Agent(start=decide)


def main(question: str) -> None:
    """Answers a question, with an LLM server of its own unless there is one to use."""
    print(f"Question: {question}")
    messages = [{"role": "user", "content": question}]
    with demo_server():
        asyncio.run(agent().run_async({"question": question, "messages": messages, "notes": [], "remarks": []}))


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or QUESTION)
