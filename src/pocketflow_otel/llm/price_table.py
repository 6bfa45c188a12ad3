"""A user's own prices: for private models, and for contracts that no public list knows."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.llm.listed_models import provider_id
from pocketflow_otel.llm.price_entry import EntryReader, PriceEntry, PriceTableError, found, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_FILE_BYTES: Final = 1_000_000


class PriceTable:
    """Prices by the name of a model, or by a pattern of names.

    In TOML, which is one table for each model (quote names that have a dot, a slash or a star in them)::

        [my-llama]
        input = 0.20            # USD per million tokens
        output = 0.60

        ["acme/*"]              # *, ? and [abc] as in file names
        provider = "vllm"       # of this provider only
        input = 1.50
        output = 6.00
        cached_input = 0.15     # read from a cache; input's price where it is not said
        cache_write = 1.875     # written to a cache; input's price where it is not said
        reasoning = 8.00        # output's price where it is not said
        per_call = 0.002        # USD for each call, besides its tokens
        date = 2026-01-31       # when these prices were true; the file's own date where it is not said
        tiers = [{ above = 200_000, input = 3.00, output = 9.00 }]

    JSON holds the same: an object of objects. A tier's prices are for all tokens of a call whose input is longer than
    `above`; what a tier leaves out is as it was. `input` and `output` go together; a model paid by the call has
    `per_call` alone. One name can have a list of tables, each with another `provider`.

    Names are compared without regard to case. A name comes before all patterns, an earlier pattern before a later one,
    and an entry with a provider before one of the same name without.
    """

    def __init__(self, source: str, names: Mapping[str, list[PriceEntry]], patterns: list[PriceEntry]) -> None:
        self.source: Final = source
        """The path of the file, or ``price table`` for one made in code."""
        self._names = names
        self._patterns = patterns

    @classmethod
    def load(cls, path: str | Path) -> PriceTable:
        """Reads a file.

        Args:
            path: A ``.toml`` or ``.json`` file of at most 1 MB.

        Returns:
            The table in it.

        Raises:
            PriceTableError: The file cannot be read, or something in it makes no sense.
        """
        path = Path(path)
        source = str(path)
        parse = _PARSERS.get(path.suffix.lower())
        if parse is None:
            refuse(source, f"expected a name ending in {' or '.join(_PARSERS)}")
        try:
            if not path.is_file():
                refuse(source, "no such file")
            with path.open("rb") as file:
                content = file.read(_MAX_FILE_BYTES + 1)
            modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
        except OSError as error:
            raise PriceTableError(f"{source}: {error.strerror or error}") from error
        if len(content) > _MAX_FILE_BYTES:
            refuse(source, "expected a file of at most 1 MB")
        try:
            prices = parse(content.decode())
        except (ValueError, RecursionError) as error:
            raise PriceTableError(f"{source}: not {path.suffix[1:].upper()}: {error}") from error
        return cls._read(source, prices, modified.isoformat())

    @classmethod
    def of(cls, prices: Mapping[str, Any]) -> PriceTable:
        """Takes prices given in code.

        Args:
            prices: What a file would hold, by model. Prices are numbers or Decimals.

        Returns:
            The table.

        Raises:
            PriceTableError: Something in it makes no sense.
        """
        return cls._read("price table", prices, None)

    @classmethod
    def _read(cls, source: str, prices: Any, as_of: str | None) -> PriceTable:
        if not isinstance(prices, Mapping) or not prices:
            refuse(source, "expected prices by model, found none")
        names: dict[str, list[PriceEntry]] = {}
        patterns: list[PriceEntry] = []
        for model, described in prices.items():
            if not isinstance(model, str) or not model.strip():
                refuse(source, f"expected the name of a model, found {found(model)}")
            name = model.strip().lower()
            if name in names:
                refuse(f'{source}: entry "{model}"', "the same name stands here twice")
            several = described if isinstance(described, list) and described else [described]
            entries = [EntryReader(f'{source}: entry "{model}"', fields).entry(name, as_of) for fields in several]
            entries.sort(key=lambda entry: entry.provider is None)
            names[name] = entries
            if any(wildcard in name for wildcard in "*?["):
                patterns += entries
        return cls(source, names, patterns)

    def find(self, provider: str | None, model: str) -> PriceEntry | None:
        """The entry for a model.

        Args:
            provider: Who serves it, by any of its usual names; None where that is not known.
            model: The model's name.

        Returns:
            The entry; None where there is none.
        """
        name = model.strip().lower()
        server = provider_id(provider)
        candidates = self._names.get(name, []) + [entry for entry in self._patterns if entry.pattern.match(name)]
        return next((entry for entry in candidates if entry.provider in (None, server)), None)


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, object_pairs_hook=_without_repeats)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'"{repeated}" stands in one object twice')
    return fields


def _parse_toml(text: str) -> Any:
    return tomllib.loads(text, parse_float=Decimal)


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {".toml": _parse_toml, ".json": _parse_json}
