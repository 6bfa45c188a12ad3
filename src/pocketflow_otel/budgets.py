"""Budgets: what flows may use before no further node is run."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry import context as otel_context

from pocketflow_otel import log
from pocketflow_otel.carrying import Block

if TYPE_CHECKING:
    from opentelemetry.context import Context


BUDGETS: Final = otel_context.create_key("pocketflow-budgets")
"""Where an OpenTelemetry context holds the budgets that hold there, a tuple, the outermost first."""

_WARN_AT: Final = 0.8
_UNSEEN: Final = "unseen"
_TAKEN_BY_EVERY_NODE: Final = frozenset({"visits", "seconds"})

# Money is added up in whole parts of a dollar: ten times 0.001 in binary fractions is less than 0.01.
_PARTS_OF_USD: Final = 10**12


class BudgetExceeded(Exception):  # noqa: N818 - it is no fault: the program asked to be stopped
    """A flow has used up its budget; raised before its next node would have run.

    Attributes:
        limit: Which limit was reached: ``usd``, ``tokens``, ``visits`` or ``seconds``.
        allowed: How much of it there was.
        spent: How much of it was used.
        node: Name of the node that was not run.
        unpriced: Models of which no price is known: what they cost is not in what was spent.
    """

    def __init__(self, limit: str, allowed: float, spent: float, node: str, unpriced: tuple[str, ...] = ()) -> None:
        self.limit = limit
        self.allowed = allowed
        self.spent = spent
        self.node = node
        self.unpriced = unpriced
        super().__init__(limit, allowed, spent, node, unpriced)

    def __str__(self) -> str:
        besides = f", and of {', '.join(self.unpriced)} no price is known" if self.unpriced else ""
        return (
            f"budget of {_amount(self.limit, self.allowed)} used up before node {self.node}: "
            f"{_amount(self.limit, self.spent)} spent{besides}"
        )


def _amount(limit: str, amount: float) -> str:
    """So much of a limit, as it is said."""
    match limit:
        case "usd":
            # Six digits, whatever the size, and no powers of ten.
            places = max(2, 6 - int(f"{amount:e}".partition("e")[2]) - 1)
            return f"${amount:,.{places}f}".rstrip("0").rstrip(".")
        case "seconds":
            return f"{amount:,.3f}".rstrip("0").rstrip(".") + " s"
        case _:
            noun = "token" if limit == "tokens" else "node visit"
            return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


class Warned(NamedTuple):
    """A limit of which most is used."""

    limit: str
    allowed: float
    spent: float


class Limits(NamedTuple):
    """The limits of a budget; None for what is not limited."""

    usd: float | None = None
    tokens: int | None = None
    visits: int | None = None
    seconds: float | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in self)


class _Shared:
    """One lock for all budgets: a visit counts in each of those it is made in, or in none."""

    # What runs in between, a signal's handler or a finalizer, may end a call in the same thread.
    lock = threading.RLock()


def _after_fork() -> None:
    _Shared.lock = threading.RLock()  # a thread that is not there any more may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Budget:
    """What may be used, and what was. Threads may share one.

    Args:
        limits: The limits.

    Attributes:
        ledger: The calls made outside of flows, kept for `Accounts`.
        is_limited: Whether there are any limits: without one it only adds up what calls of models use.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.is_limited: Final = bool(limits)
        self._began = time.monotonic()
        self._parts_of_usd = 0
        self._tokens = 0
        self._visits = 0
        self._unpriced: dict[str, None] = {}
        self._warned: set[str] = set()
        self.ledger: Any = None

    def spend(self, *, tokens: int, usd: float) -> None:
        """Notes what a call used; negative where a call turns out to have used less."""
        with _Shared.lock:
            self._tokens += tokens
            self._parts_of_usd += round(usd * _PARTS_OF_USD)

    def unpriced(self, model: str) -> str | None:
        """Notes a call that nobody knows the price of.

        Returns:
            What to say of it: a budget of money says so once for each model.
        """
        with _Shared.lock:
            if self.limits.usd is None or model in self._unpriced:
                return None
            self._unpriced[model] = None
        return (
            f"the budget of {_amount('usd', self.limits.usd)} does not see what {model} costs: its price is not known"
        )

    def nothing_recorded(self) -> None:
        """Notes that spans are not recorded where it holds; a budget of money or tokens says so once."""
        with _Shared.lock:
            if (self.limits.usd is None and self.limits.tokens is None) or _UNSEEN in self._warned:
                return
            self._warned.add(_UNSEEN)
        log.warn(
            "a budget of money or tokens sees only calls whose answers nodes return, or that are recorded by hand: "
            "spans are not recorded here"
        )

    @property
    def spent(self) -> Limits:
        """What was used so far: US dollars, tokens, visits of nodes, and seconds since it began."""
        usd, seconds = self._parts_of_usd / _PARTS_OF_USD, time.monotonic() - self._began
        return Limits(usd, self._tokens, self._visits, seconds)

    def __repr__(self) -> str:
        limits = ", ".join(f"{name}={limit!r}" for name, limit in self.limits._asdict().items() if limit is not None)
        return f"<Budget {limits}; spent {self.spent}>"

    def check(self, node: str) -> None:
        """Looks whether one more node may run.

        Args:
            node: The node's name.

        Raises:
            BudgetExceeded: A limit is reached.
        """
        for limit, allowed, spent in self._used():
            # Of money and tokens a node may take nothing: it may run where there never were any.
            if spent >= allowed and (spent or limit in _TAKEN_BY_EVERY_NODE):
                raise BudgetExceeded(limit, allowed, spent, node, tuple(self._unpriced) if limit == "usd" else ())

    def count_visit(self) -> list[Warned]:
        """Counts a visit.

        Returns:
            The limits of which four fifths were used before it, each once.
        """
        warned = [
            Warned(limit, allowed, spent)
            for limit, allowed, spent in self._used()
            if limit not in self._warned and spent and spent >= _WARN_AT * allowed
        ]
        self._warned.update(limit for limit, _, _ in warned)
        self._visits += 1
        return warned

    def _used(self) -> list[tuple[str, float, float]]:
        return [
            (limit, allowed, used or 0)
            for limit, allowed, used in zip(Limits._fields, self.limits, self.spent, strict=True)
            if allowed is not None
        ]


