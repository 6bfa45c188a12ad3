import decimal
import functools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer

import genai_prices
import pytest
from genai_prices import data_snapshot, update_prices
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import StartDateConstraint
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketflow_otel.llm.price_table import PriceTable
from pocketflow_otel.llm.prices import Price, PriceRefreshError, Prices
from pocketflow_otel.llm.usage import Usage

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOURCE = f"genai-prices {genai_prices.__version__}"
PROVIDERS = get_snapshot().providers
# Other servers are reached through OpenAI's client, and these are on no price list of OpenAI's.
GIVEN_AWAY = {("openai", model) for model in ("gpt-oss-120b", "gpt-oss-20b", "gpt-oss-safeguard-20b")}
LISTED = [(p.id, m.id) for p in PROVIDERS for m in p.models if (p.id, m.id) not in GIVEN_AWAY]
COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "input_audio_tokens": "input_audio_tokens",
    "cached_audio_tokens": "cache_audio_read_tokens",
    "output_audio_tokens": "output_audio_tokens",
}


@pytest.fixture(scope="module")
def prices():
    return Prices()


def usd(prices, provider, model, at=AT, **counts):
    price = prices.price(Usage(provider=provider, model=model, **counts), at)
    return price and price.usd


def genai_prices_own(provider, model, counts, at=AT):
    """What genai-prices asks; None where it asks only for what is not in tokens (hours, pages)."""
    usage = genai_prices.Usage(**{COUNTS[name]: count for name, count in counts.items()})
    try:
        own = genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)
    except LookupError:  # some ids are not among the names that the model goes by
        return None
    units = {key for key, price in own.model_price.__dict__.items() if price is not None}
    counted = {key for key in units if key.endswith("_mtok") or key == "requests_kcount"}
    return float(own.total_price) if counted or not units else None


@st.composite
def token_counts(draw):
    few_or_many = st.integers(0, 1000) | st.integers(190_000, 300_000)
    plain, cached, written, spoken, thought = draw(st.tuples(*[few_or_many] * 5))
    heard, heard_cached, said = draw(st.tuples(*[st.just(0) | st.integers(0, 5000)] * 3))
    return {
        "input_tokens": plain + cached + written + heard + heard_cached,
        "output_tokens": spoken + thought + said,
        "cached_input_tokens": cached + heard_cached,
        "cache_write_tokens": written,
        "reasoning_tokens": thought,
        "input_audio_tokens": heard + heard_cached,
        "cached_audio_tokens": heard_cached,
        "output_audio_tokens": said,
    }


EVERYTHING = {
    "input_tokens": 10_000,
    "output_tokens": 3000,
    "cached_input_tokens": 4000,
    "cache_write_tokens": 2000,
    "reasoning_tokens": 1500,
    "input_audio_tokens": 1000,
    "cached_audio_tokens": 500,
    "output_audio_tokens": 700,
}


@pytest.mark.parametrize("provider", [provider.id for provider in PROVIDERS])
def test_every_listed_model_costs_what_genai_prices_says(prices, provider):
    models = [model for listed, model in LISTED if listed == provider]
    for at in (AT, datetime(2025, 3, 1, 20, tzinfo=UTC)):
        ours = {model: usd(prices, provider, model, at, **EVERYTHING) for model in models}
        assert ours == {model: genai_prices_own(provider, model, EVERYTHING, at) for model in models}


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(PROVIDERS).flatmap(lambda p: st.sampled_from([x for x in LISTED if x[0] == p.id])), token_counts()
)
def test_any_usage_costs_what_genai_prices_says(prices, listed, counts):
    assert usd(prices, *listed, **counts) == genai_prices_own(*listed, counts)


def test_parts_of_the_input_have_their_own_prices(prices):
    counts = {"input_tokens": 1_000_000, "cached_input_tokens": 400_000, "cache_write_tokens": 500_000}
    # 100k at $1, 400k read at $0.10, 500k written at $1.25
    assert usd(prices, "anthropic", "claude-haiku-4-5-20251001", **counts) == 0.765


def test_a_long_input_has_the_price_of_its_tier(prices):
    assert usd(prices, "gcp.gemini", "gemini-2.5-pro", input_tokens=200_000, output_tokens=1000) == 0.26
    assert usd(prices, "gcp.gemini", "gemini-2.5-pro", input_tokens=200_001, output_tokens=1000) == 0.5150025


def test_reasoning_is_paid_once_as_the_output_it_is_part_of(prices):
    assert usd(prices, "openai", "o3-mini", output_tokens=1000, reasoning_tokens=900) == 0.0044


@pytest.mark.parametrize("provider", ["openai", "ollama", None])
@pytest.mark.parametrize("model", ["llama3.1", "my-model", "gpt-9", "gpt-oss-20b", "", None])
def test_an_unknown_model_has_no_price(prices, provider, model):
    assert prices.price(Usage(provider=provider, model=model, input_tokens=1)) is None


def test_a_model_that_is_listed_as_free_costs_nothing(prices):
    price = prices.price(Usage(provider="openrouter", model="qwen/qwen3-coder:free", input_tokens=5), AT)
    assert price.usd == 0
    assert price.source == SOURCE


