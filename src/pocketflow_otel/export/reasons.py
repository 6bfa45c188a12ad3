"""Why requests failed, in a few words. Needs no SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.export.confirmations import NotOtlpError
from pocketflow_otel.export.otlp_variables import without_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 160
"""In characters: a proxy may answer with a whole web page."""
_NO_SCHEME: Final = frozenset({"InvalidSchema", "MissingSchema"})
"""What `requests` raises where it does not know how to speak, most of the time for want of ``http://``."""


def reason_of(error: BaseException, timeout_seconds: float) -> str:
    """Says in a few words why a request failed, without its URL, which may hold keys.

    Args:
        error: What was raised, by any HTTP client.
        timeout_seconds: The timeout that it worked under.
    """
    chain = list(_causes(error))
    if isinstance(error, NotOtlpError):
        return brief(str(error))
    if any("timeout" in type(cause).__name__.lower() for cause in chain):
        return no_answer(timeout_seconds)
    if type(error).__name__ in _NO_SCHEME:
        return "the endpoint begins with neither http:// nor https://"
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return brief(cause.strerror)
    # The innermost tells least of URLs, which may hold keys.
    return brief(f"{type(chain[-1]).__name__}: {chain[-1]}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was made of: its cause, and for urllib3 and requests its ``reason`` and arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def brief(text: str, longest: int = _LONGEST) -> str:
    """Makes a text one line of so many characters at most, without the keys that the variables hold."""
    line = " ".join(without_keys(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def no_answer(seconds: float) -> str:
    """What is said of a receiver that took its time."""
    return f"no answer within {seconds:g} s"
