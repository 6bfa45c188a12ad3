"""Reads the text of a document's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.documents.text import MAX_LENGTH

if TYPE_CHECKING:
    from pathlib import Path

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_MAX_BYTES: Final = 4 * MAX_LENGTH


class UnreadableFile(ValueError):  # noqa: N818 - it names what it is about
    """A file that holds no text.

    Attributes:
        line: Where it goes wrong; 0 where no line can be named.
        column: Likewise.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        UnreadableFile: There is no such file, it can't be read, or it is no UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableFile(f"there is no such file{_near(path)}") from None
    except IsADirectoryError:
        raise UnreadableFile("this is a folder; a document's file was expected") from None
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"it can't be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _MAX_BYTES:
        raise UnreadableFile(f"it has more than {_MAX_BYTES} bytes; documents have at most {MAX_LENGTH} characters")
    data = data.removeprefix(_UTF8_MARK)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        raise UnreadableFile(f"the byte 0x{data[error.start]:02x} is no UTF-8", line, column) from None


def _near(path: Path) -> str:
    from pocketflow_otel.runtime.documents.faults import nearest

    try:
        names = [one.name for one in path.parent.iterdir() if one.is_file()]
    except OSError:
        return ""
    near = nearest(path.name, names[:1000])
    return f"; did you mean {near!r}?" if near else ""
