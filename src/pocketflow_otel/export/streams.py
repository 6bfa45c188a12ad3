"""The streams that this project's own messages go to."""

from typing import Final, TextIO

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
