"""Where a file of a document is, and what to say where it is not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pocketflow_otel.runtime.documents.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


def located(path: str, base: Path) -> Path:
    """The file that a path of a document means: relative ones begin at the document's folder, ``~`` is the home.

    Raises:
        ValueError: The path is empty, or has a NUL character.
    """
    if not path.strip() or "\0" in path:
        raise ValueError(f"path {path!r}: expected the path of a file")
    return base / Path(path).expanduser()


def opened(path: Path) -> AbstractContextManager[BinaryIO]:
    """A file, to be read.

    Raises:
        OSError: There is none, it is no file, or it may not be read; a sentence says which.
    """
    try:
        # A pipe without a writer would be waited for when it is opened.
        found = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise explained(error, path) from None
    kind = os.fstat(found).st_mode
    if not stat.S_ISREG(kind):
        os.close(found)
        what = "a folder: file.list finds the files in it" if stat.S_ISDIR(kind) else "no regular file"
        raise OSError(f"{path}: it is {what}")
    return os.fdopen(found, "rb")


def explained(error: OSError, path: Path) -> OSError:
    """The same error, as a sentence about the file."""
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"{path}: {_missing(path)}")
    if isinstance(error, NotADirectoryError):
        return NotADirectoryError(f"{path}: a part of the path is a file, not a folder")
    if isinstance(error, PermissionError):
        return PermissionError(f"{path}: permission denied")
    return type(error)(f"{path}: {error.strerror or error}")


def _missing(path: Path) -> str:
    for folder in reversed(list(_folders(path))):
        if not folder.is_dir():
            return f"there is no folder {folder}{_hint(folder)}"
    return f"there is no such file{_hint(path)}"


def _folders(path: Path) -> Iterator[Path]:
    return (folder for folder in path.parents if folder.name)


def _hint(path: Path) -> str:
    try:
        near = nearest(path.name, (other.name for other in path.parent.iterdir()))
    except OSError:
        return ""
    return f"; did you mean {near!r}?" if near else ""
