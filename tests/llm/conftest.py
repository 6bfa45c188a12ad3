import pytest

from instrumentation.recording import traced
from llm.reports import PRICES, Reporter


@pytest.fixture
def recording():
    with traced(price_file=PRICES) as recording:
        yield recording


@pytest.fixture
def write(recording):
    return Reporter(recording.tracer_provider)
