"""Asks in the terminal that the run was started from."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from pocketflow_otel.runtime import terminal as terminals
from pocketflow_otel.runtime.nodes.approval.question import Decision, Question
from pocketflow_otel.runtime.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Callable


async def decided(question: Question) -> Decision:
    """What the person at the terminal decides; asks until the answer is one of the choices.

    Raises:
        NoTerminalError: There is no terminal, or it was closed.
    """
    with terminals.opened() as terminal:
        async with terminals.alone():
            say = terminals.speaker(terminal)
            terminals.forget_typed(terminal)
            say(_text(question))
            choice = await _choice(question, terminal, say)
            comment = ""
            if question.takes_comment:
                say("comment (none: just Enter): ")
                comment = (await terminals.line(terminal)).strip()
            return Decision(choice, comment, _user())


def _text(question: Question) -> str:
    shown = f"\n{visible(question.shown)}\n" if question.shown else ""
    numbered = "  ".join(f"{number} {choice}" for number, choice in enumerate(question.choices, 1))
    return f"\n{question.workflow} · {question.node}: {visible(question.prompt)}\n{shown}\n{numbered}\n> "


async def _choice(question: Question, terminal: int, say: Callable[[str], None]) -> str:
    by_number = {str(number): choice for number, choice in enumerate(question.choices, 1)}
    while True:
        line = (await terminals.line(terminal)).strip()
        if line:
            try:
                return question.choice(by_number.get(line, line))
            except ValueError as error:
                say(f"{visible(str(error))}\n")
        say("> ")


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name
        return None
