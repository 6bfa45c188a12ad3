"""What the user is told by a log record, in the program's own logging."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

_logger: Final = logging.getLogger("pocketflow_otel")


class _Here(threading.local):
    is_writing = False


_here: Final = _Here()


def warn(message: str, *arguments: object, exc_info: Any = None) -> None:
    """Logs a warning. Where logging prints it, that is not what the node that runs just now has printed."""
    before, _here.is_writing = _here.is_writing, True
    try:
        _logger.warning(message, *arguments, exc_info=exc_info, stacklevel=2)
    finally:
        _here.is_writing = before


def is_writing() -> bool:
    """Whether this thread is logging something of ours."""
    return _here.is_writing
