"""What ``run FLOW.yaml --help`` tells of the document itself."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.runtime.documents.loaded import Loaded
    from pocketflow_otel.runtime.documents.model import Input

_WIDTH: Final = 100


def inputs_help(flow: str) -> str:
    """What a document does and is given, or why that can't be told."""
    from pathlib import Path

    from pocketflow_otel.runtime.documents.loading import load_in_part

    loaded, faults = load_in_part(Path(flow))
    if loaded is None:
        return f"{flow} can't be read:\n\n  {faults[0]}\n"
    return "\n".join(_lines(loaded)) + "\n"


def _lines(loaded: Loaded) -> Iterator[str]:
    document = loaded.document
    yield f"{loaded.file}: {document.workflow}"
    if document.description:
        yield ""
        yield from _indented(document.description, 2)
    yield ""
    if not document.inputs:
        yield "  takes no inputs"
        return
    yield "Inputs, as --input NAME=VALUE:"
    yield ""
    width = max(map(len, document.inputs))
    for name, about in document.inputs.items():
        yield f"  {name:<{width}}  {_kind(about)}"
        if about.description:
            yield from _indented(about.description, width + 4)


def _kind(about: Input) -> str:
    from json import dumps

    told: list[str] = [about.type]
    if about.choices:
        told.append("one of " + " | ".join(str(choice) for choice in about.choices))
    if about.is_required:
        told.append("required")
    elif about.default is not None:
        told.append("default ***" if about.secret else f"default {dumps(about.default, ensure_ascii=False)}")
    return ", ".join(told)


def _indented(text: str, columns: int) -> list[str]:
    indent = " " * columns
    return textwrap.wrap(" ".join(text.split()), _WIDTH, initial_indent=indent, subsequent_indent=indent)
