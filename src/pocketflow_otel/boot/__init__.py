"""Starts tracing inside another Python process, before its program, and leaves no sign of having done so.

The process is given an environment in which this directory's ``sitecustomize`` comes first. That module takes itself
away again, brings in the ``sitecustomize`` that the process would have had, and sets tracing up. The program is then
run by Python itself, so everything it sees of its surroundings is as without us.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "_POCKETFLOW_OTEL_BOOT"
"""Carries the arguments for `configure`, and the ``PYTHONPATH`` that the program is to see."""

DIRECTORY: Final = str(Path(__file__).parent)


def environment(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Makes the environment that starts tracing in a Python process.

    Args:
        arguments: Arguments for `pocketflow_otel.configure`; what JSON can carry.
        environ: The environment that the program is to see.

    Returns:
        The environment to start the process with.
    """
    path = environ.get("PYTHONPATH")
    boot = json.dumps({"configure": dict(arguments), "pythonpath": path})
    return {**environ, "PYTHONPATH": DIRECTORY + os.pathsep + path if path else DIRECTORY, VARIABLE: boot}
