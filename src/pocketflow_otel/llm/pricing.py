"""When prices are loaded: before the first call is to be priced, where one is to be expected, and never otherwise."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.guard import guard
from pocketflow_otel.late import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pocketflow_otel.llm.prices import Price, Prices
    from pocketflow_otel.llm.usage import Usage

# Loaded when the program asks for `record_llm_usage`.
_RECORDING: Final = "pocketflow_otel.llm.recording"
_OF_CALLS: Final = ("gen_ai.", "llm.", "openinference.")


class Pricing:
    """Prices calls, by prices that are loaded once.

    Args:
        make_prices: Makes the prices, when they are needed.
    """

    def __init__(self, make_prices: Callable[[], Prices]) -> None:
        self._make_prices = make_prices
        self._prices: Prices | None = None
        self._is_ahead = False

    def read(self) -> None:
        """Reads the user's own prices, so that what is wrong with them is said at once."""
        with importing:
            self._known()

    def price(self, usage: Usage | None) -> Price | None:
        """What a call cost; None where that is not known. Never raises."""
        if usage is None:
            return None
        try:
            with importing:
                return self._known().price(usage)
        except Exception:  # noqa: BLE001 - the guard decides; a call without a price is told to have none
            guard.caught("pricing a call")
            return None

    def flow_began(self) -> None:
        """Loads the list of prices, where the program has imported what makes or records calls."""
        if self._is_ahead:
            return
        with importing:
            from pocketflow_otel.llm import clients

        modules = (_RECORDING, *(client.module for client in clients.CLIENTS))
        if any(module in sys.modules for module in modules):
            self._load_ahead()

    def span_began(self, attributes: Mapping[str, Any]) -> None:
        """Loads the list of prices, where a span is one of a call."""
        if not self._is_ahead and any(name.startswith(_OF_CALLS) for name in attributes):
            self._load_ahead()

    def _known(self) -> Prices:
        if self._prices is None:
            self._prices = self._make_prices()
        return self._prices

    def _load_ahead(self) -> None:
        # A call takes longer than it takes to load the list: it is there when the call has ended.
        self._is_ahead = True
        with suppress(RuntimeError):  # there are no threads to be had: then the first call waits for its price
            threading.Thread(target=self._load, name="pocketflow-otel prices", daemon=True).start()

    def _load(self) -> None:
        try:
            with importing:
                self._known().warm_up()
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("loading prices")