def begin_visit(budgets: tuple[Budget, ...], node: str) -> list[Warned]:
    """Counts a visit that is about to begin in every one of some budgets; where it must not begin, in none.

    Args:
        budgets: The budgets that hold there.
        node: The node's name.

    Returns:
        The limits of which four fifths are used; each is also logged, once.

    Raises:
        BudgetExceeded: A limit is reached: the node must not run.
    """
    if not any(budget.is_limited for budget in budgets):
        return []
    with _Shared.lock:
        for budget in budgets:
            budget.check(node)
        warned = [warning for budget in budgets for warning in budget.count_visit()]
    for limit, allowed, spent in warned:
        log.warn("%s of a budget of %s used before node %s", _amount(limit, spent), _amount(limit, allowed), node)
    return warned


def with_budget(context: Context, budget: Budget) -> Context:
    """A context in which a budget holds as well."""
    return otel_context.set_value(BUDGETS, (*budgets_of(context), budget), context)


def budgets_of(context: Context) -> tuple[Budget, ...]:
    """The budgets that hold in a context."""
    held: Any = context.get(BUDGETS)
    return held or ()


def nothing_recorded(context: Context) -> None:
    """Lets the budgets of a context say that they see no spans there."""
    for held in budgets_of(context):
        held.nothing_recorded()


class budget(Block[Budget]):  # noqa: N801 - it reads as a function where it is used
    """Limits what flows may use: ``with budget(usd=0.5): flow.run(shared)``; also ``async with``, and a decorator.

    Before each node the limits are looked at; where one is reached, `BudgetExceeded` is raised instead of running the
    node, and comes out of ``flow.run()``. What a node uses while it runs is not cut short. Budgets may stand inside one
    another: what is used counts for each. Every ``with``, and every call of what it decorates, begins a new one.

    Args:
        usd: US dollars that calls of language models may cost.
        tokens: Tokens that they may read and write.
        visits: Visits of nodes.
        seconds: Time since the budget began.

    Raises:
        TypeError: A limit is no number.
        ValueError: A limit is negative, or there is none.
    """

    __slots__ = ("_limits",)

    def __init__(
        self,
        *,
        usd: float | None = None,
        tokens: int | None = None,
        visits: int | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        self._limits = Limits(usd, tokens, visits, seconds)
        for name, limit in zip(Limits._fields, self._limits, strict=True):
            _check(name, limit)
        if not self._limits:
            raise ValueError("budget() needs a limit: usd, tokens, visits or seconds")

    def begin(self) -> tuple[Context, Budget]:
        """Begins a budget, in a context in which it holds."""
        made = Budget(self._limits)
        return with_budget(otel_context.get_current(), made), made


def _check(name: str, limit: object) -> None:
    if limit is None:
        return
    whole = name in ("tokens", "visits")
    if isinstance(limit, bool) or not isinstance(limit, int if whole else int | float):
        raise TypeError(f"budget({name}=…): expected a {'whole ' if whole else ''}number, got {limit!r}")
    if not 0 <= limit < math.inf:
        raise ValueError(f"budget({name}=…): expected 0 or more, got {limit!r}")