def test_a_model_paid_by_the_hour_has_no_price_by_its_tokens(prices):
    assert usd(prices, "openai", "whisper-1", input_tokens=1000) is None


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 1, "cached_input_tokens": 2},
        {"input_tokens": -1},
        {"output_tokens": -1},
        {"input_tokens": 2, "cached_input_tokens": -1},
    ],
)
def test_counts_that_contradict_each_other_have_no_price(prices, counts):
    assert usd(prices, "openai", "gpt-4o", **counts) is None


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9)), None])
def test_a_price_is_that_of_the_day(prices, zone):
    # DeepSeek's was lower at night, from 16:30 UTC.
    day = datetime(2025, 3, 1, 12, tzinfo=UTC)
    night = datetime(2025, 3, 1, 20, tzinfo=UTC)
    asked = [at.astimezone(zone) if zone else at.replace(tzinfo=None) for at in (day, night)]
    costs = [usd(prices, "deepseek", "deepseek-chat", at, input_tokens=1_000_000) for at in asked]
    assert costs == [
        genai_prices_own("deepseek", "deepseek-chat", {"input_tokens": 1_000_000}, at) for at in (day, night)
    ]
    assert costs[1] < costs[0]


def test_without_a_time_the_price_is_todays(prices):
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1_000_000)
    assert prices.price(usage) == prices.price(usage, datetime.now(UTC))


def starts():
    for provider in PROVIDERS:
        for model in provider.models:
            for conditional in model.prices if isinstance(model.prices, list) else ():
                if isinstance(conditional.constraint, StartDateConstraint):
                    yield provider.id, model.id, conditional.constraint.start_date


def test_a_price_says_since_when_it_holds(prices):
    provider, model, start = max(starts(), key=lambda found: found[2])
    usage = Usage(provider=provider, model=model)
    at = datetime.combine(start, datetime.min.time(), UTC)
    assert prices.price(usage, at).as_of == start.isoformat()


def test_a_price_announced_for_a_later_day_does_not_hold_before(prices):
    provider, model, start = next(found for found in starts() if found[2] > AT.date())
    as_of = prices.price(Usage(provider=provider, model=model), AT).as_of
    assert date.fromisoformat(as_of) < AT.date() < start


def test_a_price_that_never_changed_is_as_old_as_the_list(monkeypatch, tmp_path):
    installed = date(2026, 9, 15)
    package = tmp_path / "package"
    package.touch()
    os.utime(package, (0, datetime.combine(installed, datetime.min.time(), UTC).timestamp()))
    monkeypatch.setattr(genai_prices, "__file__", str(package))

    as_of = Prices().price(Usage(provider="openai", model="gpt-4-32k"), AT).as_of
    assert date.fromisoformat(as_of) == max(start for _, _, start in starts() if start <= installed)


def test_a_list_of_unknown_age_does_not_say_how_old_it_is(monkeypatch, tmp_path):
    monkeypatch.setattr(genai_prices, "__file__", str(tmp_path / "none"))
    assert Prices().price(Usage(provider="openai", model="gpt-4-32k"), AT).as_of is None


def test_a_reported_cost_is_taken_as_it_is():
    prices = Prices(PriceTable.of({"gpt-4o": {"input": 1, "output": 1}}))
    assert prices.price(Usage(model="gpt-4o", cost_usd=0.5)) == Price(0.5, "reported", None)
    assert prices.price(Usage(cost_usd=0)) == Price(0.0, "reported", None)


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1.0])
def test_a_reported_cost_that_is_none_is_looked_up(prices, cost):
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1_000_000, cost_usd=cost)
    assert prices.price(usage, AT).source == SOURCE
    assert prices.price(Usage(cost_usd=cost)) is None


def test_the_users_prices_come_first_and_the_list_has_the_rest(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text('["gpt-4o"]\ninput = 0.1\noutput = 7\ndate = 2026-01-31\n[mine]\ninput = 0\noutput = 0')
    prices = Prices(PriceTable.load(path))
    counts = {"input_tokens": 1_000_000}
    assert prices.price(Usage(provider="openai", model="gpt-4o", **counts)) == Price(0.1, str(path), "2026-01-31")
    assert usd(prices, "ollama", "mine", **counts) == 0
    assert usd(prices, "openai", "gpt-4o-mini", **counts) == usd(Prices(), "openai", "gpt-4o-mini", **counts)
    assert usd(prices, "openai", "gpt-4o", cached_input_tokens=1) is None


def test_a_programs_own_decimal_precision_changes_no_price(prices):
    counts = {"input_tokens": 123_457, "output_tokens": 7}
    mine = Prices(PriceTable.of({"m": {"input": 1.23457, "output": 1}}))
    listed, own = usd(prices, "openai", "gpt-4o", **counts), usd(mine, None, "m", **counts)
    with decimal.localcontext(decimal.Context(prec=2, traps=[decimal.Inexact])):
        assert usd(prices, "openai", "gpt-4o", **counts) == listed == 0.3087125
        assert usd(mine, None, "m", **counts) == own == 0.15242330849
        assert decimal.getcontext().prec == 2


def test_threads_get_the_same_prices():
    prices = Prices(PriceTable.of({"mine": {"input": 1, "output": 1}}))
    calls = [*LISTED[::60], (None, "mine")] * 4
    together = threading.Barrier(8)

    def price_all(_):
        together.wait()
        return [usd(prices, *call, **EVERYTHING) for call in calls]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(price_all, range(8)))
    assert results == [[usd(Prices(prices._table), *call, **EVERYTHING) for call in calls]] * 8


