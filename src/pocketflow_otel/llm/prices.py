"""What calls of models cost."""

from __future__ import annotations

import math
import threading
from datetime import UTC, date, datetime
from decimal import Context, localcontext
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from pocketflow_otel import log
from pocketflow_otel.llm.listed_models import ListedModels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice

    from pocketflow_otel.llm.price_entry import PriceEntry
    from pocketflow_otel.llm.price_table import PriceTable
    from pocketflow_otel.llm.usage import Usage

REPORTED: Final = "reported"

_REMEMBERED: Final = 1024
_PRICED_BY_USAGE: Final = ("_mtok", "requests_kcount")
"""How genai-prices' keys of prices end that are for tokens and calls: `Usage` has no seconds, characters or pages."""


class Price(NamedTuple):
    """What a call cost."""

    usd: float
    """US dollars."""
    source: str
    """Where the price is from: a version of genai-prices, the user's table, or ``reported`` with the call."""
    as_of: str | None
    """The day (``YYYY-MM-DD``) from which the price is known to hold, or else the day of the list it is from."""


class PriceRefreshError(RuntimeError):
    """Newer prices could not be had; those in use stay."""


class Prices:
    """Prices calls: by what was reported with the call, else by the user's table, else by genai-prices.

    genai-prices is imported by the first call that neither of the others can price; its packaged data is used, and no
    connection is made unless `refresh` is called. May be used by many threads at once.

    Args:
        table: The user's own prices.
    """

    def __init__(self, table: PriceTable | None = None) -> None:
        self._table = table
        self._entry = lru_cache(_REMEMBERED)(table.find) if table is not None else _no_entry
        self._refreshed: DataSnapshot | None = None
        self._listed: _ListedPrices | None = None

    @classmethod
    def of_options(cls, prices: str | Mapping[str, Any] | None, *, refresh: bool) -> Self:
        """The prices that a program was set up with; what makes no sense is logged, and left out.

        Args:
            prices: The user's own: a file, or the same as a mapping.
            refresh: Whether to fetch newer ones of genai-prices, in the background.
        """
        from pocketflow_otel.llm.price_entry import PriceTableError
        from pocketflow_otel.llm.price_table import PriceTable

        table = None
        try:
            if prices is not None:
                table = PriceTable.load(prices) if isinstance(prices, str) else PriceTable.of(prices)
        except (PriceTableError, OSError) as error:
            log.warn("price_file is ignored: %s", error)
        made = cls(table)
        if refresh:
            threading.Thread(target=made._refresh_quietly, name="pocketflow-otel prices", daemon=True).start()
        return made

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
        except PriceRefreshError as error:
            log.warn("%s; those at hand are used", error)

    def price(self, usage: Usage, at: datetime | None = None) -> Price | None:
        """What a call cost.

        Writes to a cache count as those of the shortest life, and tools that a vendor ran (web searches) are left out:
        `Usage` knows no more.

        Args:
            usage: What it used.
            at: When it was made, for prices that change; now, where it is None. UTC where it has no time zone.

        Returns:
            The price, which may be 0; None where the model has no known price, or the counts contradict each other.
        """
        reported = usage.cost_usd
        if reported is not None and math.isfinite(reported) and reported >= 0:
            return Price(float(reported), REPORTED, None)
        if not usage.model:
            return None
        # The program may count in decimals of its own precision.
        with localcontext(Context()):
            return self._look_up(usage, usage.model, at)

    def warm_up(self) -> None:
        """Loads genai-prices, which takes half a second, before the first call is to be priced."""
        self._listed_now()

    def refresh(self) -> None:
        """Fetches genai-prices' newest data, once, for this object alone; waits for it, for seconds at most.

        Raises:
            PriceRefreshError: It could not be fetched, or makes no sense.
        """
        from genai_prices.update_prices import UpdatePrices

        updater = UpdatePrices()
        try:
            snapshot = updater.fetch()
        except Exception as error:
            raise PriceRefreshError(f"no newer prices from {updater.url}: {type(error).__name__}: {error}") from error
        if snapshot is None or not snapshot.providers:
            raise PriceRefreshError(f"no newer prices from {updater.url}: the list there is empty")
        self._refreshed = snapshot

    def _look_up(self, usage: Usage, model: str, at: datetime | None) -> Price | None:
        entry = self._entry(usage.provider, model)
        if entry is not None and self._table is not None:
            cost = entry.cost(usage)
            return None if cost is None else Price(float(cost), self._table.source, entry.as_of)
        return self._listed_now().price(usage, model, at or datetime.now(UTC))

    def _listed_now(self) -> _ListedPrices:
        from genai_prices.data_snapshot import get_snapshot

        # A program that keeps genai-prices up to date itself has put a newer one there.
        snapshot = self._refreshed or get_snapshot()
        listed = self._listed
        if listed is None or listed.models.snapshot is not snapshot:
            self._listed = listed = _ListedPrices(snapshot)
        return listed


