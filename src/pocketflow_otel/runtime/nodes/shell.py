"""``shell``: a command of the system, where the run allows it."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.checks import Faults, constant_text, holds_references
from pocketflow_otel.runtime.nodes.files.places import located
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, object_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pocketflow_otel.runtime.nodes.processes.command import Ended
    from pocketflow_otel.runtime.registry.node_types import Context

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh"})
_PASSED_ON: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")
_IN_TEXT: Final = (
    "a reference in the text of a command could run anything: give its value by 'env' or 'args' ($1, $2 …), or write "
    "the command as a list; a variable of the shell is $NAME or $${NAME}"
)


class ShellConfig(Part):
    """A command.

    Attributes:
        command: A list is run as it is: the program and its arguments. A text is run by ``/bin/sh``; it holds no
            references.
        args: Further arguments; in a text ``$1``, ``$2`` …
        env: Environment variables, besides PATH, HOME, USER, LANG and their like.
        cwd: The folder it runs in; a relative path begins at the document's folder, which it also is by default.
        stdin: What it reads from standard input; nothing by default.
        expect: Which exit codes are right.
        max_output: How many bytes of each of its outputs are kept; all is printed.
    """

    command: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)] = Field(
        examples=[["git", "log", "--oneline"]]
    )
    args: list[str | int | float] = Field(default=[])
    env: dict[str, str | int | float | bool] = Field(default={})
    cwd: str = "."
    stdin: str | bytes | None = None
    expect: list[int] = Field(default=[0], min_length=1)
    max_output: Annotated[int, Field(ge=0)] = 1_000_000

    @property
    def program(self) -> list[str]:
        """What is run, and its arguments."""
        begin = ["/bin/sh", "-c", self.command, "sh"] if isinstance(self.command, str) else self.command
        return [*begin, *map(str, self.args)]


class CommandError(Exception):
    """A command ended otherwise than expected, or could not be run.

    Args:
        message: What happened.
        exit_code: Its exit code; negative for the signal that ended it, None where it did not begin.
    """

    def __init__(self, message: str, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


async def run(config: ShellConfig, context: Context) -> dict[str, Any]:
    """Runs the command. It, and all that it started, ends when this does.

    Raises:
        PermissionError: The run does not allow commands.
        CommandError: It could not be run, or its exit code is not an expected one.
    """
    if not context.allow_shell:
        raise PermissionError("this run does not allow commands: --allow-shell does")
    from pocketflow_otel.runtime.nodes.processes.command import ran

    stdin = config.stdin.encode() if isinstance(config.stdin, str) else config.stdin
    cwd = located(config.cwd, context.base)
    try:
        ended = await ran(config.program, _environment(config.env), cwd, stdin, config.max_output)
    except (OSError, ValueError) as error:
        raise CommandError(_not_run(error, config, cwd)) from None
    if ended.exit_code not in config.expect:
        raise CommandError(context.mask(_told(ended, config)), ended.exit_code)
    return {
        "exit_code": ended.exit_code,
        "stdout": ended.stdout.text,
        "stderr": ended.stderr.text,
        "truncated": ended.stdout.is_cut or ended.stderr.is_cut,
    }


def _environment(added: Mapping[str, str | float | bool]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in added.items()}
    return {**kept, **texts}


def _not_run(error: OSError | ValueError, config: ShellConfig, cwd: Path) -> str:
    program = config.program[0]
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if not cwd.is_dir():
            return f"cwd {cwd}: there is no such folder"
        return f"command {program!r}: there is no such program{'' if '/' in program else ' in PATH'}"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"command {program!r} can't be run: {reason}"


def _told(ended: Ended, config: ShellConfig) -> str:
    how = f"ended with exit code {ended.exit_code}"
    if ended.exit_code < 0:
        how = f"was ended by {ended.signal}"
    end = ended.stderr.text.strip() or ended.stdout.text.strip()
    last = "\n".join(end.splitlines()[-5:])[-500:]
    expected = ", ".join(map(str, config.expect))
    return f"command {config.program[0]!r} {how}, expected {expected}" + (f": {last}" if last else "")


def check(with_: Mapping[str, Any]) -> Faults:
    """Whether a text that a shell runs holds references: their values would be run with it."""
    command = with_.get("command")
    if isinstance(command, str):
        _, fault = constant_text(command, _IN_TEXT)
        return [(("command",), fault)] if fault else []
    if isinstance(command, list) and command:
        return _in_script(command)
    return []


def _in_script(command: list[Any]) -> Faults:
    """Of a list that names a shell: the script it is given."""
    if not isinstance(command[0], str) or PurePath(command[0]).name not in _SHELLS:
        return []
    for number, part in enumerate(command[1:-1], 1):
        if not isinstance(part, str) or not part.startswith("-"):
            return []
        if "c" in part and not part.startswith("--") and holds_references(command[number + 1]):
            return [(("command", number + 1), _IN_TEXT)]
    return []


NODE_TYPE: Final = FunctionType(
    name="shell",
    summary="Runs a command, where the run allows it.",
    config=ShellConfig,
    call=run,
    output="exit_code, stdout, stderr, truncated (whether an output is longer than what was kept)",
    permission="shell",
    check=check,
    gives=object_of("truncated", exit_code=SINGLE, stdout=SINGLE, stderr=SINGLE),
)
