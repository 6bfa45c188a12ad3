"""Styled lines of text, on a terminal, a pipe or a file.

A line is a list of (style, text); a style is a parameter of ANSI's "select graphic rendition", or empty. Nothing here
knows of spans.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from pocketflow_otel.export.console.text import EMOJI_JOINER, cell, cells, printable
from pocketflow_otel.export.streams import write_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

Line = list[tuple[str, str]]

PLAIN: Final = ""
BOLD: Final = "1"
DIM: Final = "2"
RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"

MAX_TEXT: Final = 4096
"""Longest piece of somebody's text on a line, in characters: an error message can be a whole web page."""

DEFAULT_WIDTH: Final = 80


class Symbols(NamedTuple):
    """The few signs that lines are made with."""

    started: str
    done: str
    failed: str
    stopped: str
    waiting: str
    again: str
    warning: str
    other: str
    arrow: str
    inside: str
    bar: str
    ellipsis: str


UNICODE: Final = Symbols("▶", "✔", "✘", "■", "○", "↻", "!", "·", "→", "›", "│", "…")  # noqa: RUF001 - the sign is meant
ASCII: Final = Symbols(">", "v", "x", "x", "o", "@", "!", ".", "->", "/", "|", "...")


def line_cells(line: Line) -> int:
    """How many columns a line takes."""
    return sum(cells(text) for _, text in line)


def cut(line: Line, room: int, ellipsis: str) -> Line:
    """The line as it is if it fits in `room` columns, else its beginning and an ellipsis."""
    if line_cells(line) <= room:
        return line
    return [*_beginning(line, room - cells(ellipsis)), (DIM, ellipsis)]


def _beginning(line: Line, room: int) -> Iterator[tuple[str, str]]:
    for style, text in line:
        taken = 0
        for index, char in enumerate(text):
            taken += cell(char)
            if taken > room:
                yield style, text[:index].rstrip(EMOJI_JOINER)
                return
        yield style, text
        room -= taken


def wants_color(stream: TextIO) -> bool:
    """Whether to colour what goes to this stream: on a terminal, unless the environment says otherwise.

    ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb`` count, in this order, as in Python itself.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("TERM") == "dumb":
        return False
    # Of Windows' consoles only this one is sure to read ANSI codes.
    if os.name == "nt" and "WT_SESSION" not in os.environ:
        return False
    return _is_terminal(stream)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, OSError, ValueError):  # no such method, or closed
        return False


class Terminal:
    """Where lines are written to: it never raises, and falls silent when the stream is gone.

    Args:
        stream: The stream, or None for no output at all.
        color: Whether to use colours; None to decide by the stream and the environment.
    """

    def __init__(self, stream: TextIO | None, color: bool | None = None) -> None:
        self._stream = stream
        self._cuts = stream is not None and _is_terminal(stream)
        self._color = color if color is not None or stream is None else wants_color(stream)
        self._encoding = _limited_encoding(stream)
        self.symbols = UNICODE if self.clean("".join(UNICODE)) == "".join(UNICODE) else ASCII

    def clean(self, text: str, limit: int = MAX_TEXT) -> str:
        """Somebody's text as it may stand on a line of this stream: harmless, bounded, and in the stream's encoding."""
        if len(text) > limit:
            text = text[:limit] + self.symbols.ellipsis
        text = printable(text)
        if self._encoding is not None and not text.isascii():
            text = text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        return text

    def write(self, lines: Iterable[Line], *, whole: bool = False) -> None:
        """Writes lines in one call, so that other threads' lines do not come between, and flushes.

        Args:
            lines: The lines, without line ends.
            whole: Do not cut these at the terminal's width.
        """
        stream = self._stream
        if stream is None:
            return
        room = self._width() if self._cuts and not whole else None
        text = "".join([self._render(line, room) + "\n" for line in lines])
        try:
            write_now(stream, text)
        except RuntimeError:
            # A signal handler came in the middle of another write to the same stream: only this line is lost.
            return
        except Exception:  # noqa: BLE001 - closed, a broken pipe, or whatever a stream of the program's raises
            self._stream = None

    def close(self) -> None:
        """Writes nothing any more; the stream is the program's and stays open."""
        self._stream = None

    def _render(self, line: Line, room: int | None) -> str:
        if room is not None:
            line = cut(line, room, self.symbols.ellipsis)
        if not self._color:
            return "".join([text for _, text in line])
        return "".join([f"\x1b[{style}m{text}\x1b[0m" if style and text else text for style, text in line])

    def _width(self) -> int:
        columns = os.environ.get("COLUMNS", "")
        if columns.isdecimal() and int(columns) > 0:
            return int(columns)
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or DEFAULT_WIDTH  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError):
            return DEFAULT_WIDTH


def _limited_encoding(stream: TextIO | None) -> str | None:
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str) or encoding.lower().replace("_", "-").startswith("utf"):
        return None
    try:
        "".encode(encoding)
    except LookupError:
        return "ascii"
    return encoding


def plain(lines: Iterable[Line]) -> str:
    """Lines as text without styles."""
    return "\n".join("".join(text for _, text in line) for line in lines)
