"""Describes the exceptions of the user's program, without running more of its code than their ``__str__``."""

from __future__ import annotations

import asyncio
import os
import traceback
from pathlib import Path
from typing import Any, Final

import wrapt

_MAX_TRACE: Final = 8 * 1024
_OURS: Final = tuple(
    f"{folder}{os.sep}" for folder in (Path(__file__).absolute().parents[1], Path(wrapt.__file__).absolute().parent)
)


def error_type(error: BaseException) -> str:
    """The class of an exception, qualified unless it is builtin; ``CancelledError`` as everybody calls it."""
    cls = type(error)
    if cls is asyncio.CancelledError:
        return "CancelledError"
    module, name = cls.__module__, cls.__qualname__
    return name if module == "builtins" else f"{module}.{name}"


def message(error: BaseException) -> str:
    """What an exception says; empty if it can't."""
    try:
        text: Any = str(error)
    except Exception:  # noqa: BLE001 - __str__ is the user's code
        return ""
    return text if isinstance(text, str) else ""


def stack_trace(error: BaseException) -> str:
    """The traceback of an exception and of what led to it, without our own frames; its middle is left out if long."""
    described = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    _drop_our_frames(described, set())
    text = "".join(described.format())
    if len(text) <= _MAX_TRACE:
        return text
    half = _MAX_TRACE // 2
    return f"{text[:half]}\n… {len(text) - _MAX_TRACE} characters left out …\n{text[-half:]}"


def _drop_our_frames(described: traceback.TracebackException, seen: set[int]) -> None:
    if id(described) in seen:
        return
    seen.add(id(described))
    described.stack[:] = [frame for frame in described.stack if not frame.filename.startswith(_OURS)]
    for other in (described.__cause__, described.__context__, *(described.exceptions or ())):
        if other is not None:
            _drop_our_frames(other, seen)
