"""Span processors that exporters chosen by name need besides themselves.

An exporter sees only spans that have ended. What must also see them start asks here for a processor; the
instrumentor, which runs after the exporters were made, adds it to the provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import SpanProcessor

    from pocketflow_otel.options import Options

_factories: list[Callable[[Options], SpanProcessor]] = []


def request(factory: Callable[[Options], SpanProcessor]) -> None:
    """Asks for a span processor on the provider that spans will come from.

    Args:
        factory: Makes the processor, once a provider is there to take it and all options are known: exporters are made
            before those of a declarative configuration file are read.
    """
    _factories.append(factory)


def drain(options: Options) -> list[SpanProcessor]:
    """Makes the processors asked for since the last call."""
    factories = _factories.copy()
    del _factories[: len(factories)]
    return [factory(options) for factory in factories]
