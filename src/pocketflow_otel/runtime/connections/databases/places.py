"""Where the file of a database is."""

from __future__ import annotations

from pathlib import Path


def file_of(path: str, base: Path) -> Path:
    """The file that a setting names.

    Raises:
        ValueError: It is no file, or its folder is not there.
    """
    file = base / Path(path).expanduser()
    if path.startswith(":") or "\0" in path:
        raise ValueError(
            f"path {path!r}: expected the path of a file: nodes share tables, and not a database in memory"
        )
    if file.is_dir():
        raise ValueError(f"{file} is a folder, not a file")
    if not file.parent.is_dir():
        raise ValueError(f"there is no folder {file.parent}")
    return file
