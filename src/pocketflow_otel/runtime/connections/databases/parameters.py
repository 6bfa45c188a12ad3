"""Named parameters, the same in every database: ``$name``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.databases.database import UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PARAMETER: Final = r"(?<![\w$])\$(?P<name>[A-Za-z_]\w*)(?!\w*\$)"
_STANDARD: Final = (r"'(?:[^']|'')*'", r'"(?:[^"]|"")*"', r"--[^\n]*", r"/\*.*?\*/")
_DOLLARS: Final = r"(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)"


@dataclass(frozen=True)
class Lexicon:
    """How a database writes what is no statement: texts, quoted names, comments.

    Attributes:
        passed: Patterns of these.
    """

    passed: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds parameters, and passes over everything in which a ``$`` means nothing."""
        return re.compile("|".join((*self.passed, _PARAMETER)), re.DOTALL)


POSTGRES: Final = Lexicon((r"\b[eE]'(?:[^'\\]|\\.|'')*'", *_STANDARD, _DOLLARS))
DUCKDB: Final = Lexicon((r"\b[eE]'(?:[^'\\]|\\.|'')*'", *_STANDARD, _DOLLARS))
SQLITE: Final = Lexicon((*_STANDARD, r"`(?:[^`]|``)*`", r"\[[^\]]*\]"))
MYSQL: Final = Lexicon(
    (r"'(?:[^'\\]|\\.|'')*'", r'"(?:[^"\\]|\\.|"")*"', r"`(?:[^`]|``)*`", r"--\s[^\n]*|\#[^\n]*", r"/\*.*?\*/")
)


def bound(
    sql: str, parameters: Mapping[str, Any], lexicon: Lexicon, mark: Callable[[int], str]
) -> tuple[str, list[str]]:
    """A statement with a database's own marks, and which parameter stands at each.

    Args:
        sql: The statement, with parameters as ``$name``.
        parameters: What they are.
        lexicon: The database's.
        mark: The database's mark of a parameter, by how many came before it.

    Raises:
        UnknownName: The statement has a parameter that is not given, or one is given that it does not have.
    """
    order: list[str] = []

    def marked(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found[0]
        if name not in parameters:
            raise UnknownName(f"${name} is not among the parameters", name, parameters)
        order.append(name)
        return mark(len(order) - 1)

    statement = lexicon.pattern.sub(marked, sql)
    for name in parameters:
        if name not in order:
            raise UnknownName(f"the statement has no parameter ${name}", name, sorted(set(order)))
    return statement, order
