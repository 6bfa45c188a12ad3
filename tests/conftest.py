"""What all tests share: our own errors are not kept from them, and tracing is off when they end."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from opentelemetry import context as otel_context

from instrumentation import recording
from instrumentation.recording import Recording
from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.guard import guard

Traced = Callable[..., AbstractContextManager[Recording]]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests must not decide what they see."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nothing_hidden_or_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets errors of ours through, and sees to it that a test leaves no hooks behind."""
    monkeypatch.setattr(guard, "reraise", True)
    # A test that fails may leave its span the current one, and others would be its children.
    token = otel_context.attach(otel_context.Context())
    yield
    otel_context.detach(token)
    if PocketFlowInstrumentor().is_instrumented_by_opentelemetry:
        PocketFlowInstrumentor().uninstrument()
        pytest.fail("the test left PocketFlow instrumented")
    installed = [sys.stdout, sys.stderr, *sys.meta_path]
    ours = [thing for thing in installed if type(thing).__module__.startswith("pocketflow_otel")]
    assert ours == []


@pytest.fixture
def traced() -> Traced:
    """``with traced(**options) as recording:`` traces PocketFlow inside the block, and keeps what came of it."""
    return recording.traced


@pytest.fixture
def instrumentor() -> Iterator[Any]:
    """The instrumentor, switched off at the end."""
    one = PocketFlowInstrumentor()
    yield one
    if one.is_instrumented_by_opentelemetry:
        one.uninstrument()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says in one line what was skipped, and why: backends that can't be had on this machine."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = sorted({report.longrepr[2].removeprefix("Skipped: ") for report in skipped})
    if reasons:
        terminalreporter.write_line(f"{len(skipped)} skipped: {'; '.join(reasons)}")
