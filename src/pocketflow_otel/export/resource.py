"""What ran: the resource of everything a program sends."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    TELEMETRY_SDK_LANGUAGE,
    TELEMETRY_SDK_NAME,
    TELEMETRY_SDK_VERSION,
    Resource,
)
from opentelemetry.sdk.version import __version__ as sdk_version

from pocketflow_otel.export import problems

if TYPE_CHECKING:
    from collections.abc import Iterator

DETECTORS: Final = ("service_instance", "process", "os", "host", "vcs")
_GROUP: Final = "opentelemetry_resource_detector"
_UNNAMED: Final = "python"


def program_name() -> str:
    """The program as its user knows it: the script's name without ``.py``, or the module's after ``-m``."""
    arguments = sys.orig_argv[1:]
    if sys.argv[:1] == ["-m"] or (sys.argv and not sys.argv[0]):
        # Before the program has started, `sys.argv` does not name the module yet.
        return arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else _UNNAMED
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    script = Path(sys.argv[0]) if sys.argv else Path()
    script = script.parent if script.name == "__main__.py" else script
    return script.stem if script.stem not in ("", "-", "-c") else _UNNAMED


def resource(service_name: str | None = None) -> Resource:
    """Describes the program, its process, host, operating system and version control.

    The SDK would run its detectors in a pool of threads, and the names of the program's own threads would differ from
    then on; these run here, one after the other.

    Args:
        service_name: What to call the program. By default the standard variables decide, then the script's name.

    Returns:
        The resource.
    """
    found = Resource(
        {
            TELEMETRY_SDK_LANGUAGE: "python",
            TELEMETRY_SDK_NAME: "opentelemetry",
            TELEMETRY_SDK_VERSION: sdk_version,
            SERVICE_NAME: program_name(),
        }
    )
    for part in _detected():
        found = found.merge(part)
    return found.merge(Resource({SERVICE_NAME: service_name})) if service_name else found


def _detected() -> Iterator[Resource]:
    asked = [name.strip() for name in os.environ.get("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "").split(",")]
    available = {point.name: point for point in entry_points(group=_GROUP)}
    # The standard variables come last, so that they win.
    for name in dict.fromkeys([*DETECTORS, *(name for name in asked if name not in ("", "*", "otel")), "otel"]):
        try:
            yield _detect(available[name])
        except Exception as error:  # noqa: BLE001 - a detector is anybody's code
            problems.report(f"resource detector {name}", f"{type(error).__name__}: {error}")


def _detect(point: EntryPoint) -> Resource:
    detected: Resource = point.load()().detect()
    return detected
