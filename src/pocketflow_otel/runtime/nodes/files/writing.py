"""Writes files so that others see the old content or the new one, and nothing between."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from pocketflow_otel.runtime.nodes.files.places import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_HEAD: Final = 65_536
_FULL: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than is allowed",
}


def replace(path: Path, content: bytes) -> None:
    """Writes a file anew. What a link points to is replaced, the link stays; so do the permissions.

    Devices and pipes are written to as they are.

    Raises:
        OSError: It can't be written; the file is as it was.
    """
    with _explaining(path):
        target = path.resolve()
        mode = _mode(target)
        if mode is not None and not stat.S_ISREG(mode):
            _write_to(os.open(target, os.O_WRONLY), content)
            return
        beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
        try:
            _write_to(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), content, sync=True)
            if mode is not None:
                beside.chmod(stat.S_IMODE(mode))
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)


def append(path: Path, content: Callable[[bytes, bytes], bytes]) -> int:
    """Adds to the end of a file, or begins it. Others that append meanwhile wait.

    Args:
        path: The file.
        content: Gives what to add. It is told the first 64 KiB of what is there, and the last byte of it.

    Returns:
        How many bytes were added.

    Raises:
        OSError: It can't be written; the file is as it was.
    """
    with _explaining(path):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _lock(file)
            found = os.fstat(file)
            head = os.pread(file, _HEAD, 0) if found.st_size else b""
            added = content(head, os.pread(file, 1, found.st_size - 1) if found.st_size else b"")
            try:
                _write_all(file, added)
                if stat.S_ISREG(found.st_mode):
                    os.fsync(file)
            except BaseException:
                if stat.S_ISREG(found.st_mode):
                    os.ftruncate(file, found.st_size)
                raise
        finally:
            os.close(file)
    return len(added)


@contextlib.contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OSError(error.errno, f"{path}: {_FULL[error.errno]}; nothing was written") from None
        raise explained(error, path) from None


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _write_to(file: int, content: bytes, *, sync: bool = False) -> None:
    try:
        _write_all(file, content)
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def _write_all(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no such locks.
        return
    with contextlib.suppress(OSError):  # Devices and some file systems can't be locked.
        fcntl.flock(file, fcntl.LOCK_EX)


def _sync_folder(folder: Path) -> None:
    # Until then a power cut may bring the old file back. Not every file system can do it.
    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
