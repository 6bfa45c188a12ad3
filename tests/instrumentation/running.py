"""Runs programs, and takes down all that can be seen of it."""

import asyncio
import contextlib
import dis
import inspect
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import wrapt

import pocketflow_otel
from instrumentation.building import Builder, World, pause
from instrumentation.programs import Program

_OURS = tuple(f"{Path(module.__file__).parent}{os.sep}" for module in (pocketflow_otel, wrapt))


@dataclass
class Outcome:
    """All that can be seen of a program's run from outside, and by itself."""

    result: Any
    store: dict[str, Any]
    stdout: str
    error: Any
    warnings: list[tuple[str, str, str, int]]
    log: list[tuple[Any, ...]]


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_OURS) and not _never_began(trace):
            yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next


def _never_began(trace: TracebackType) -> bool:
    """Whether a coroutine was cancelled before its first line: then it is only ours that has been called."""
    code = trace.tb_frame.f_code
    if not code.co_flags & inspect.CO_COROUTINE:
        return False
    names = [(instruction.opname, instruction.offset) for instruction in dis.get_instructions(code)]
    created = next(offset for name, offset in names if name == "RETURN_GENERATOR")
    return trace.tb_lasti < next(offset for name, offset in names if name == "RESUME" and offset > created)


def described(error: BaseException | None) -> Any:
    """An exception and what led to it, with the program's frames of its traceback."""
    if error is None:
        return None
    return {
        "type": type(error).__qualname__,
        "message": str(error),
        "args": repr(error.args),
        "notes": getattr(error, "__notes__", None),
        "suppress": error.__suppress_context__,
        "cause": described(error.__cause__),
        "context": described(error.__context__),
        "within": [described(inner) for inner in getattr(error, "exceptions", ())],
        "stack": list(_frames(error.__traceback__)),
    }


class Run:
    """One run of a program.

    Args:
        program: Its description.
        library: The PocketFlow it uses.
    """

    def __init__(self, program: Program, library: ModuleType) -> None:
        self._program = program
        self._world = World(library, is_async=program.is_async)
        self._store: dict[str, Any] = {"given": ["at", "start"], "order": []}
        self._warnings: list[warnings.WarningMessage] = []
        self._stdout = io.StringIO()
        self._root: Any = None

    @contextlib.contextmanager
    def surroundings(self) -> Iterator[None]:
        """Catches what the program prints and warns of. Instrumentation has to be switched on inside."""
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(self._stdout),
        ):
            warnings.simplefilter("always")
            if not self._program.late:
                self._build()
            yield
        self._warnings = caught

    def _build(self) -> None:
        self._root = Builder(self._world).build(self._program.root)
        self._root.set_params(dict(self._program.params))

    def run(self) -> Outcome:
        """Runs the program, within its surroundings."""
        result, error = None, None
        try:
            if self._program.late:
                self._build()
            if self._program.is_async:
                result = asyncio.run(self._drive())
            else:
                result = self._root.run(self._store)
        except BaseException as raised:
            error = raised
        self._outcome = Outcome(result, self._store, "", described(error), [], self._world.log)
        return self._outcome

    async def _drive(self) -> Any:
        task = asyncio.get_running_loop().create_task(self._root.run_async(self._store))
        if self._program.cancel_after is not None:
            await pause(self._program.cancel_after)
            task.cancel()
        return await task

    def outcome(self) -> Outcome:
        """All that was seen, once the surroundings are gone."""
        self._outcome.stdout = self._stdout.getvalue()
        self._outcome.warnings = [
            (message.category.__name__, str(message.message), message.filename, message.lineno)
            for message in self._warnings
        ]
        return self._outcome


def run_plain(program: Program, library: ModuleType) -> Outcome:
    """Runs a program untraced."""
    run = Run(program, library)
    with run.surroundings():
        run.run()
    return run.outcome()
