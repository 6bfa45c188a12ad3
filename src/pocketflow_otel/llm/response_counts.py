"""Reads token counts, and brings each vendor's meaning of them to the one that `Usage` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.llm.response_members import members_of
from pocketflow_otel.llm.response_shapes import NAMES, SHAPES, TOTALS
from pocketflow_otel.llm.usage import Usage

if TYPE_CHECKING:
    from pocketflow_otel.llm.response_members import Members
    from pocketflow_otel.llm.response_shapes import Path, Shape

_MOST_TOKENS: Final = 2**53
_MOST_MODALITIES: Final = 16


class _NotACountError(Exception):
    """Something else stands where a count belongs."""


def counts_in(members: Members, *, names_model: bool) -> Usage | None:
    """Reads the token counts of a usage object.

    An input count and an output count of one vendor's naming suffice. Without an output, which embeddings have none
    of, it takes a total equal to the input, or the name of the model beside it; Cohere's units need neither.

    A count is an int from 0 to 2**53, and of Cohere's also a whole float. None counts as absent; anything else in the
    place of a count makes the whole no usage. So does nothing but zeros, which is where a program's own sums begin.
    A part that exceeds its whole is cut to it.

    Args:
        members: The usage object's members that are among `response_shapes.NAMES`.
        names_model: Whether the name of the model stands beside it.

    Returns:
        A usage with these counts, and the provider whose shape it has; or None for what is no usage.
    """
    try:
        for shape in SHAPES:
            if shape.input[0][0] in members and (not shape.marks or not shape.marks.isdisjoint(members)):
                counts = _read(shape, members, names_model)
                if counts is not None:
                    return counts
    except _NotACountError:
        pass
    return None


def _read(shape: Shape, members: Members, names_model: bool) -> Usage | None:
    def values(paths: tuple[Path, ...]) -> list[int]:
        found = (_count(_at(members, path), shape.counts_in_floats) for path in paths)
        return [count for count in found if count is not None]

    def part(paths: tuple[Path, ...], whole: int) -> int:
        return min(max(values(paths), default=0), whole)

    if not values(shape.input[:1]):
        return None
    read, output = sum(values(shape.input)), values(shape.output)
    written = sum(output)
    if not (output or shape.speaks_for_itself or names_model or values(TOTALS) == [read]) or not read + written:
        return None
    cached = part(shape.cached, read)
    input_audio = part(shape.input_audio, read)
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_input_tokens=cached,
        cache_write_tokens=part(shape.cache_write, read - cached),
        reasoning_tokens=part(shape.reasoning, written),
        input_audio_tokens=input_audio,
        cached_audio_tokens=part(shape.cached_audio, min(cached, input_audio)),
        output_audio_tokens=part(shape.output_audio, written),
        provider=shape.provider,
    )


def _at(members: Members, path: Path) -> Any:
    value = members.get(path[0])
    for name in path[1:]:
        inner = _modalities(value) if type(value) is list else members_of(value, NAMES)
        value = inner.get(name)
    return value


def _modalities(details: list[Any]) -> Members:
    # Google lists counts with what they are counts of, which is a str or, in its own classes, an enum made from str.
    entries = [members_of(entry, NAMES) for entry in details[:_MOST_MODALITIES]]
    return {
        str.__str__(entry["modality"]): entry.get("token_count")
        for entry in entries
        if issubclass(type(entry.get("modality")), str)
    }


def _count(value: Any, counts_in_floats: bool) -> int | None:
    if value is None:
        return None
    if counts_in_floats and type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and 0 <= value <= _MOST_TOKENS:
        return value
    raise _NotACountError
