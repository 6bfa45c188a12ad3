"""What stands in a file, by its format: read from bytes, and written to them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

Format = Literal["text", "json", "jsonl", "yaml", "csv", "bytes"]

_BY_SUFFIX: Final[dict[str, Format]] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
}
_MOST_YAML_VALUES: Final = 1_000_000
_NO_WIDTH: Final = 2**31


class FormatError(ValueError):
    """A file's content is not what its format says, or a value can't be written in it."""


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise ValueError(f"{encoding!r} is no encoding of text that is known: expected one as utf-8, latin-1") from None
    return encoding


Encoding = Annotated[str, AfterValidator(_known)]
"""The name of a text encoding."""


def format_of(name: str, chosen: Format | Literal["auto"], otherwise: Format = "text") -> Format:
    """The format of a file: the chosen one, or the one that its name ends in."""
    return _BY_SUFFIX.get(PurePath(name).suffix.lower(), otherwise) if chosen == "auto" else chosen


def decoded(content: bytes, form: Format, encoding: str, name: str) -> Any:
    """What stands in a file.

    Args:
        content: The file.
        form: Its format.
        encoding: How its text is encoded. A byte order mark of UTF-8 is left out.
        name: The file, for messages.

    Returns:
        Bytes, a text, the value of JSON or YAML, a list of the values of JSON lines, or a list of rows of CSV: dicts of
        texts by the names in the first line.

    Raises:
        FormatError: It is not in this format.
    """
    if form == "bytes":
        return content
    text = _text(content, encoding, name)
    match form:
        case "json":
            return _json(text, name)
        case "jsonl":
            lines = enumerate(text.split("\n"), 1)
            return [_json(line, name, number) for number, line in lines if line.strip()]
        case "yaml":
            return _yaml(text, name)
        case "csv":
            return _rows(text, name)
        case _:
            return text


def _text(content: bytes, encoding: str, name: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"byte 0x{content[error.start]:02x} at offset {error.start} (line {line})"
        raise FormatError(f"{name}: {where} is not {encoding}: {error.reason}") from None
    except UnicodeError as error:
        raise FormatError(f"{name}: it is not {encoding}: {error}") from None
    return text.removeprefix("\ufeff")


def _json(text: str, name: str, line: int = 0) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{name}:{line or error.lineno}:{error.colno}"
        raise FormatError(f"{place}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:  # A number may have more digits than Python reads.
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"{name}: not JSON: {reason}") from None


def _yaml(text: str, name: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        value = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
        raise FormatError(f"{place}: not YAML: {error.problem or error.context}") from None
    except (YAMLError, RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).partition("\n")[0]
        raise FormatError(f"{name}: not YAML: {reason}") from None
    try:
        count = _size(value, {}, ())
    except RecursionError:
        raise FormatError(f"{name}: it is nested too deeply") from None
    if count > _MOST_YAML_VALUES:
        # Aliases cost nothing until somebody copies what they stand for.
        raise FormatError(f"{name}: with its aliases it has more than {_MOST_YAML_VALUES:,} values")
    if count < 0:
        raise FormatError(f"{name}: an alias stands for what it is part of")
    return value


def _size(value: Any, known: dict[int, int], around: tuple[int, ...]) -> int:
    """How many values there are with aliases written out; negative where one holds itself."""
    if not isinstance(value, dict | list | set | tuple):
        return 1
    if id(value) in around:
        return -1
    if id(value) not in known:
        items = value.values() if isinstance(value, dict) else value
        sizes = [_size(item, known, (*around, id(value))) for item in items]
        known[id(value)] = -1 if -1 in sizes else 1 + sum(sizes)
    return known[id(value)]


def _rows(text: str, name: str) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            twice = next(column for column in header if header.count(column) > 1)
            raise FormatError(f"{name}:1: two columns are called {twice!r}")
        rows = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise FormatError(
                    f"{name}:{reader.line_num}: {len(row)} fields, where the first line has {len(header)}"
                )
            rows.append(dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise FormatError(f"{name}:{reader.line_num}: not CSV: {error}") from None
    return rows


def encoded(value: Any, form: Format, encoding: str, name: str, *, columns: Sequence[str] | None = None) -> bytes:
    """A value as the content of a file.

    Args:
        value: What `decoded` gives for the format.
        form: The format.
        encoding: How its text is encoded.
        name: The file, for messages.
        columns: Of CSV that is added to: the columns there are; else the content begins with a line of them.

    Raises:
        FormatError: The value can't be written in this format.
    """
    if form == "bytes":
        if not isinstance(value, bytes | bytearray | memoryview):
            raise FormatError(f"{name}: expected bytes, not {_kind(value)}")
        return bytes(value)
    text = _written(value, form, name, columns)
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise FormatError(f"{name}: {encoding} has no character {character!r} (at {error.start})") from None


def _written(value: Any, form: Format, name: str, columns: Sequence[str] | None) -> str:
    match form:
        case "json":
            return _as_json(value, name, indent=2) + "\n"
        case "jsonl":
            return "".join(_as_json(item, name) + "\n" for item in _list(value, form, name))
        case "yaml":
            return _as_yaml(value, name)
        case "csv":
            return _as_csv(_list(value, form, name), name, columns)
        case _:
            if not isinstance(value, str):
                raise FormatError(f"{name}: expected a text, not {_kind(value)}; say format: json to write that")
            return value


def _list(value: Any, form: str, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise FormatError(f"{name}: {form} is written of a list, not of {_kind(value)}")
    return list(value)


def _as_json(value: Any, name: str, indent: int | None = None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{name}: it can't be written as JSON: {error}") from None


def _as_yaml(value: Any, name: str) -> str:
    # What JSON has no word for would get a tag, which only Python knows.
    plain = json.loads(_as_json(value, name))
    stream = io.StringIO()
    _yaml_writer().dump(plain, stream)
    return stream.getvalue().removesuffix("...\n")


def _yaml_writer() -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    # A class of our own: what is added to ruamel's would hold for the whole program.
    class Representer(RoundTripRepresenter):
        pass

    Representer.add_representer(str, _as_scalar)
    yaml = YAML()  # This kind keeps the order of keys.
    yaml.Representer = Representer
    yaml.width = _NO_WIDTH
    return yaml


def _as_scalar(representer: Any, text: str) -> Any:
    # Only in double quotes every character has a spelling that is read back as the same.
    style = None if text.isprintable() and "\ufeff" not in text else '"'
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def columns_in(head: bytes, encoding: str) -> list[str]:
    """The columns that the first line of a CSV file names."""
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    return next(csv.reader(io.StringIO(text, newline="")), [])


def _as_csv(rows: list[Any], name: str, known: Sequence[str] | None) -> str:
    odd = next((row for row in rows if not isinstance(row, dict)), None)
    if odd is not None:
        raise FormatError(f"{name}: csv is written of objects, not of {_kind(odd)}")
    columns = list(dict.fromkeys(str(column) for row in rows for column in row))
    if known is not None:
        new = next((column for column in columns if column not in known), None)
        if new is not None:
            raise FormatError(f"{name}: its columns are {', '.join(known)}; there is no {new!r}")
        columns = list(known)
    lines = [{str(column): _cell(item, name) for column, item in row.items()} for row in rows]
    # Of the two characters that end lines, the writer sees to the quotes of one only.
    has_returns = any("\r" in str(item) for line in lines for item in (*line, *line.values()))
    quoting: Literal[0, 1] = csv.QUOTE_ALL if has_returns else csv.QUOTE_MINIMAL
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", quoting=quoting)
    if known is None and columns:
        writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _cell(value: Any, name: str) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value if not isinstance(value, bool) else str(value).lower()
    return _as_json(value, name)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bytes: "bytes", type(None): "null"}
    return names.get(type(value)) or type(value).__name__
