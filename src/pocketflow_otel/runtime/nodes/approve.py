"""``approve``: a person decides how the run goes on."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from pocketflow_otel.runtime.documents.model import Part, Seconds
from pocketflow_otel.runtime.nodes.approval.question import Decision, Question
from pocketflow_otel.runtime.nodes.files.places import located
from pocketflow_otel.runtime.registry.node_types import FunctionType, Output, Waiting
from pocketflow_otel.runtime.registry.shapes import object_of

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.registry.node_types import Context

DEFAULT_CHOICES: Final = ("approve", "reject")


def _distinct(choices: list[str]) -> list[str]:
    twice = next((choice for choice in choices if choices.count(choice) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is there twice")
    return choices


Choice = Annotated[str, StringConstraints(pattern=r"^\S(?:[^\r\n\t]{0,62}\S)?$")]
Choices = Annotated[list[Choice], Field(min_length=1, max_length=20), AfterValidator(_distinct)]


class ApproveConfig(Part):
    """What to ask, and whom.

    Attributes:
        prompt: The question.
        show: What to decide about: a text, or a value that is shown as JSON.
        choices: The answers there are; the one that is given is the action.
        by: Where the answer comes from: the terminal that the run was started in, a file that somebody writes, or a
            page that this machine can open.
        comment: Whether a comment is asked for as well.
        timeout: Seconds after which the run ends, waiting.
        path: For a file: which one; in the run's folder of artifacts where it is not said. It holds a choice, or JSON
            with decision, comment and by. One that is there already counts. Once it is taken, ``.taken`` is added to
            its name.
        port: For a page: where it is; 0 for any port that is free.
    """

    prompt: str = Field(examples=["Send this answer?"])
    show: Any = None
    choices: Choices = Field(default=list(DEFAULT_CHOICES))
    by: Literal["terminal", "file", "http"] = "terminal"
    comment: bool = False
    timeout: Seconds | None = None
    path: str | None = None
    port: Annotated[int, Field(ge=0, le=65535)] = 0


async def approve(config: ApproveConfig, context: Context) -> Output:
    """Waits for a decision, unless it was made beforehand.

    Raises:
        ValueError: What was decided beforehand is none of the choices.
        Waiting: Nobody may be asked, or nobody decided in time.
        OSError: The file or the port can't be used.
    """
    question = _question(config, context)
    decision = _beforehand(question, context)
    if decision is not None:
        return _output(decision, "beforehand")
    if config.by == "file":
        from pocketflow_otel.runtime.nodes.approval import file

        decision = file.decided_already(question, _path(config, context)) if not context.may_ask else None
        if decision is not None:
            return _output(decision, "file")
    if not context.may_ask:
        raise _waiting(question, "nobody is asked here")
    try:
        async with asyncio.timeout(config.timeout):
            return _output(await _asked(question, config, context), config.by)
    except TimeoutError:
        raise _waiting(question, f"nobody decided within {config.timeout:g} s") from None


def _question(config: ApproveConfig, context: Context) -> Question:
    shown = config.show
    if shown is None:
        shown = ""
    elif not isinstance(shown, str):
        shown = json.dumps(shown, ensure_ascii=False, indent=2, default=str)
    prompt, shown = context.mask(config.prompt), context.mask(shown)
    return Question(context.workflow, context.node, prompt, shown, tuple(config.choices), config.comment)


def _beforehand(question: Question, context: Context) -> Decision | None:
    given = context.decisions.get(context.node)
    if given is None:
        return None
    try:
        return Decision(question.choice(given))
    except ValueError as error:
        raise ValueError(f"what was decided beforehand for {context.node}: {error}") from None


async def _asked(question: Question, config: ApproveConfig, context: Context) -> Decision:
    if config.by == "file":
        from pocketflow_otel.runtime.nodes.approval import file

        return await file.decided(question, _path(config, context))
    if config.by == "http":
        from pocketflow_otel.runtime.nodes.approval import server

        return await server.decided(question, config.port)
    from pocketflow_otel.runtime.nodes.approval import terminal
    from pocketflow_otel.runtime.terminal import NoTerminalError

    try:
        return await terminal.decided(question)
    except NoTerminalError as error:
        raise _waiting(question, str(error)) from None


def _path(config: ApproveConfig, context: Context) -> Path:
    if config.path is not None:
        return located(config.path, context.base)
    return context.artifacts / f"{context.node}.{context.visit}.decision"


def _waiting(question: Question, why: str) -> Waiting:
    how = f"--approve {question.node}={question.choices[0]}"
    return Waiting(f"{question.prompt} ({question.alternatives}): {why}; decide by {how}")


def _output(decision: Decision, by: str) -> Output:
    body = {
        "decision": decision.choice,
        "comment": decision.comment,
        "by": by,
        "who": decision.who,
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
    return Output(body, action=decision.choice)


NODE_TYPE: Final = FunctionType(
    name="approve",
    summary="Waits for a person to decide; their choice is the action.",
    config=ApproveConfig,
    call=approve,
    output="decision, comment, by (terminal, file, http, beforehand), who (null where nobody knows), at",
    gives=object_of("decision", "comment", "by", "who", "at"),
)
