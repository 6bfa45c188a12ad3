"""What ``pocketflow-otel run FLOW.yaml`` becomes: a process that runs one document and ends as the run did.

``python -m pocketflow_otel.runtime.program FLOW.yaml DESCRIPTOR``: an open file holds the rest of what it is told
(`Order`), as a command line would show inputs to all users of the machine, and has little room.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pocketflow_otel.runtime.documents.faults import InvalidDocument
from pocketflow_otel.runtime.errors import InvalidInputs
from pocketflow_otel.runtime.interrupts import Interrupts, end_children
from pocketflow_otel.runtime.streams import Stdout, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pocketflow_otel.runtime.planning import Plan
    from pocketflow_otel.runtime.running.events import Event
    from pocketflow_otel.runtime.running.records import Result
    from pocketflow_otel.runtime.running.run import Run
    from pocketflow_otel.runtime.step_prompt import StepPrompt

NOTHING_RUN: Final = 2
NOT_WRITTEN: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run, and how, as JSON can carry it.

    Attributes:
        flow: The document's file.
        run_id: The run's id.
        inputs: All inputs.
        format: How the result is written: ``text`` or ``json``.
        output: The file that it goes to; ``-`` for standard output.
        folder: The run's folder, if it is to have one.
        decisions: What people have decided beforehand.
        may_ask: Whether a person may be waited for.
        allow_shell: Whether commands may be run.
        parallel: Nodes at once, if not as the document says.
        quiet: Whether only problems are told.
        told: Whether somebody else tells of nodes as they run: what is told here leaves them out.
        notice: A sentence to begin with.
        steps: Whether somebody at the terminal is asked before each node.
        step_at: The nodes to stop at first; at the first one, where there are none.
    """

    flow: str
    run_id: str
    inputs: Mapping[str, Any]
    format: str = "text"
    output: str = "-"
    folder: str | None = None
    decisions: Mapping[str, str] = field(default_factory=dict)
    may_ask: bool = True
    allow_shell: bool = False
    parallel: int | None = None
    quiet: bool = False
    told: bool = False
    notice: str = ""
    steps: bool = False
    step_at: Sequence[str] = ()

    def command(self) -> list[str]:
        """What follows ``python`` on the command line of the process that runs it; to be used once.

        Raises:
            OSError: There is no room for the file that holds the order.
        """
        import tempfile

        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(asdict(self)).encode())
            file.seek(0)
            descriptor = os.dup(file.fileno())
        os.set_inheritable(descriptor, True)
        # -P: the working directory holds no modules of ours, whatever it holds.
        return ["-P", "-m", __spec__.name, self.flow, str(descriptor)]


def main(arguments: Sequence[str]) -> NoReturn:
    """Runs what the order says."""
    interrupts = Interrupts()
    try:
        with os.fdopen(int(arguments[1]), "rb") as file:
            order = Order(**json.load(file))
        # Before anything is imported that belongs to the document.
        stdout = Stdout.divert()
        plan = _plan(order)
        if order.notice:
            say(order.notice)
        code = _Running(order, plan, stdout, interrupts).exit_code()
    except InvalidDocument as error:
        say(str(error), name=False)
        _leave(NOTHING_RUN)
    except InvalidInputs as error:
        for problem in error.problems:
            say(problem)
        _leave(NOTHING_RUN)
    except KeyboardInterrupt:
        _leave(interrupts.exit_code)
    sys.exit(code)


def _plan(order: Order) -> Plan:
    from pocketflow_otel.runtime.documents.loading import load
    from pocketflow_otel.runtime.needs import check_needs
    from pocketflow_otel.runtime.planning import prepare

    document = load(Path(order.flow))
    # Nodes of any type may import what stands beside the document.
    sys.path.insert(0, str(document.base.resolve()))
    plan = prepare(document, order.inputs, allow_shell=order.allow_shell, parallel=order.parallel)
    check_needs(plan)
    return plan


class _Running:
    """One run, from its begin to what is written of it."""

    def __init__(self, order: Order, plan: Plan, stdout: Stdout, interrupts: Interrupts) -> None:
        self._order = order
        self._plan = plan
        self._stdout = stdout
        self._interrupts = interrupts

    def exit_code(self) -> int:
        """Runs it, writes its result, and gives the exit code."""
        from pocketflow_otel.runtime.progress import following

        order = self._order
        try:
            with following(quiet=order.quiet, nodes_told=order.told, asking=self._asking()) as follower:
                run = self._made(follower.note)
                result = self._interrupts.result(run)
        except OSError as error:
            # Of what is there already, the sentence names the folder itself.
            why = f" {order.folder} can't be made: {error.strerror}" if error.strerror else f": {error}"
            say(f"the run's folder{why}")
            _leave(NOTHING_RUN)
        code = self._code(result)
        if not self._write(result) or self._is_unsaved():
            code = code if code not in (0, 3) else NOT_WRITTEN
        self._tell(result, run.folder.temporary)
        if result.summary.abandoned_threads or result.status in {"interrupted", "limit"}:
            import atexit

            end_children()
            # Python would wait for threads that nobody waits for any more, such as those of asyncio.to_thread that a
            # cancelled coroutine left behind. What is registered is done all the same.
            atexit._run_exitfuncs()  # noqa: SLF001
            _leave(code)
        return code

    def _asking(self) -> list[str]:
        from pocketflow_otel.runtime.approvals import asking_nodes

        if self._order.steps:
            return self._nodes()
        return asking_nodes(self._plan.document.loaded) if self._order.may_ask else []

    def _made(self, on_event: Callable[[Event], object]) -> Run:
        from pocketflow_otel.runtime.running.run import Run

        order = self._order
        return Run(
            self._plan,
            on_event=on_event,
            directory=None if order.folder is None else Path(order.folder),
            decisions=order.decisions,
            may_ask=order.may_ask,
            run_id=order.run_id,
            on_step=self._prompt() if order.steps else None,
        )

    def _prompt(self) -> StepPrompt:
        from pocketflow_otel.runtime.step_prompt import StepPrompt

        return StepPrompt(self._nodes(), self._order.step_at)

    def _nodes(self) -> list[str]:
        return [node.path for node in self._plan.document.all_nodes()]

    def _code(self, result: Result) -> int:
        if result.status == "interrupted" and self._interrupts.first is not None:
            return self._interrupts.exit_code
        return result.exit_code

    def _is_unsaved(self) -> bool:
        from pocketflow_otel.runtime.running.folder import RESULT

        return self._order.folder is not None and not (Path(self._order.folder) / RESULT).exists()

    def _write(self, result: Result) -> bool:
        from pocketflow_otel.runtime.telling import as_text

        if self._order.format == "json":
            content = json.dumps(result.as_json(), indent=2, ensure_ascii=False, default=str) + "\n"
        elif result.status in {"succeeded", "degraded"}:
            content = as_text(result)
        else:
            return True
        try:
            self._stdout.write(content, self._order.output)
        except OSError as error:
            where = "standard output" if self._order.output == "-" else self._order.output
            say(f"cannot write to {where}: {error.strerror or error}")
            return False
        return True

    def _tell(self, result: Result, temporary: Path | None) -> None:
        from pocketflow_otel.runtime.telling import sentences

        if self._order.quiet and result.status == "succeeded" and not result.problems:
            return
        for sentence in sentences(result, self._order.folder, self._order.flow, temporary=temporary):
            say(sentence)


def _leave(code: int) -> NoReturn:
    """Ends the process at once: nothing has run that anybody wants to hear of, or all that is wanted is done."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
