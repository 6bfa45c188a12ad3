"""A file that grows by whole lines."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from pocketflow_otel.export.places import make_private
from pocketflow_otel.visiting import OWN_TRAFFIC

if TYPE_CHECKING:
    from pathlib import Path

# Readable too, to see whether the last line is whole. Only Windows has O_BINARY.
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_LINE_END: Final = 0x0A


class AppendFile:
    """A private file (mode 0600) to which each line goes in one write, so that a killed process tears none.

    It is opened when it is first needed, and again after `close`. Several processes may append to the same file.

    Args:
        path: Where it is. Missing directories are created when it is first opened.
    """

    __slots__ = ("_fd", "_identity", "_torn", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None
        self._identity = (0, 0)
        self._torn = False

    def open(self) -> int:
        """Opens the file, and creates it if there is none.

        Returns:
            Its descriptor.

        Raises:
            OSError: If that is not possible.
        """
        if self._fd is not None:
            status = self._status(self._fd)
            # A file that was deleted is of no use to anybody.
            if status and status.st_nlink:
                return self._fd
        self.close()
        try:
            fd = os.open(self.path, _FLAGS, 0o600)
        except FileNotFoundError:
            make_private(self.path.parent)
            fd = os.open(self.path, _FLAGS, 0o600)
        status = os.fstat(fd)
        self._fd = fd
        self._identity = (status.st_dev, status.st_ino)
        self._torn = status.st_size > 0 and _last_byte(fd) != _LINE_END
        return fd

    def append(self, line: bytes) -> None:
        """Writes a line.

        Args:
            line: The line with its line end.

        Raises:
            OSError: If it could not be written, or only a part of it. The next line is readable all the same.
        """
        fd = self.open()
        data = b"\n" + line if self._torn else line
        written = os.write(fd, data)
        OWN_TRAFFIC.written += written
        if written:
            self._torn = data[written - 1] != _LINE_END
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def close(self) -> None:
        """Closes the file until it is needed again."""
        fd, self._fd = self._fd, None
        if fd is not None and self._status(fd):
            os.close(fd)

    def _status(self, fd: int) -> os.stat_result | None:
        # A program that closes all descriptors, as daemons do, may have been given this number for a file of its own.
        try:
            status = os.fstat(fd)
        except OSError:
            return None
        return status if (status.st_dev, status.st_ino) == self._identity else None


def _last_byte(fd: int) -> int:
    os.lseek(fd, -1, os.SEEK_END)
    return os.read(fd, 1)[0]
