"""What a person is asked, and what they decide."""

from __future__ import annotations

from dataclasses import dataclass

from pocketflow_otel.runtime.documents.faults import nearest


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided.

    Attributes:
        workflow: The workflow's name.
        node: The node that asks.
        prompt: The question.
        shown: What to decide about, as text; empty where there is nothing to show.
        choices: The answers there are.
        takes_comment: Whether a comment is asked for as well.
    """

    workflow: str
    node: str
    prompt: str
    shown: str
    choices: tuple[str, ...]
    takes_comment: bool

    @property
    def alternatives(self) -> str:
        """The choices as a phrase: ``approve, revise or reject``."""
        *others, last = self.choices
        return f"{', '.join(others)} or {last}" if others else last

    def choice(self, text: str) -> str:
        """The choice that a text names.

        Raises:
            ValueError: It names none; a sentence says which there are.
        """
        text = text.strip()
        if text in self.choices:
            return text
        near = nearest(text, self.choices)
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"expected {self.alternatives}, not {text[:80]!r}{hint}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided.

    Attributes:
        choice: The choice.
        comment: What they said about it; empty for nothing.
        who: Who they are, where that is known.
    """

    choice: str
    comment: str = ""
    who: str | None = None
