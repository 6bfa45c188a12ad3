"""Where files of ours go. Nothing is created before there is something to write."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def state_dir() -> Path:
    """The platform's directory for what this program remembers of its user."""
    return Path(platformdirs.user_state_dir("pocketflow-otel", appauthor=False))


def trace_dir(configured: str | None = None) -> Path:
    """The directory of trace files.

    Args:
        configured: What the option ``trace_dir`` says.

    Returns:
        That, or ``traces`` in the state directory: absolute, as programs change their working directory. It need not
        exist.
    """
    return Path(configured).absolute() if configured else state_dir() / "traces"


def make_private(directory: Path) -> None:
    """Creates a directory, and those above it that are missing, for this user alone (mode 0700).

    Raises:
        OSError: If that is not possible, or something else has this name.
    """
    if directory.is_dir():
        return
    if directory.parent != directory:
        make_private(directory.parent)
    # Another process may create it in this moment.
    directory.mkdir(mode=0o700, exist_ok=True)
