"""One call of an exporter: quiet, never raising, and with a reason in a few words when it fails.

Exporters tell their troubles through `logging`, many times over. What they log while we call them is kept from the
program's log and read for the reason instead; what exporters of the program's own log is left alone.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.export.answers import Answers, listening
from pocketflow_otel.export.reasons import brief, no_answer, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NO_CONNECTION: Final = ("failed to connect", "errors resolving", "DNS resolution failed")
"""How gRPC's details of an UNAVAILABLE begin where there is no server."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an export failed."""

    reason: str
    unsupported: bool = False
    """Whether the receiver has no such signal: many take traces only."""
    too_large: bool = False
    """Whether smaller batches would be taken."""
    given_up: bool = False
    """Whether the exporter was made to stop trying again."""
    rejected: int | None = None
    """How many spans, log records or data points were not taken; None means all."""


_ending: Final = threading.Event()


def program_ends() -> None:
    """Makes exporters give up at once, from here on, where a receiver cannot be reached.

    They would try again for most of their timeout, and the program wants to end. A receiver that answers, though it
    is busy, is still asked again.
    """
    _ending.set()
    for call in list(_under_way):
        call.give_up_if_pointless()


class _Call:
    """A call of an exporter, and what it has logged.

    Args:
        give_up: Makes the exporter stop trying again.
    """

    def __init__(self, give_up: Callable[[], object] | None) -> None:
        self.records: list[logging.LogRecord] = []
        self.given_up = False
        self._give_up = [give_up] if give_up else []
        self._unreachable = False

    def hear(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._unreachable = _tells_of_no_connection(record)
        if _ending.is_set():
            self.give_up_if_pointless()

    def give_up_if_pointless(self) -> None:
        if self._unreachable:
            # Two threads may come here at the same time, and once is enough.
            with contextlib.suppress(IndexError):
                give_up = self._give_up.pop()
                self.given_up = True
                give_up()


_under_way: Final[set[_Call]] = set()


class _Current(threading.local):
    call: _Call | None = None


class _Listener(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.current = _Current()

    def filter(self, record: logging.LogRecord) -> bool:
        call = self.current.call
        if call is None or record.levelno < logging.WARNING:
            return True
        call.hear(record)
        return False


def _tells_of_no_connection(record: logging.LogRecord) -> bool:
    arguments = _arguments(record)
    if any(isinstance(argument, BaseException) for argument in arguments):
        return True
    # A server that is there can be UNAVAILABLE too.
    unavailable = any(getattr(argument, "name", None) == "UNAVAILABLE" for argument in arguments)
    return unavailable and str(arguments[-1]).startswith(_NO_CONNECTION)


_listener: Final = _Listener()


@contextlib.contextmanager
def _listening(give_up: Callable[[], object] | None) -> Iterator[_Call]:
    current = _listener.current
    outer, current.call = current.call, _Call(give_up)
    call = current.call
    _under_way.add(call)
    try:
        yield call
    finally:
        _under_way.discard(call)
        current.call = outer


def listen_to(exporter: object) -> None:
    """Makes what an exporter logs while `attempt` calls it known to `attempt` alone.

    Args:
        exporter: The exporter. It may be made of one of OpenTelemetry's, so theirs are listened to as well.
    """
    modules = [cls.__module__ for cls in type(exporter).__mro__]
    loaded = [name for name in logging.Logger.manager.loggerDict if name.startswith("opentelemetry.exporter.")]
    for name in {*modules, *loaded}:
        logging.getLogger(name).addFilter(_listener)


def attempt(
    call: Callable[[], Any],
    timeout_seconds: float,
    give_up: Callable[[], object] | None = None,
    *,
    divisible: bool = False,
) -> Failure | None:
    """Calls an exporter.

    Args:
        call: The call; its result is an enumeration with a member SUCCESS, as exporters' results are.
        timeout_seconds: The timeout that the exporter works under, for the reason.
        give_up: Makes the exporter stop trying again: its shutdown.
        divisible: Whether what is sent can be sent in smaller batches.

    Returns:
        None if that succeeded, or why it failed.
    """
    error: Exception | None = None
    began = time.monotonic()
    with _listening(give_up) as under_way, listening(divisible=divisible) as answers:
        try:
            result = call()
        except Exception as caught:  # noqa: BLE001 - an exporter is anybody's code
            error = caught
        else:
            if getattr(result, "name", "SUCCESS") == "SUCCESS":
                return _rejection(answers)
    if answers.too_large and divisible:
        return Failure("the batch is too large", too_large=True)
    failure = _explain(under_way.records, error, timeout_seconds)
    if failure is None and answers.refusal:
        failure = Failure(brief(answers.refusal))
    # The HTTP exporter names no cause when its time is up.
    if failure is None and time.monotonic() - began >= timeout_seconds:
        failure = Failure(no_answer(timeout_seconds))
    if failure is None:
        told = under_way.records
        failure = Failure(brief(told[-1].getMessage()) if told else "the exporter failed without a word")
    return replace(failure, given_up=under_way.given_up)


def _rejection(answers: Answers) -> Failure | None:
    if not answers.rejected and not answers.message:
        return None
    reason = f"the receiver rejects: {answers.message}" if answers.rejected else f"the receiver says: {answers.message}"
    return Failure(brief(reason.removesuffix(": ")), rejected=answers.rejected)


def _explain(heard: list[logging.LogRecord], error: Exception | None, timeout_seconds: float) -> Failure | None:
    arguments = [argument for record in reversed(heard) for argument in _arguments(record)]
    errors = [error, *arguments] if error else arguments
    for candidate in errors:
        if isinstance(candidate, BaseException):
            return Failure(reason_of(candidate, timeout_seconds))
    for record in reversed(heard):
        described = _of_answer(_arguments(record), timeout_seconds)
        if described:
            return described
    return None


def _arguments(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else ()


def _of_answer(arguments: tuple[object, ...], timeout_seconds: float) -> Failure | None:
    """Reads what OTLP exporters log: over gRPC a status code and last the details, over HTTP (…, status, reason)."""
    for argument in arguments:
        name = getattr(argument, "name", None)
        if name == "DEADLINE_EXCEEDED":
            return Failure(no_answer(timeout_seconds))
        if isinstance(name, str):
            return Failure(brief(f"{name}: {_of_details(str(arguments[-1]))}"), unsupported=name == "UNIMPLEMENTED")
        if isinstance(argument, int) and 100 <= argument < 600:  # noqa: PLR2004 - HTTP's range
            return Failure(brief(f"HTTP {argument} {arguments[-1]}"), unsupported=argument in (404, 405))
    match arguments:
        # Where it tries again, the HTTP exporter tells the reason, what it sends, and the seconds until then.
        case (str() as reason, str(), float()):
            return Failure(brief(reason))
    return None


def _of_details(details: str) -> str:
    """Shortens gRPC's details: of a connection that failed, to the innermost cause."""
    if not details.startswith(_NO_CONNECTION[0]):
        return details
    causes = [cause for cause in details.split(": ") if cause != "OK"]
    return next((cause for cause in causes if "handshake" in cause.lower()), causes[-1])
