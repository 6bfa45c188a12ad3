"""The JSON documents of a trace file: one a line, as OTLP's files have it, or in any other order and layout."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from pocketflow_otel.traces.otlp import MALFORMED, in_words, requests_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OUR_LINES_START: Final = b'{"resourceSpans":['
_LOOKED_AT_BYTES: Final = 64
_SHOWN_CHARACTERS: Final = 20
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""How gzip and Zstandard begin; the Collector writes the latter."""


_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""How it begins; PowerShell redirects to such files. A line end in it is no byte of its own."""
_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"\s*")


class TraceFormatError(ValueError):
    """A file is not what was expected. The message names the file, and the line where it is about one."""


@dataclass(frozen=True, slots=True)
class Line:
    """An OTLP request of a file."""

    place: str
    """The file and the number of the line where its document begins, from 1."""
    request: dict[str, Any] | None
    """The request, of any signal, as it stands there; None for a line that was torn."""


def read_lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """Reads the OTLP requests of a file one after the other.

    They stand one a line, or are any JSON documents that follow each other, on several lines too; then the file is read
    as a whole. A document may also be a list of requests, or the `ResourceSpans` of one.

    Args:
        stream: The file.
        name: What to call it in errors.

    Raises:
        TraceFormatError: If it is not OTLP JSON.
        OSError: If it cannot be read.
    """
    number, start = _start(stream)
    _check(start, f"{name}:{number}")
    first = start if start.endswith(b"\n") else start + stream.readline()
    if not first or (_is_document(first) and not first.startswith(_UTF_16)):
        yield from _of_lines(itertools.chain([first], stream), name, number)
        return
    whole = first + stream.read()
    if _is_torn_line(whole):
        yield from _of_lines(io.BytesIO(whole), name, number)
    else:
        yield from _of_text(whole, name, number)


@contextlib.contextmanager
def malformed_at(place: str) -> Iterator[None]:
    """Tells what is wrong with a request as a `TraceFormatError` that names the place."""
    try:
        yield
    except MALFORMED as error:
        raise TraceFormatError(f"{place}: expected OTLP JSON: {in_words(error)}") from error


def _start(stream: BinaryIO) -> tuple[int, bytes]:
    """Reads the start of the first line that is not blank, and finds its number."""
    number, start = 1, stream.readline(_LOOKED_AT_BYTES)
    while start.isspace():
        number += start.endswith(b"\n")
        start = stream.readline(_LOOKED_AT_BYTES)
    return number, start


def _check(start: bytes, place: str) -> None:
    """Lets only the start of JSON pass: a file may be large, and anything."""
    if start.startswith(_COMPRESSED):
        raise TraceFormatError(f"{place}: expected OTLP JSON: it is compressed, and must be unpacked first")
    # It may end within a character.
    decoder = codecs.getincrementaldecoder(json.detect_encoding(start))("replace")
    text = decoder.decode(start).lstrip()
    if text and text[0] not in "{[":
        raise TraceFormatError(f"{place}: expected OTLP JSON: it begins with {text[:_SHOWN_CHARACTERS].rstrip()!r}")


def _is_document(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    except RecursionError:
        # Who reads it once more tells of it.
        return True
    return True


def _is_torn_line(whole: bytes) -> bool:
    """Whether a file begins with a line of ours that a full disk has torn."""
    if not whole.startswith(_OUR_LINES_START):
        return False
    try:
        _DECODER.raw_decode(_text(whole))
    except ValueError:
        return True
    return False


def _of_lines(lines: Iterable[bytes], name: str, number: int) -> Iterator[Line]:
    for line in lines:
        place = f"{name}:{number}"
        number += 1
        if not line or line.isspace():
            continue
        try:
            document = json.loads(line)
        except ValueError:
            yield Line(place, None)
            continue
        except RecursionError as error:
            raise TraceFormatError(f"{place}: expected OTLP JSON: {in_words(error)}") from None
        yield from _requests(document, place)


def _of_text(whole: bytes, name: str, number: int) -> Iterator[Line]:
    """Reads documents that follow each other, whatever is on a line."""
    with malformed_at(f"{name}:{number}"):
        text = _text(whole)
    position = 0
    while position < len(text):
        place = f"{name}:{number}"
        with malformed_at(place):
            document, end = _DECODER.raw_decode(text, position)
        yield from _requests(document, place)
        blank = _BLANK.match(text, end)
        begin = blank.end() if blank else end
        number += text.count("\n", position, begin)
        position = begin


def _text(whole: bytes) -> str:
    return whole.decode(json.detect_encoding(whole), "surrogatepass").strip()


def _requests(document: Any, place: str) -> Iterator[Line]:
    for request in requests_in(document):
        if request is None:
            raise TraceFormatError(f"{place}: expected OTLP JSON: an object with resourceSpans")
        yield Line(place, request)
