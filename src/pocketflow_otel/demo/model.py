"""The language model behind the demo's server: a few rules, so that the same messages always get the same reply.

It knows four tasks by their wording (decide, summarise, answer, review) and greets everything else with an echo. What
it says comes from the prompt alone: it looks facts up in the lines it is given and remembers nothing.
"""

import re
from collections.abc import Callable
from typing import Final

_WORD: Final = re.compile(r"\w+")
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_PROPER_NAME: Final = re.compile(r"[A-Z]\w+(?: (?:of |the )*[A-Z]\w+)*")
_FILLER: Final = frozenset(
    _WORD.findall(
        "about and are at between by can compare could did do does for from has have how in into is its many much of "
        "on or should tell than that the their there these they this to was were what when where which who whose why "
        "will with would you your"
    )
)
_METRES: Final = re.compile(r"\d+ metres")
_YEAR: Final = re.compile(r"\b[12]\d{3}\b")
_MOST_SUBJECTS: Final = 3
_LEAST_LETTERS: Final = 4
_MOST_WORDS: Final = 40

_COMPARISONS: Final[dict[str, tuple[re.Pattern[str], Callable[..., str]]]] = {
    "taller": (_METRES, max),
    "shorter": (_METRES, min),
    "older": (_YEAR, min),
    "younger": (_YEAR, max),
}
"""For each comparative: the figure that decides, and which end of the scale wins."""


def reply(prompt: str) -> str:
    """The model's reply to a prompt."""
    for wording, rule in _RULES.items():
        if prompt.startswith(wording):
            return rule(prompt)
    return f"You said: {prompt.strip()}"


def split_tokens(text: str) -> list[str]:
    """The words and punctuation marks of a text: what this model calls tokens."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """The number of tokens in a text."""
    return len(split_tokens(text))


def limit_tokens(text: str, limit: int) -> str:
    """The text up to and including its token number `limit`."""
    ends = [match.end() for match in _TOKEN.finditer(text)]
    return text if len(ends) <= limit else text[: ends[limit - 1]]


def _decide(prompt: str) -> str:
    question = _field(prompt, "user")
    searched = set(_fields(prompt, "assistant: search"))
    missing = [subject for subject in _subjects(question) if subject not in searched]
    return f"search: {missing[0]}" if missing else "answer"


def _summarise(prompt: str) -> str:
    question = _field(prompt, "Question")
    wanted, comparative = _stems(question), _comparative(question)

    def relevance(sentence: str) -> tuple[bool, int]:
        decides = comparative is not None and _COMPARISONS[comparative][0].search(sentence) is not None
        return decides, len(wanted & _stems(sentence))

    return max(_SENTENCE_END.split(_field(prompt, "Page")), key=relevance)


def _answer(prompt: str) -> str:
    question, notes, remarks = _field(prompt, "Question"), _fields(prompt, "Note"), _fields(prompt, "Remark")
    if not notes:
        return "I do not know."
    return _compare(question, notes, with_figures=bool(remarks)) or notes[0]


def _compare(question: str, notes: list[str], *, with_figures: bool) -> str | None:
    """Who wins the comparison that the question asks for, if it does and the notes have a figure for everyone."""
    comparative, subjects = _comparative(question), _subjects(question)
    if comparative is None or len(subjects) == 1:
        return None
    pattern, winner_of = _COMPARISONS[comparative]
    figures: dict[str, str] = {}
    for subject in subjects:
        for note in notes:
            if subject in note and (figure := pattern.search(note)):
                figures.setdefault(subject, figure[0])
    if len(figures) < len(subjects):
        return None
    winner = winner_of(figures, key=lambda subject: int(figures[subject].split()[0]))
    names = {subject: f"the {subject}" if f"the {subject}" in question else subject for subject in subjects}
    claim = f"{names[winner][0].upper()}{names[winner][1:]} is {comparative}"
    others = ", ".join(f"{figures[subject]} for {names[subject]}" for subject in subjects if subject != winner)
    return f"{claim}: {figures[winner]}, against {others}." if with_figures else f"{claim}."


def _review(prompt: str) -> str:
    criterion, answer = _field(prompt, "Criterion"), _field(prompt, "Answer")
    if criterion == "brevity" and len(answer.split()) > _MOST_WORDS:
        return "revise: say it in one sentence"
    if criterion == "evidence" and _comparative(answer) and not any(map(str.isdigit, answer)):
        return "revise: give the figures"
    return "accept"


def _field(prompt: str, label: str) -> str:
    """The rest of the first line that begins with the label, or nothing."""
    return next(iter(_fields(prompt, label)), "")


def _fields(prompt: str, label: str) -> list[str]:
    return [line.removeprefix(f"{label}: ") for line in prompt.splitlines() if line.startswith(f"{label}: ")]


def _subjects(question: str) -> list[str]:
    """What a question is about: its proper names, or else its longer words."""
    words = [word for word in _WORD.findall(question) if word.lower() not in _FILLER and len(word) >= _LEAST_LETTERS]
    # A question word's capital is not a name's: "Is Big Ben" asks about "Big Ben".
    first_word, _, rest = question.partition(" ")
    names = _PROPER_NAME.findall(rest if first_word.lower() in _FILLER else question)
    return list(dict.fromkeys(names or words))[:_MOST_SUBJECTS]


def _comparative(text: str) -> str | None:
    return next((word for word in _WORD.findall(text) if word in _COMPARISONS), None)


def _stems(text: str) -> set[str]:
    """The first four letters of each word of substance, which are alike in tall and taller, open and opened."""
    return {word.lower()[:4] for word in _WORD.findall(text) if word.lower() not in _FILLER}


_RULES: Final[dict[str, Callable[[str], str]]] = {
    "Decide what to do next": _decide,
    "Summarise the page": _summarise,
    "Write a short answer": _answer,
    "Review the answer": _review,
}
"""The tasks, each known by how its prompt begins."""
