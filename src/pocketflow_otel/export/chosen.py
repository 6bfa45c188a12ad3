"""Which exporters there are, and which are wanted, by name."""

from __future__ import annotations

import difflib
import os
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONSOLE: Final = "console"
FILE: Final = "file"
OTLP: Final = "otlp"
NONE: Final = "none"
TRACES_EXPORTER: Final = "OTEL_TRACES_EXPORTER"

GROUP: Final = "opentelemetry_traces_exporter"
_BUILT_IN: Final = (CONSOLE, FILE, OTLP, NONE)
_ALSO_CALLED: Final = {"pocketflow_console": CONSOLE, "pocketflow_file": FILE}


class UnknownExporterError(ValueError):
    """No exporter has this name."""

    def __init__(self, name: str) -> None:
        names = known()
        near = difflib.get_close_matches(name, names, 1)
        hint = f": did you mean {near[0]!r}?" if near else "."
        super().__init__(f"unknown exporter {name!r}{hint} There are {', '.join(names)}")


def known() -> list[str]:
    """The names of all exporters: those built in, and those installed as entry points."""
    return sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))} - _ALSO_CALLED.keys())


def installed(name: str) -> EntryPoint:
    """The entry point of an exporter that is not built in.

    Raises:
        UnknownExporterError: If there is none.
    """
    for point in entry_points(group=GROUP, name=name):
        return point
    raise UnknownExporterError(name)


def validate(names: Sequence[str]) -> list[str]:
    """Checks names of exporters.

    Args:
        names: As a user wrote them.

    Returns:
        Each once, in its usual spelling; none of them ``none``.

    Raises:
        UnknownExporterError: If an exporter has no such name.
    """
    usual = [_ALSO_CALLED.get(name.strip(), name.strip()) for name in names if name.strip()]
    for name in usual:
        if name not in _BUILT_IN:
            installed(name)
    return [name for name in dict.fromkeys(usual) if name != NONE]


def wanted(environ: Mapping[str, str] = os.environ) -> tuple[list[str], list[str]]:
    """The exporters that the environment asks for: what ``OTEL_TRACES_EXPORTER`` names.

    Without that variable they are the console and files, and OTLP where there is an endpoint.

    Args:
        environ: The environment.

    Returns:
        Their names, and a sentence for each name that no exporter has.
    """
    if not environ.get(TRACES_EXPORTER, "").strip():
        endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        return [FILE, CONSOLE] + [OTLP] * any(environ.get(name) for name in endpoints), []
    names: list[str] = []
    unknown: list[str] = []
    for name in environ[TRACES_EXPORTER].split(","):
        try:
            names += validate([name])
        except UnknownExporterError as error:
            unknown.append(str(error))
    return list(dict.fromkeys(names)), unknown
