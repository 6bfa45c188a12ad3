"""The dashboard: what its panels ask of Prometheus, with Grafana's variables put in as Grafana does."""

import json
from dataclasses import dataclass
from typing import Any

from backends.collector import CONFIGS
from backends.prometheus import Prometheus, Series

FILE = CONFIGS / "grafana" / "dashboards" / "pocketflow.json"


@dataclass(frozen=True)
class Query:
    """What a panel asks.

    Attributes:
        panel: The panel's title, and its kind: two have the same title.
        expression: In PromQL, with Grafana's variables.
        instant: Whether it is asked for the end of the time shown, rather than for each step of it.
    """

    panel: str
    expression: str
    instant: bool

    def ask(self, prometheus: Prometheus, service: str, start: float, end: float, step: int) -> list[Series]:
        """Asks it for a time in seconds since the epoch, as Grafana would with steps of so many seconds."""
        variables = {
            "$service": service,
            "$__interval": f"{step}s",
            "$__range": f"{int(end - start)}s",
            "$__rate_interval": f"{4 * step}s",
        }
        expression = self.expression
        for name, value in variables.items():
            expression = expression.replace(name, value)
        assert "$" not in expression
        if self.instant:
            return prometheus.at(expression, end)
        return prometheus.over(expression, start, end, step)


def document() -> dict[str, Any]:
    """The dashboard."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def queries() -> list[Query]:
    """What all panels ask, in their order."""
    return [
        Query(f"{panel['title']} ({panel['type']})", target["expr"], target.get("instant", False))
        for panel in document()["panels"]
        for target in panel["targets"]
    ]
