"""Functions that take an OpenTelemetry context with them, to wherever they are called."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opentelemetry.context import Context

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

_HERE: Final[ContextVar[None]] = ContextVar("pocketflow-here")


def carry(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function that runs in the OpenTelemetry context of now, wherever it is called.

    Pools and threads do not pass on the current span and session. This does, for one function:
    ``pool.submit(carry(work), item)``, ``pool.map(carry(work), items)``, ``Thread(target=carry(work))``,
    ``loop.run_in_executor(None, carry(work))``. Spans that begin in it are children of what is current now.

    Not for pools of processes. The body of a generator function runs outside: in the context in which it is iterated.

    Args:
        function: A function, a coroutine function, or any other callable.

    Returns:
        A function of the same kind, signature and name, which may be called often and from many threads at once.
    """
    context = otel_context.get_current()
    return within(function, lambda: context)


def within(function: Callable[_P, _R], context_of_call: Callable[[], Context]) -> Callable[_P, _R]:
    """A function that runs in a context made for each call.

    Args:
        function: A function, or a coroutine function: its coroutine runs in the context then, from its first step.
        context_of_call: Asked where a call begins.

    Returns:
        A function of the same kind, signature and name.
    """
    if _is_async(function):
        in_task = _coroutine_within(cast("Callable[_P, Awaitable[Any]]", function), context_of_call)
        return cast("Callable[_P, _R]", in_task)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        attachment = Attachment(context_of_call())
        try:
            return function(*args, **kwargs)
        finally:
            attachment.end()

    return call


def _coroutine_within(
    function: Callable[_P, Awaitable[Any]], context_of_call: Callable[[], Context]
) -> Callable[_P, Awaitable[Any]]:
    @functools.wraps(function)
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        attachment = Attachment(context_of_call())
        try:
            return await function(*args, **kwargs)
        finally:
            attachment.end()

    return call


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


class Attachment:
    """A context that is the current one until this ends, from wherever it is ended.

    Args:
        context: What to make current.
    """

    __slots__ = ("_mark", "_token")

    def __init__(self, context: Context) -> None:
        self._mark = _HERE.set(None)
        self._token = otel_context.attach(context)

    def end(self) -> bool:
        """Makes current again what was before.

        Returns:
            Whether that was to be done here: in another task or thread than it began in, nothing was made current; nor
            is it done twice.
        """
        # A coroutine or generator may be closed from anywhere. OpenTelemetry can't be asked whether a token is of here,
        # and logs an error where it is not; a variable of our own says so.
        try:
            _HERE.reset(self._mark)
        except (ValueError, RuntimeError):
            return False
        otel_context.detach(self._token)
        return True


class Block(Generic[_T]):
    """What may stand around a block of code, and has a context of its own there: ``with``, ``async with``, a decorator.

    One block may be entered many times, also at once from several threads and tasks.
    """

    __slots__ = ("_attachments",)

    def __init__(self) -> None:
        self._attachments: list[Attachment] = []

    def begin(self) -> tuple[Context, _T]:
        """Makes the context for one time that it is entered, and what ``with … as`` gives."""
        raise NotImplementedError

    def __enter__(self) -> _T:
        context, given = self.begin()
        self._attachments.append(Attachment(context))
        return given

    def __exit__(self, *_: object) -> None:
        # The latest that began here is the innermost; those of other threads and tasks stay as they are.
        for attachment in reversed(tuple(self._attachments)):
            if attachment.end():
                self._attachments.remove(attachment)
                return

    async def __aenter__(self) -> _T:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Decorates a function or coroutine function: each call of it enters anew.

        Raises:
            TypeError: It is a generator function, whose body would run outside.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"a {type(self).__name__.lower()} can't decorate a generator function, whose body runs where it is "
                "iterated: begin it there"
            )
        return within(function, lambda: self.begin()[0])