class _ListedPrices:
    """The prices of one state of genai-prices' data."""

    def __init__(self, snapshot: DataSnapshot) -> None:
        from genai_prices import __version__

        self.models = ListedModels(snapshot)
        self._source = f"genai-prices {__version__}"
        self._as_of = _data_date(snapshot)

    def price(self, usage: Usage, model_name: str, at: datetime) -> Price | None:
        from genai_prices import Usage as Counts

        found = self.models.find(usage.provider, model_name)
        if found is None:
            return None
        provider, model = found
        try:
            # Each count is given, even one of 0: genai-prices refuses to infer some of them.
            calculation = model.calc_price(
                Counts(
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    cache_read_tokens=usage.cached_input_tokens,
                    cache_write_tokens=usage.cache_write_tokens,
                    output_reasoning_tokens=usage.reasoning_tokens,
                    input_audio_tokens=usage.input_audio_tokens,
                    cache_audio_read_tokens=usage.cached_audio_tokens,
                    output_audio_tokens=usage.output_audio_tokens,
                ),
                provider,
                genai_request_timestamp=at,
            )
        except ValueError:
            return None
        if not _covers_usage(calculation.model_price):
            return None
        as_of = _in_force_since(model, calculation.model_price) or self._as_of
        return Price(float(calculation.total_price), self._source, as_of.isoformat() if as_of else None)


def _covers_usage(price: ModelPrice) -> bool:
    # One with no prices at all is how genai-prices lists what is free.
    keys = [key for key, amount in vars(price).items() if amount is not None]
    return not keys or any(key.endswith(_PRICED_BY_USAGE) for key in keys)


def _in_force_since(model: ModelInfo, price: ModelPrice) -> date | None:
    return next((start for start, prices in _starts(model) if prices is price), None)


def _starts(model: ModelInfo) -> list[tuple[date, ModelPrice]]:
    from genai_prices.types import StartDateConstraint

    prices = model.prices if isinstance(model.prices, list) else []
    return [
        (conditional.constraint.start_date, conditional.prices)
        for conditional in prices
        if isinstance(conditional.constraint, StartDateConstraint)
    ]


def _data_date(snapshot: DataSnapshot) -> date | None:
    """The day that data is known to reach to.

    The packaged data has no date: it is that of the latest change of a price in it. Some are of days to come, so those
    count that had come when the package was installed.
    """
    if snapshot.from_auto_update:
        return snapshot.timestamp.date()
    import genai_prices

    try:
        installed = datetime.fromtimestamp(Path(genai_prices.__file__).stat().st_mtime, UTC).date()
    except OSError:
        return None
    days = (start for provider in snapshot.providers for model in provider.models for start, _ in _starts(model))
    return max((day for day in days if day <= installed), default=None)


def _no_entry(_provider: str | None, _model: str) -> PriceEntry | None:
    return None
