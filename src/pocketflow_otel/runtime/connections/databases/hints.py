"""What was probably meant, where a database only says what is not there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from pocketflow_otel.runtime.connections.databases.writing import Target

_NO_TABLE: Final = re.compile(
    r"no such table: (?:\w+\.)?(.+)|relation \"(?:\w+\.)?([^\"]+)\" does not|Table '(?:\w+\.)?(.+?)' doesn't"
)
_NO_COLUMN: Final = re.compile(r"no such column: (?:\w+\.)?(.+)|Unknown column '(?:\w+\.)?(.+?)'")


def with_hint(message: str, sql: str, target: Target) -> str:
    """A database's message, with the nearest name where one is missing."""
    line = message.partition("\n")[0]
    if found := _NO_TABLE.search(line):
        near = nearest(_name(found), target.tables())
    elif found := _NO_COLUMN.search(line):
        words = set(re.findall(r"\w+", sql))
        near = nearest(
            _name(found), [name for table in target.tables() if table in words for name in target.columns(table)]
        )
    else:
        return message
    return f"{message}; did you mean {near!r}?" if near else message


def _name(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group)
