"""Describes the exceptions of the user's program, running no more of its code than a ``__str__`` made for that."""

from __future__ import annotations

import asyncio
import os
import traceback
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

import wrapt

from pocketflow_otel.capture.containers import is_one_of
from pocketflow_otel.capture.inspection import bases, class_attributes, exception_arguments
from pocketflow_otel.capture.shapes import shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Clean = Callable[[str], str]

_MAX_TRACE: Final = 8 * 1024
_MAX_CHAIN: Final = 16
_LONGEST_INT: Final = 4096
_OURS: Final = tuple(
    f"{folder}{os.sep}" for folder in (Path(__file__).absolute().parents[1], Path(wrapt.__file__).absolute().parent)
)
_SCALARS: Final = frozenset({str, float, bool, bytes, type(None)})
_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def error_type(error: BaseException) -> str:
    """The class of an exception, qualified unless it is builtin; ``CancelledError`` as everybody calls it."""
    cls = type(error)
    if cls is asyncio.CancelledError:
        return "CancelledError"
    module, name = cls.__dict__.get("__module__"), type.__dict__["__qualname__"].__get__(cls)
    return name if module == "builtins" or type(module) is not str else f"{module}.{name}"


def message(error: BaseException, clean: Clean) -> str:
    """What an exception says; of arguments that are no plain values only the type and size.

    Args:
        error: The exception.
        clean: Masks the secrets in a text. What is masked is each argument: among others it stands quoted and escaped.
    """
    arguments = exception_arguments(error)
    says = _definer(error)
    if says is BaseException or says is KeyError:
        if len(arguments) > 1:
            return f"({', '.join(_shown(argument, clean) for argument in arguments)})"
        if arguments and (says is KeyError or not _is_plain(arguments[0])):
            return _shown(arguments[0], clean)
    if not (_is_of_the_program(says) or all(map(_is_plain, arguments))):
        return ", ".join(_shown(argument, clean) for argument in arguments)
    try:
        text: Any = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - __str__ is the user's code, and may raise anything
        return ""
    return clean(text) if isinstance(text, str) else ""


def _definer(error: BaseException) -> type:
    """The class whose ``__str__`` an exception has."""
    return next(base for base in bases(type(error)) if "__str__" in class_attributes(base))


def _is_of_the_program(cls: type) -> bool:
    """Whether a class's ``__str__`` is written in Python, and so made to be called."""
    return type(class_attributes(cls)["__str__"]) is FunctionType


def _shown(argument: Any, clean: Clean) -> str:
    if type(argument) is str:
        return repr(clean(argument))
    return repr(argument) if _is_plain(argument) else shape(argument)


def _is_plain(value: Any) -> bool:
    return is_one_of(type(value), _SCALARS) or (type(value) is int and value.bit_length() <= _LONGEST_INT)


def stack_trace(error: BaseException, clean: Clean) -> str:
    """The traceback of an exception and of what led to it, without our own frames; its middle is left out if long.

    Args:
        error: The exception.
        clean: Masks the secrets in a text.
    """
    text = "".join(_chain(error, clean, []))
    if len(text) <= _MAX_TRACE:
        return text
    half = _MAX_TRACE // 2
    return f"{text[:half]}\n… {len(text) - _MAX_TRACE} characters left out …\n{text[-half:]}"


def _chain(error: BaseException, clean: Clean, told: list[int]) -> Iterator[str]:
    # The standard library's own formatting asks values for their text; this asks only what `message` does.
    told.append(id(error))
    earlier, link = _cause(error), _CAUSED
    if earlier is None and not _SUPPRESS(error):
        earlier, link = _context(error), _DURING
    if earlier is not None and id(earlier) not in told and len(told) < _MAX_CHAIN:
        yield from _chain(earlier, clean, told)
        yield link
    frames = [frame for frame in traceback.extract_tb(_traceback(error)) if not frame.filename.startswith(_OURS)]
    if frames:
        yield "Traceback (most recent call last):\n"
        yield from map(clean, traceback.StackSummary.from_list(frames).format())
    text = message(error, clean)
    yield f"{error_type(error)}: {text}\n" if text else f"{error_type(error)}\n"
    notes = _attributes(error).get("__notes__")
    if type(notes) is list:
        yield from (f"{clean(note)}\n" for note in notes if type(note) is str)
    if issubclass(type(error), BaseExceptionGroup):
        for number, inner in enumerate(_inner(error), 1):
            if id(inner) not in told and len(told) < _MAX_CHAIN:
                yield f"  Exception {number} of the group:\n"
                yield from (f"    {line}\n" for part in _chain(inner, clean, told) for line in part.splitlines())


_cause: Final = BaseException.__dict__["__cause__"].__get__
_context: Final = BaseException.__dict__["__context__"].__get__
_attributes: Final = BaseException.__dict__["__dict__"].__get__
_traceback: Final = BaseException.__dict__["__traceback__"].__get__
_SUPPRESS: Final = BaseException.__dict__["__suppress_context__"].__get__
_inner: Final = BaseExceptionGroup.__dict__["exceptions"].__get__
