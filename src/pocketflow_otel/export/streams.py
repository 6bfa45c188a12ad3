"""The streams that this project's own messages go to."""

import io
import os
from typing import Final, TextIO

from pocketflow_otel.visiting import OWN_TRAFFIC

WRAPPED_ATTRIBUTE: Final = "__pocketflow_wrapped__"
"""Where a stream that captures what nodes print keeps the stream it stands for."""


def real_stream(stream: TextIO | None) -> TextIO | None:
    """Finds the stream behind ours, so that what we say is not captured as a node's output.

    Args:
        stream: ``sys.stdout`` or ``sys.stderr``, which may be None.

    Returns:
        The first stream that is not one of our capturing ones.
    """
    seen = set()
    while stream is not None and id(stream) not in seen:
        seen.add(id(stream))
        wrapped: TextIO | None = getattr(stream, WRAPPED_ATTRIBUTE, stream)
        if wrapped is stream:
            break
        stream = wrapped
    return stream


def write_now(stream: TextIO, text: str) -> None:
    """Writes at once, after what the stream holds already, and leaves nothing in it.

    What a stream keeps of a text that it could not write, it would try to write again when the program ends, and Python
    would make another exit code of that.

    Raises:
        OSError: If it cannot be written; a stream of the program's own raises anything.
    """
    # Of a console Windows wants more than bytes.
    if type(stream) is not io.TextIOWrapper or not isinstance(stream.buffer, io.BufferedWriter) or os.name == "nt":
        stream.write(text)
        stream.flush()
        return
    stream.flush()
    rest = text.encode(stream.encoding, stream.errors or "strict")
    while rest:
        written = os.write(stream.fileno(), rest)
        OWN_TRAFFIC.written += written
        rest = rest[written:]
