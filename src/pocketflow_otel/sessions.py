"""Sessions: whose conversation a run belongs to, on every span of it.

A session travels in the OpenTelemetry context, as the current span does: into tasks, into functions that `carry` made,
and, where that is wanted, as W3C baggage to other services.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Self, cast

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from pocketflow_otel import semconv
from pocketflow_otel.capture.windows import encodable
from pocketflow_otel.carrying import Block

if TYPE_CHECKING:
    from collections.abc import Mapping


SESSION: Final = otel_context.create_key("pocketflow-session")
"""The attributes of the current session, in the OpenTelemetry context: a dict that nobody changes."""

_LONGEST: Final = 1024
_LONGEST_IN_BAGGAGE: Final = 200


def session(session_id: str, *, user_id: str | None = None, tags: Iterable[str] = (), baggage: bool = False) -> Session:
    """A session: every flow, node and call of a model inside it tells that it belongs to it.

    Use it as ``with session("chat-42"):``, ``async with session("chat-42"):``, or as a decorator of a function or
    coroutine function. One session may be entered many times, also at once from several threads and tasks.

    Inside another session its id counts, its user where one is given, and its tags are added to those around.

    Args:
        session_id: Which session: ``session.id`` and ``gen_ai.conversation.id`` of spans, 1 to 1024 characters.
        user_id: Whose session: ``user.id`` of spans, 1 to 1024 characters.
        tags: Words to find it by: ``pocketflow.tags`` of spans, each 1 to 1024 characters.
        baggage: Whether the ids given here also travel with outgoing requests, as W3C baggage ``session.id`` and
            ``user.id``, to whomever these go. Each is then printable and at most 200 characters. Without it, what
            already travels goes on doing so.

    Returns:
        The session, not yet entered.

    Raises:
        TypeError: An id or a tag is not a str, or the tags are a single one.
        ValueError: An id or a tag is empty, too long, or cannot travel.
    """
    ids = {"session_id": _text("session_id", session_id)}
    if user_id is not None:
        ids["user_id"] = _text("user_id", user_id)
    if baggage:
        for name, value in ids.items():
            if not _can_travel(value):
                raise ValueError(
                    f"{name} must be printable and have at most {_LONGEST_IN_BAGGAGE} characters to travel as baggage; "
                    f"this one has {len(value)}"
                )
    return Session(ids["session_id"], ids.get("user_id"), _texts(tags), baggage=baggage)


def session_attributes(context: Context) -> Mapping[str, Any] | None:
    """What a span that starts in a context is to tell of its session; None outside of sessions."""
    return cast("Mapping[str, Any] | None", context.get(SESSION))


def session_of_baggage(context: Context) -> dict[str, Any] | None:
    """What a request that came in tells of its session, for a context that is in none of our own.

    Whoever sends a request may write anything there: ids that are no printable text of 1 to 200 characters are not
    taken, rather than cut, which would make them the ids of something else.

    Args:
        context: The context into which the baggage was extracted.

    Returns:
        Attributes for spans, as in `SESSION`; None where there is a session, or nothing usable in the baggage.
    """
    if SESSION in context:
        return None
    session_id = otel_baggage.get_baggage(semconv.SESSION_ID, context)
    user_id = otel_baggage.get_baggage(semconv.USER_ID, context)
    return (
        _attributes(session_id if _can_travel(session_id) else None, user_id if _can_travel(user_id) else None) or None
    )


class Session(Block["Session"]):
    """A session that can be entered; made by `session`."""

    __slots__ = ("_attributes", "_tags", "_travelling")

    def __init__(self, session_id: str, user_id: str | None, tags: tuple[str, ...], *, baggage: bool) -> None:
        super().__init__()
        self._attributes = _attributes(session_id, user_id)
        self._tags = tags
        names = (semconv.SESSION_ID, semconv.USER_ID) if baggage else ()
        self._travelling = {name: self._attributes[name] for name in names if name in self._attributes}

    def begin(self) -> tuple[Context, Self]:
        """Enters the session, in a context that tells of it."""
        around = otel_context.get_current()
        outer = session_attributes(around) or {}
        attributes = {**outer, **self._attributes}
        if tags := tuple(dict.fromkeys((*outer.get(semconv.TAGS, ()), *self._tags))):
            attributes[semconv.TAGS] = tags
        context = Context({**around, SESSION: attributes})
        for name, value in self._travelling.items():
            context = otel_baggage.set_baggage(name, value, context)
        return context, self


def _attributes(session_id: object, user_id: object) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if session_id is not None:
        attributes[semconv.SESSION_ID] = attributes[semconv.CONVERSATION_ID] = session_id
    if user_id is not None:
        attributes[semconv.USER_ID] = user_id
    return attributes


def _can_travel(value: object) -> bool:
    return type(value) is str and 0 < len(value) <= _LONGEST_IN_BAGGAGE and value.isprintable()


def _texts(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise TypeError(f"tags must be a list of str, not {type(tags).__name__}")
    return tuple(_text("each of tags", tag) for tag in tags)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    text = encodable(str.__str__(value))  # members of a StrEnum become what they say
    if not 0 < len(text) <= _LONGEST:
        raise ValueError(f"{name} must have 1 to {_LONGEST} characters, not {len(text)}")
    return text
