"""Asks at the terminal before each node of a run: what it is about to do, and whether it is to."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime import terminal as terminals
from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.running.showing import qualified, said
from pocketflow_otel.runtime.values.yaml_text import as_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pocketflow_otel.runtime.running.stepping import Pause, StepDecision

_MOST_LINES: Final = 40
_MOST_CHARACTERS: Final = 200
_HELP: Final = "Enter: run it   s: the store   u NODE: on until NODE   c: on to the end   q: stop here"
_DECISIONS: Final[Mapping[str, StepDecision]] = {"": "step", "c": "continue", "q": "stop"}


class StepPrompt:
    """Asks somebody at the terminal; to be given to a run as its ``on_step``.

    Args:
        nodes: The names of all nodes, those inside others as ``outer.inner``.
        until: Where to stop first; at the first node, where there are none.
    """

    def __init__(self, nodes: Collection[str], until: Collection[str] = ()) -> None:
        self._nodes = nodes
        self._until = frozenset(until)
        self._is_new = True

    def __call__(self, pause: Pause) -> StepDecision:
        """Asks about a node, if the run is to stop before it."""
        if self._until and pause.node not in self._until:
            return "step"
        self._until = frozenset()
        try:
            return asyncio.run(self._asked(pause))
        except terminals.NoTerminalError:
            return "stop"

    async def _asked(self, pause: Pause) -> StepDecision:
        with terminals.opened() as terminal:
            async with terminals.alone():
                say = terminals.speaker(terminal)
                terminals.forget_typed(terminal)
                say(self._heading(pause))
                while True:
                    line = await _line(terminal, pause)
                    if line is None:
                        return "stop"
                    decision = self._decision(line.strip(), pause)
                    if decision in ("step", "continue", "stop"):
                        return decision  # type: ignore[return-value]  # which mypy does not see
                    say(f"{terminals.visible(decision)}\n> ")

    def _heading(self, pause: Pause) -> str:
        at = "".join(f"[{number}]" for number in pause.at)
        role = "" if pause.role == "node" else f", {pause.role}"
        visit = f", visit {pause.visit}" if pause.visit > 1 else ""
        try:
            given = pause.given
        except Exception as error:  # noqa: BLE001 - the node will fail with it, and tell
            given = f"{qualified(error)}: {said(error)}"
        shown = f"{_indented(given)}\n" if given else ""
        told = f"{_HELP}\n" if self._is_new else ""
        self._is_new = False
        return terminals.visible(f"\nnext: {pause.node}{at} ({pause.type}{visit}{role})\n{shown}{told}> ")

    def _decision(self, line: str, pause: Pause) -> StepDecision | str:
        """What a line asks for: a decision, or what is to be said."""
        command, _, name = line.partition(" ")
        if command in _DECISIONS:
            return _DECISIONS[command]
        if command == "s":
            return _indented(pause.store)
        if command != "u":
            return _HELP
        if (node := name.strip()) not in self._nodes:
            return f"{node!r} is no node: {others(node, self._nodes)}"
        self._until = frozenset({node})
        return "step"


def others(name: str, nodes: Collection[str]) -> str:
    """Which nodes there are, and which one may be meant."""
    near = nearest(name, nodes)
    return f"there are {', '.join(nodes)}" + (f"; did you mean {near!r}?" if near else "")


async def _line(terminal: int, pause: Pause) -> str | None:
    """Waits for a line; None where the run ends meanwhile."""
    line = asyncio.ensure_future(terminals.line(terminal))
    try:
        while not pause.is_over:
            if (await asyncio.wait([line], timeout=terminals.POLL_SECONDS))[0]:
                return line.result()
        return None
    finally:
        line.cancel()
        with contextlib.suppress(asyncio.CancelledError, terminals.NoTerminalError):
            await line


def _indented(value: Any) -> str:
    """A value as lines that fit on a screen: as a document has it."""
    told = value if isinstance(value, str) else as_yaml(value)
    lines = [line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…" for line in told.splitlines()]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"… {len(lines) - _MOST_LINES:,} more lines"]
    return "\n".join(f"  {line}" for line in lines)
