"""``file.list``: the files that match a pattern."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, list_of, object_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.runtime.registry.node_types import Context


class FileListConfig(Part):
    """Which files to find.

    Attributes:
        pattern: One or several patterns: ``*``, ``?``, ``[abc]`` as in file names, ``**`` for any folders. Relative
            ones begin at the document's folder. Hidden files are left out.
        allow_empty: Whether it is right that there is none.
        max_files: The most files that are listed.
    """

    pattern: str | Annotated[list[str], Field(min_length=1)] = Field(examples=["notes/*.txt"])
    allow_empty: bool = False
    max_files: Annotated[int, Field(ge=1)] = 100_000


def find(config: FileListConfig, context: Context) -> dict[str, Any]:
    """Finds the files.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are more than may be listed.
    """
    patterns = [config.pattern] if isinstance(config.pattern, str) else config.pattern
    found: set[str] = set()
    for pattern in patterns:
        for path in _matches(pattern, context.base):
            if (context.base / path).is_file():
                found.add(path)
            if len(found) > config.max_files:
                raise ValueError(
                    f"{pattern!r} matches more than {config.max_files:,} files, as many as max_files allows"
                )
    if not found and not config.allow_empty:
        shown = " or ".join(map(repr, patterns))
        raise FileNotFoundError(f"no file in {context.base} matches {shown}; say allow_empty: true if that is right")
    return {"paths": sorted(found), "count": len(found)}


def _matches(pattern: str, base: Path) -> Iterator[str]:
    # Unlike Path.glob it takes absolute patterns, and leaves hidden files out.
    return glob.iglob(str(Path(pattern).expanduser()), root_dir=base, recursive=True)  # noqa: PTH207


NODE_TYPE: Final = FunctionType(
    name="file.list",
    summary="Finds files by patterns; a map goes over its paths.",
    config=FileListConfig,
    call=find,
    output="paths (sorted, relative where the pattern is), count",
    gives=object_of(paths=list_of(SINGLE), count=SINGLE),
)
