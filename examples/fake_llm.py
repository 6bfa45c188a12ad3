"""A language model for the examples: it needs no network, and the same prompt always gets the same answer.

The first word of a prompt says what is wanted, and rules make up the answer. `ask_llm` gives the whole response, as
OpenAI's chat completions API has it, with the tokens that were used; `call_llm` and `call_llm_async` give its text. To
run an example on a real model, call your provider's client in these three instead.
"""

import asyncio
import json
import re
import time
import uuid
from collections import Counter

MODEL = "gpt-4o-mini"
CHARACTERS_PER_TOKEN = 4
LATENCY_SECONDS = 0.004
PRAISE = {"love", "great", "sturdy", "quiet", "comfortable", "bright", "perfect"}
BLAME = {"broke", "noisy", "late", "flickers", "returned", "wobbles", "awful"}
ADVICE = {
    "Why": "What cannot be seen is guessed at, and guesses are slow to check.",
    "First": "Begin with one small example, measure it, and only then add the next.",
    "Mistakes": "Doing it everywhere at once is the most common one.",
}


def ask_llm(prompt: str) -> dict:
    time.sleep(LATENCY_SECONDS)
    return respond(prompt)


def call_llm(prompt: str) -> str:
    return text_of(ask_llm(prompt))


async def call_llm_async(prompt: str) -> str:
    await asyncio.sleep(LATENCY_SECONDS)
    return text_of(respond(prompt))


def text_of(response: dict) -> str:
    return response["choices"][0]["message"]["content"]


def respond(prompt: str) -> dict:
    text = complete(prompt)
    read, written = (len(each) // CHARACTERS_PER_TOKEN + 1 for each in (prompt, text))
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written},
    }


def complete(prompt: str) -> str:
    skill = SKILLS.get(prompt.split(maxsplit=1)[0].lower())
    return skill(prompt) if skill else "I am not sure what you are asking for."


def decide(prompt: str) -> str:
    """Picks the next tool: search for what the notes lack, then calculate, then answer."""
    known = read_notes(prompt)
    for country in read_countries(prompt):
        facts = f"population of {country}", f"area of {country}"
        for fact in facts:
            if fact not in known:
                return json.dumps({"action": "search", "input": fact, "reason": f"I need the {fact}."})
        expression = " / ".join(first_number(known[fact]) for fact in facts)
        if expression not in known:
            reason = f"I need the density of {country}."
            return json.dumps({"action": "calculate", "input": expression, "reason": reason})
    return json.dumps({"action": "answer", "input": "", "reason": "The notes hold all I need."})


def answer(prompt: str) -> str:
    densities = [result for expression, result in read_notes(prompt).items() if "/" in expression]
    ranking = sorted(zip(read_countries(prompt), densities, strict=False), key=lambda pair: -float(pair[1]))
    if not ranking:
        return "I could not find out."
    return f"{ranking[0][0]}: " + " against ".join(f"{density} people per km2" for _, density in ranking) + "."


def extract(prompt: str) -> str:
    """Answers in JSON where the text is about an outage, and in prose where it is not, as models do."""
    outage = re.search(r"(\w+) (?:was|were) down for (\d+) minutes because of an? ([\w ]+)", prompt)
    if not outage:
        return "I'm sorry, this text does not seem to describe an incident."
    service, minutes, cause = outage.groups()
    return json.dumps({"service": service, "minutes": int(minutes), "cause": cause})


def summarize(prompt: str) -> str:
    """Picks the sentence whose words turn up most often in the text."""
    text = prompt.partition("\n\n")[2]
    counts = Counter(re.findall(r"\w{5,}", text.lower()))
    sentences = re.findall(r"[^.]+\.", text)
    best = max(sentences, key=lambda line: sum(counts[word] for word in set(re.findall(r"\w{5,}", line.lower()))))
    return " ".join(best.split())


def classify(prompt: str) -> str:
    words = set(re.findall(r"\w+", prompt.partition("\n\n")[2].lower()))
    praised, blamed = bool(words & PRAISE), bool(words & BLAME)
    if praised and blamed:
        return "mixed"
    return "positive" if praised else "negative" if blamed else "I cannot tell from this text."


def outline(prompt: str) -> str:
    topic = prompt.partition("about ")[2].rstrip(".")
    return f"Why {topic} pays off\nFirst steps with {topic}\nMistakes in {topic}"


def write(prompt: str) -> str:
    heading = prompt.partition('"')[2].rpartition('"')[0]
    return f"{heading}: {ADVICE.get(heading.partition(' ')[0], 'There is little to say about this.')}"


def notify(prompt: str) -> str:
    name, news = prompt.removeprefix("Notify ").split(": ", 1)
    return f"Dear {name}, this is the news about your order: {news}"


def draft(prompt: str) -> str:
    subject = prompt.partition("about ")[2].rstrip(".")
    return f"Good news about {subject}. We have worked on it for months. Try it today. Tell us what you think."


def revise(prompt: str) -> str:
    instruction, _, text = prompt.partition("\n\n")
    sentences = re.findall(r"[^.]+\.", text)
    if "short" in instruction:
        return "".join(sentences[: max(1, len(sentences) // 2)])
    return f"{text} (Revised as you asked: {instruction.partition(': ')[2]}.)"


def read_notes(prompt: str) -> dict[str, str]:
    return dict(re.findall(r"^\w+\((.+?)\): (.+)$", prompt, re.MULTILINE))


def read_countries(prompt: str) -> list[str]:
    choice = re.search(r"(\w+) or (\w+)\?", prompt)
    return list(choice.groups()) if choice else []


def first_number(text: str) -> str:
    number = re.search(r"\d[\d,]*", text)
    return number.group().replace(",", "") if number else "0"


SKILLS = {
    skill.__name__: skill
    for skill in (decide, answer, extract, summarize, classify, outline, write, notify, draft, revise)
}
