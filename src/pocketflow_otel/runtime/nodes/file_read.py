"""``file.read``: what stands in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.nodes.files.formats import Encoding, Format, decoded, format_of
from pocketflow_otel.runtime.nodes.files.places import located, opened
from pocketflow_otel.runtime.registry.node_types import FunctionType
from pocketflow_otel.runtime.registry.shapes import SINGLE, Shape, object_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.registry.node_types import Context


class FileReadConfig(Part):
    """Which file to read, and what it holds.

    Attributes:
        path: The file; a relative path begins at the document's folder.
        format: What it holds; ``auto`` goes by the end of its name (json, jsonl, yaml, csv), else it is text.
        encoding: How its text is encoded.
        max_bytes: The largest size that is read.
    """

    path: str = Field(examples=["notes.txt"])
    format: Format | Literal["auto"] = "auto"
    encoding: Encoding = "utf-8"
    max_bytes: Annotated[int, Field(ge=1)] = 100_000_000


def read(config: FileReadConfig, context: Context) -> dict[str, Any]:
    """Reads the file.

    Raises:
        OSError: It can't be read.
        FormatError: It is too large, or not in its format.
    """
    path = located(config.path, context.base)
    with opened(path) as file:
        content = file.read(config.max_bytes + 1)
    if len(content) > config.max_bytes:
        raise ValueError(f"{path}: it is larger than {config.max_bytes:,} bytes, which is as much as max_bytes allows")
    form = format_of(config.path, config.format)
    value = decoded(content, form, config.encoding, str(path))
    name = "text" if form == "text" else "data"
    return {"path": config.path, "format": form, "bytes": len(content), name: value}


def gives(with_: Mapping[str, Any]) -> Shape:
    """What it gives: a text or data, as far as the format tells."""
    path, form = str(with_.get("path")), with_.get("format", "auto")
    names = ["text", "data"]
    if "${" not in f"{path} {form}":
        names = ["text" if format_of(path, form) == "text" else "data"]
    return object_of(*names, path=SINGLE, format=SINGLE, bytes=SINGLE)


NODE_TYPE: Final = FunctionType(
    name="file.read",
    summary="Reads a file: text, JSON, JSON lines, YAML, CSV or bytes.",
    config=FileReadConfig,
    call=read,
    output="path, format, bytes (the size); text, or data: the value, the list of lines or rows, or the bytes",
    gives=gives,
)
