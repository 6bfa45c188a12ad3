"""One entry of a user's price table: how it is read, and what a call costs by it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pocketflow_otel.llm.listed_models import provider_id

if TYPE_CHECKING:
    from pocketflow_otel.llm.usage import Usage

_MILLION: Final = 1_000_000
_MAX_PRICE: Final = 1_000_000
_SHOWN_BITS: Final = 64
_SHOWN_CHARACTERS: Final = 80
_RATES: Final = ("input", "output", "cached_input", "cache_write", "reasoning")
_ENTRY_FIELDS: Final = (*_RATES, "per_call", "tiers", "provider", "date")
_TIER_FIELDS: Final = ("above", *_RATES)


class PriceTableError(ValueError):
    """A price table that cannot be used; the message names the place, what was expected and the nearest valid name."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What tokens cost once the input is longer than `above` tokens, in USD per million."""

    above: int
    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal
    reasoning: Decimal


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """What the models of one name or pattern cost.

    Attributes:
        pattern: Matches the lower-case names of the models.
        provider: Whose models alone are meant; None for anybody's.
        rates: By length of input, the longest first; the last is for any length.
        per_call: What each call costs besides its tokens, in USD.
        as_of: The day the prices were true, as ``YYYY-MM-DD``.
    """

    pattern: re.Pattern[str]
    provider: str | None
    rates: tuple[Rates, ...]
    per_call: Decimal
    as_of: str | None

    def cost(self, usage: Usage) -> Decimal | None:
        """What a call cost, in USD.

        Args:
            usage: What it used.

        Returns:
            The cost; None where the counts contradict each other, as a part that is larger than its whole does.
        """
        rates = next((rates for rates in self.rates if usage.input_tokens > rates.above), self.rates[-1])
        bill = (
            (usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens, rates.input),
            (usage.cached_input_tokens, rates.cached_input),
            (usage.cache_write_tokens, rates.cache_write),
            (usage.output_tokens - usage.reasoning_tokens, rates.output),
            (usage.reasoning_tokens, rates.reasoning),
        )
        if any(tokens < 0 for tokens, _ in bill):
            return None
        return sum((tokens * rate for tokens, rate in bill), Decimal(0)) / _MILLION + self.per_call


class EntryReader:
    """Reads one entry, or one of its tiers, and knows its place in the table.

    Args:
        place: Where that is, for messages.
        fields: What was found there.
        known: The names that fields can have.

    Raises:
        PriceTableError: There are no fields, or unknown ones.
    """

    def __init__(self, place: str, fields: Any, known: tuple[str, ...] = _ENTRY_FIELDS) -> None:
        if not isinstance(fields, Mapping):
            refuse(place, f"expected fields such as input and output, found {found(fields)}")
        self._place = place
        self._fields = fields
        for field in fields:
            if field not in known:
                self._refuse_unknown(field, known)

    def entry(self, name: str, as_of: str | None) -> PriceEntry:
        """The entry.

        Args:
            name: The name or pattern that it stands under, in lower case.
            as_of: The day its prices were true, where it does not say one.

        Returns:
            The entry.

        Raises:
            PriceTableError: Something in it makes no sense.
        """
        given = self._given_rates()
        if ("input" in given) != ("output" in given):
            refuse(self._place, "expected both input and output (0 is a price too), found one")
        if "input" not in given and (given or "tiers" in self._fields or "per_call" not in self._fields):
            refuse(self._place, "expected input and output, or per_call alone")
        provider = self._fields.get("provider")
        if provider is not None and (not isinstance(provider, str) or not provider.strip()):
            self._refuse("provider", "the name of a provider", provider)
        return PriceEntry(
            pattern=re.compile(translate(name)),
            provider=provider_id(provider),
            rates=self._all_rates(given),
            per_call=self._price("per_call") if "per_call" in self._fields else Decimal(0),
            as_of=self._date() or as_of,
        )

    def _all_rates(self, given: dict[str, Decimal]) -> tuple[Rates, ...]:
        tiers = self._fields.get("tiers", [])
        if not isinstance(tiers, (list, tuple)):
            self._refuse("tiers", "a list of tiers", tiers)
        rates = []
        for number, fields in enumerate(tiers, 1):
            tier = EntryReader(f"{self._place}, tier {number}", fields, _TIER_FIELDS)
            rates.append(_rates(tier._above(), given | tier._given_rates()))
        rates.sort(key=lambda tier: tier.above, reverse=True)
        if len({tier.above for tier in rates}) < len(rates):
            refuse(self._place, "two tiers begin at the same length")
        return (*rates, _rates(0, given))

    def _given_rates(self) -> dict[str, Decimal]:
        return {field: self._price(field) for field in _RATES if field in self._fields}

    def _price(self, field: str) -> Decimal:
        value = self._fields[field]
        price = _number(value)
        if price is None or not price.is_finite() or not 0 <= price <= _MAX_PRICE:
            unit = "USD" if field == "per_call" else "USD per million tokens"
            self._refuse(field, f"a number of {unit} from 0 to {_MAX_PRICE}", value)
        return price

    def _above(self) -> int:
        above = self._fields.get("above")
        if not isinstance(above, int) or isinstance(above, bool) or above < 0:
            self._refuse("above", "a whole number of input tokens", above)
        return above

    def _date(self) -> str | None:
        value = self._fields.get("date")
        if value is None:
            return None
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        try:
            return date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            self._refuse("date", "a day such as 2026-01-31", value)

    def _refuse(self, field: str, expected: str, value: object) -> NoReturn:
        refuse(f"{self._place}, field {field}", f"expected {expected}, found {found(value)}")

    def _refuse_unknown(self, field: object, known: tuple[str, ...]) -> NoReturn:
        problem = f"no such field; expected {', '.join(known)}"
        nearest = difflib.get_close_matches(str(field), known, 1)
        if nearest:
            problem += f": did you mean {nearest[0]}?"
        elif isinstance(self._fields[field], Mapping):
            problem += "; a model's name with a dot in it needs quotes"
        refuse(f"{self._place}, field {field}", problem)


def _rates(above: int, given: dict[str, Decimal]) -> Rates:
    input_price = given.get("input", Decimal(0))
    output_price = given.get("output", Decimal(0))
    return Rates(
        above=above,
        input=input_price,
        output=output_price,
        cached_input=given.get("cached_input", input_price),
        cache_write=given.get("cache_write", input_price),
        reasoning=given.get("reasoning", output_price),
    )


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return Decimal(str(value))  # its shortest text is the price that was meant
    return Decimal(value) if isinstance(value, (int, Decimal)) else None


def refuse(place: str, problem: str) -> NoReturn:
    """Raises the error that says what is wrong where."""
    raise PriceTableError(f"{place}: {problem}")


def found(value: object) -> str:
    """How a message names a wrong value: as it is where that is short, else by its type."""
    if value is None:
        return "nothing"
    if isinstance(value, Decimal) or (isinstance(value, int) and value.bit_length() > _SHOWN_BITS):
        return f"the number {Decimal(value):.6g}"
    return repr(value)[:_SHOWN_CHARACTERS] if isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
