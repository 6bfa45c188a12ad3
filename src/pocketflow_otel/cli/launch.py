"""Starts the user's program in Python, traced or not, so that it cannot tell."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from pocketflow_otel import boot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def untraceable() -> str | None:
    """Why a program started by this interpreter cannot be traced, or None."""
    if not _interpreter_options():
        return None
    if sys.flags.ignore_environment:
        return "Python was started with -E or -I, which keep the environment from it"
    if sys.flags.no_site:
        return "Python was started with -S, which keeps everything out that runs before the program"
    return None


def launch(program: Sequence[str], arguments: Mapping[str, Any] | None) -> NoReturn:
    """Becomes the user's program.

    Args:
        program: What follows ``python`` on its command line.
        arguments: Arguments for `pocketflow_otel.configure`, or None to run it untraced.
    """
    environ = dict(os.environ) if arguments is None else boot.environment(arguments)
    command = [sys.executable, *_interpreter_options(), *program]
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if sys.platform == "win32":
        # There, exec starts another process and ends this one, and the shell goes on before the program has ended.
        sys.exit(_wait(command, environ))
    os.execve(sys.executable, command, environ)  # noqa: S606 - the program that the user asked for


def _wait(command: Sequence[str], environ: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env=environ) as process:  # noqa: S603 - the program that the user asked for
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The console has interrupted the program as well: what that does about it decides.
                continue


def _interpreter_options() -> list[str]:
    """The options in ``python -X dev -m pocketflow_otel.cli run …`` for Python itself: meant for the program."""
    options = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv)]
    return options[:-1] if options and options[-1] == "-m" else []
