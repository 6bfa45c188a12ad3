"""The formats of other tools that saved traces can be written in: a file each.

To add one, give it a name in `Format` and a case in `render`; the command line offers it by that.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketflow_otel.traces.formats.saved import Saved

__all__ = ["HOLDS_ONE", "Format", "render"]


class Format(enum.StrEnum):
    """A format, by the name it has on the command line."""

    OTLP = "otlp"
    JAEGER = "jaeger"
    GRAFANA = "grafana"
    CHROME = "chrome"
    MERMAID = "mermaid"


HOLDS_ONE: Final = frozenset({Format.GRAFANA, Format.MERMAID})
"""Formats of one trace; the others hold any number."""


def render(form: Format, saved: Sequence[Saved], *, with_args: bool = False) -> str:
    """Writes traces in a format.

    Args:
        form: The format.
        saved: The traces; of a format in `HOLDS_ONE`, exactly one.
        with_args: Whether the events of `Format.CHROME` get the attributes of their spans. Other formats have them
            anyway, or none.

    Returns:
        The content of a file, with a line end.

    Raises:
        TraceFormatError: If a file is not what it was any more.
        OSError: If a file cannot be read any more.
    """
    # Each is imported when it is asked for: a command must not wait for all of them.
    from pocketflow_otel.traces.formats.saved import traces_of

    traces = traces_of(saved)
    match form:
        case Format.OTLP:
            from pocketflow_otel.traces.formats import otlp

            return otlp.render(saved)
        case Format.JAEGER:
            from pocketflow_otel.traces.formats import jaeger

            return jaeger.render(traces)
        case Format.GRAFANA:
            from pocketflow_otel.traces.formats import grafana

            return grafana.render(traces[0])
        case Format.CHROME:
            from pocketflow_otel.traces.formats import chrome

            return chrome.render(traces, with_args=with_args)
        case Format.MERMAID:
            from pocketflow_otel.traces.formats import mermaid

            return mermaid.render(traces[0])
