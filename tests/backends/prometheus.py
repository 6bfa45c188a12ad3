"""A Prometheus with the configuration of ``collector-config/``, and what it answers."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from backends.collector import CONFIGS
from backends.servers import answers, free_port, get, running

CONFIG = CONFIGS / "prometheus.yml"
TARGET, INTERVAL = "collector:8889", "scrape_interval: 15s"
SCRAPE_SECONDS = 1


@dataclass(frozen=True)
class Series:
    """A series of an answer: its labels, and its values by their times in seconds since the epoch."""

    labels: dict[str, str]
    values: dict[float, float]

    @property
    def total(self) -> float:
        """The sum of the values that are numbers."""
        return sum(value for value in self.values.values() if not math.isnan(value))


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs.

    Attributes:
        url: Where it answers.
    """

    url: str

    def at(self, expression: str, time: float | None = None) -> list[Series]:
        """What an expression gives at a time, by default now."""
        asked = {"query": expression} if time is None else {"query": expression, "time": time}
        return [Series(one["metric"], _numbers([one["value"]])) for one in self._ask("query", asked)["result"]]

    def over(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """What an expression gives at each step of a time, in seconds."""
        asked = {"query": expression, "start": start, "end": end, "step": step}
        return [Series(one["metric"], _numbers(one["values"])) for one in self._ask("query_range", asked)["result"]]

    def names(self) -> set[str]:
        """The names of all metrics it has."""
        return set(self._ask("label/__name__/values", {}))

    def values_of(self, label: str, selector: str) -> list[str]:
        """The values of a label in the series that a selector finds."""
        return self._ask(f"label/{label}/values", {"match[]": selector})

    def _ask(self, what: str, asked: dict[str, Any]) -> Any:
        return json.loads(get(f"{self.url}/api/v1/{what}?{urlencode(asked)}"))["data"]


def _numbers(pairs: list[tuple[float, str]]) -> dict[float, float]:
    return {time: float(value) for time, value in pairs}


@contextmanager
def scraping(program: Path, target: str, directory: Path) -> Iterator[Prometheus]:
    """Runs a Prometheus.

    Args:
        program: The Prometheus.
        target: What it reads: host and port, in place of the Collector's in its configuration.
        directory: Where it runs, logs and stores.
    """
    text = CONFIG.read_text(encoding="utf-8")
    assert TARGET in text
    assert INTERVAL in text
    config = directory / CONFIG.name
    config.write_text(text.replace(TARGET, target).replace(INTERVAL, f"scrape_interval: {SCRAPE_SECONDS}s"))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={address}",
    ]
    with running(command, directory / "prometheus.log", lambda: answers(f"http://{address}/-/ready")):
        yield Prometheus(f"http://{address}")
