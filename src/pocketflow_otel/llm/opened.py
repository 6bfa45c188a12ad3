"""The accounts of the instrumentation that is active, for whoever is not told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketflow_otel.llm.accounts import Accounts


class _Open:
    """The accounts, and the key of the scopes that calls are made in."""

    accounts: Accounts | None = None
    scope_key = ""


def open_accounts(accounts: Accounts | None, scope_key: str = "") -> None:
    """Makes accounts those that programs record into; None for nobody's.

    Args:
        accounts: The accounts.
        scope_key: Where an OpenTelemetry context holds the scope that calls are made in.
    """
    _Open.accounts, _Open.scope_key = accounts, scope_key


def opened() -> tuple[Accounts | None, str]:
    """The accounts, None where nothing is instrumented, and the key of their scopes."""
    return _Open.accounts, _Open.scope_key


def writers() -> frozenset[str]:
    """The instrumentation scopes whose spans have reported calls."""
    return frozenset() if _Open.accounts is None else frozenset(_Open.accounts.writers)
