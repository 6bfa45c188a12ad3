"""``file.write``: writes a file whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.files.formats import Encoding, Format, columns_in, encoded, format_of
from pocketflow_otel.runtime.nodes.files.places import located
from pocketflow_otel.runtime.nodes.files.writing import append, replace
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, object_of

if TYPE_CHECKING:
    from pathlib import Path

    from pocketflow_otel.runtime.registry.node_types import Context

_WHOLE: Final = ("json", "yaml")
_LINES: Final = ("jsonl", "csv")


class FileWriteConfig(Part):
    """What to write, and where.

    Attributes:
        path: The file; a relative path begins at the document's folder.
        artifact: Instead of a path: a name in the run's folder of artifacts.
        content: What to write: a text, bytes, a value for JSON or YAML, a list for JSON lines, of objects for CSV.
        format: How to write it; ``auto`` goes by the end of the file's name (json, jsonl, yaml, csv), else the
            content is written as text, or bytes where it is bytes.
        encoding: How text is encoded.
        mode: Whether the file is written anew, or added to.
        parents: Whether folders that are missing are made.
    """

    path: str | None = Field(default=None, examples=["summary.txt"])
    artifact: str | None = None
    content: Any
    format: Format | Literal["auto"] = "auto"
    encoding: Encoding = "utf-8"
    mode: Literal["replace", "append"] = "replace"
    parents: bool = False

    @model_validator(mode="after")
    def _has_one_place(self) -> FileWriteConfig:
        if (self.path is None) == (self.artifact is None):
            raise ValueError("expected either 'path' or 'artifact'")
        return self


def write(config: FileWriteConfig, context: Context) -> dict[str, Any]:
    """Writes the file. Where it fails, the file is as it was.

    Raises:
        OSError: It can't be written.
        FormatError: The content can't be written in this format.
    """
    path = _place(config, context)
    is_binary = isinstance(config.content, bytes | bytearray | memoryview)
    form = format_of(path.name, config.format, "bytes" if is_binary else "text")

    if config.mode == "append":
        return {"path": _shown(config, path), "bytes": _append(config, form, path)}
    content = encoded(config.content, form, config.encoding, str(path))
    replace(path, content)
    return {"path": _shown(config, path), "bytes": len(content)}


def _append(config: FileWriteConfig, form: Format, path: Path) -> int:
    if form in _WHOLE:
        raise ValueError(f"{path}: {form} can't be added to; jsonl can, a line for each value")
    if form != "bytes" and "".encode(config.encoding):
        raise ValueError(
            f"{path}: {config.encoding} begins with a mark, and can't be added to; as utf-8 or utf-16-le can"
        )

    def content(head: bytes, last: bytes) -> bytes:
        columns = columns_in(head, config.encoding) if form == "csv" and head else None
        added = encoded(config.content, form, config.encoding, str(path), columns=columns)
        # Somebody else may have left the last line without an end.
        is_open = form in _LINES and last not in {b"", b"\n", b"\0"}
        return "\n".encode(config.encoding) + added if is_open and added else added

    return append(path, content)


def _place(config: FileWriteConfig, context: Context) -> Path:
    if config.path is not None:
        path = located(config.path, context.base)
        if config.parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path
    folder = context.artifacts
    path = located(str(config.artifact), folder)
    if folder.resolve() not in path.resolve().parents or path.is_dir():
        raise ValueError(f"artifact {config.artifact!r}: expected a name in the folder of artifacts")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _shown(config: FileWriteConfig, path: Path) -> str:
    return config.path if config.path is not None else str(path)


NODE_TYPE: Final = FunctionType(
    name="file.write",
    summary="Writes a file: text, JSON, JSON lines, YAML, CSV or bytes.",
    config=FileWriteConfig,
    call=write,
    output="path, bytes (written)",
    gives=object_of(path=SINGLE, bytes=SINGLE),
)