def test_nothing_is_imported_before_it_is_needed_and_nothing_is_fetched():
    program = """
import sys, threading
connections = []
sys.addaudithook(lambda event, args: connections.append(event) if event.startswith("socket.") else None)
from pocketflow_otel.llm.prices import Prices
from pocketflow_otel.llm.price_table import PriceTable
from pocketflow_otel.llm.usage import Usage
prices = Prices(PriceTable.of({"mine": {"input": 1, "output": 1}}))
assert prices.price(Usage(model="mine", input_tokens=1000)).usd == 0.001
assert prices.price(Usage(model="any", cost_usd=1.0)).usd == 1
assert prices.price(Usage()) is None
assert not {"genai_prices", "pydantic", "httpx", "httpx2"} & set(sys.modules)
assert prices.price(Usage(provider="openai", model="gpt-4o", input_tokens=1000)).usd == 0.0025
assert "genai_prices" in sys.modules
assert not {"socket.connect", "socket.getaddrinfo"} & set(connections)
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.fixture
def price_list(monkeypatch):
    """A server of a newer price list."""
    answers = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers.pop()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/data.json"
        monkeypatch.setattr(update_prices, "UpdatePrices", functools.partial(update_prices.UpdatePrices, url=url))
        yield lambda status, body: answers.append((status, json.dumps(body).encode())) or url
        server.shutdown()
        thread.join()


NEWER = {
    "id": "openai",
    "name": "OpenAI",
    "api_pattern": "https://api.openai.com",
    "models": [{"id": "gpt-9", "match": {"equals": "gpt-9"}, "prices": {"input_mtok": 3, "output_mtok": 5}}],
}


def test_refreshed_prices_are_used_from_then_on(price_list, monkeypatch):
    prices = Prices()
    usage = Usage(provider="openai", model="gpt-9", input_tokens=1_000_000)
    assert prices.price(usage) is None

    price_list(200, [NEWER])
    prices.refresh()
    today = prices._refreshed.timestamp.date().isoformat()
    assert prices.price(usage) == Price(3.0, SOURCE, today)
    assert prices.price(Usage(provider="openai", model="gpt-4o")) is None


def test_refreshing_changes_nothing_for_the_program(price_list):
    before = get_snapshot()
    price_list(200, [NEWER])
    Prices().refresh()
    assert get_snapshot() is before
    assert update_prices._shared_updater.thread is None


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, "", "HTTPStatusError: "),
        (200, {}, "ValueError: Expected fetched prices payload to be a provider array"),
        (200, [{"id": 3}], "ValidationError: "),
        (200, [], "the list there is empty"),
    ],
)
def test_a_refresh_that_fails_says_so_and_changes_nothing(price_list, status, body, reason):
    prices = Prices()
    url = price_list(status, body)
    with pytest.raises(PriceRefreshError) as error:
        prices.refresh()
    assert str(error.value).startswith(f"no newer prices from {url}: {reason}")
    assert usd(prices, "openai", "gpt-4o", input_tokens=1_000_000) == 2.5


def test_prices_that_the_program_keeps_up_to_date_are_used(monkeypatch):
    prices = Prices()
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1_000_000)
    assert prices.price(usage).usd == 2.5
    openai = next(provider for provider in PROVIDERS if provider.id == "groq")
    monkeypatch.setattr(data_snapshot, "_custom_snapshot", data_snapshot.DataSnapshot([openai], from_auto_update=True))
    assert prices.price(usage) is None
    monkeypatch.undo()
    assert prices.price(usage).usd == 2.5


ASKED, NOT_ASKED = "from pocketflow_otel import record_llm_usage", "import pocketflow_otel"


@pytest.mark.parametrize(("asks", "loads"), [(ASKED, True), (NOT_ASKED, False)], ids=["recording", "not-recording"])
def test_prices_are_loaded_ahead_where_a_program_records_calls_by_hand(asks, loads):
    program = f"""
import sys, threading
{asks}
from opentelemetry.sdk.trace import TracerProvider
from pocketflow import Flow, Node
from pocketflow_otel import PocketFlowInstrumentor

PocketFlowInstrumentor().instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
Flow(start=Node()).run({{}})
for thread in threading.enumerate():
    if thread.name == "pocketflow-otel prices":
        thread.join()
print("genai_prices" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], check=True, timeout=60, stdout=subprocess.PIPE, text=True)
    assert ran.stdout == f"{loads}\n"
