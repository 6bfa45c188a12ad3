"""A run's folder: its result, its events, files that stay, and files that go when it succeeds."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.visiting import OWN_TRAFFIC

if TYPE_CHECKING:
    from pocketflow_otel.runtime.running.events import Event


RESULT: Final = "result.json"
EVENTS: Final = "events.jsonl"


def occupied(path: Path) -> str | None:
    """Why a folder can't be a new run's own; None where it is empty, or not there.

    A run removes files of its own when it succeeds, and would mix those of others with them.

    Raises:
        OSError: It can't be looked into.
    """
    if not path.exists():
        return None
    if not path.is_dir():
        return f"{path} is a file"
    if (path / RESULT).exists():
        return f"{path} holds the result of another run"
    if (path / EVENTS).exists():
        return f"{path} holds another run, which goes on, or was killed"
    return f"{path} holds other files" if any(path.iterdir()) else None


class Folder:
    """A run's folder, made when first needed; for this user alone.

    Args:
        path: Where it is; None for one among the temporary files, which holds artifacts only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._temporary: Path | None = None
        self._lock = threading.RLock()
        self._events: int | None = None

    @property
    def path(self) -> Path | None:
        """Where it is, if it is kept."""
        return self._path

    @property
    def temporary(self) -> Path | None:
        """Of a run whose folder is not kept: where files of its nodes are all the same, if there are any."""
        with self._lock:
            return self._temporary

    @property
    def artifacts(self) -> Path:
        """For files that stay."""
        return self._made("artifacts")

    @property
    def working(self) -> Path:
        """For files that go when the run succeeds."""
        return self._made("working")

    def _made(self, name: str) -> Path:
        with self._lock:
            if self._path is None and self._temporary is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="pocketflow-run-"))
            folder = (self._path or self._temporary or Path()) / name
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder

    def open(self) -> None:
        """Makes the folder.

        Raises:
            OSError: It can't be made, or holds something already.
        """
        if self._path is None:
            return
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (obstacle := occupied(self._path)) is not None:
            raise FileExistsError(obstacle)
        # Of two runs that begin at once in one folder, one makes the file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        self._events = os.open(self._path / EVENTS, flags, 0o600)

    def note(self, event: Event) -> None:
        """Writes an event to its file, at once: a listener for `Events`."""
        data = event.line().encode("utf-8", "backslashreplace")
        # A run that is left behind may tell something while its file is closed.
        with self._lock:
            if self._events is None:
                return
            written = os.write(self._events, data)
            OWN_TRAFFIC.written += written
            if written < len(data):
                # The disk is full: half a line would spoil the file for whoever reads it.
                os.ftruncate(self._events, os.fstat(self._events).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def save(self, result: dict[str, Any]) -> None:
        """Writes the result, as a whole or not at all, where the folder is kept.

        Raises:
            OSError: It can't be written.
        """
        if self._path is None:
            return
        text = json.dumps(result, indent=2, ensure_ascii=False, default=str) + "\n"
        handle, name = tempfile.mkstemp(prefix=".result.", dir=self._path)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path / RESULT)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def close(self, *, succeeded: bool) -> None:
        """Closes its files, and removes working files where nobody will look at them."""
        with self._lock:
            if self._events is not None:
                os.close(self._events)
                self._events = None
            for folder in filter(None, (self._path, self._temporary)):
                if succeeded:
                    shutil.rmtree(folder / "working", ignore_errors=True)
            if self._temporary is not None and not any(self._temporary.iterdir()):
                self._temporary.rmdir()
                self._temporary = None
