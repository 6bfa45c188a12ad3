"""Waits for a file that says what was decided."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.nodes.approval.question import Decision, Question
from pocketflow_otel.runtime.terminal import POLL_SECONDS, visible

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES: Final = 65_536


async def decided(question: Question, path: Path) -> Decision:
    """What the file decides, once it is there. What is no decision is told once, and waited on.

    Raises:
        OSError: The file can't be read, or not be renamed.
    """
    shown = f"\n{visible(question.shown)}" if question.shown else ""
    _say(f"{question.workflow} · {question.node}: {visible(question.prompt)}{shown}")
    as_json = json.dumps({"decision": question.choices[0], "comment": ""}, ensure_ascii=False)
    # The path stands alone at the end, to be copied.
    _say(f"write {question.alternatives}, or {as_json}, to {path}")
    told = None
    while True:
        content = _content(path)
        if content is not None and content != told:
            try:
                return _taken(path, _decision(question, content))
            except ValueError as error:
                told = content
                _say(f"{path}: {error}")
        await asyncio.sleep(POLL_SECONDS)


def decided_already(question: Question, path: Path) -> Decision | None:
    """What the file decides now, or None where there is none.

    Raises:
        ValueError: What is in it is no decision.
        OSError: As of `decided`.
    """
    content = _content(path)
    if content is None:
        return None
    try:
        return _taken(path, _decision(question, content))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _content(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    # Whoever writes it may have made it, and written nothing yet.
    return content.decode("utf-8", "replace").removeprefix("\ufeff").strip() or None


def _decision(question: Question, content: str) -> Decision:
    if not content.startswith(("{", '"')):
        return Decision(question.choice(content))
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if isinstance(told, str):
        return Decision(question.choice(told))
    unknown = sorted(told.keys() - {"decision", "comment", "by"})
    if unknown:
        raise ValueError(f"expected decision, comment and by, not {unknown[0]!r}")
    if "decision" not in told:
        raise ValueError("'decision' is missing")
    decision, comment, who = (_text(told, name) for name in ("decision", "comment", "by"))
    return Decision(question.choice(decision), comment, who or None)


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text, not {json.dumps(value)[:80]}")  # noqa: TRY004 - its content is wrong
    return value


def _taken(path: Path, decision: Decision) -> Decision:
    # A second visit, or another run, asks anew.
    path.rename(path.with_name(f"{path.name}.taken"))
    return decision


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - whoever is to decide reads it
