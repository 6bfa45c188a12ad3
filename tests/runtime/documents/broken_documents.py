"""The documents in ``broken/``: each has one planted fault, and says before it how that is told.

`»` marks the place that the fault has to name; it is taken out.
"""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "broken"
BETWEEN = "--------\n"


@dataclass(frozen=True)
class Broken:
    """A document, where its fault is, the nearest valid name if any, and words of the message."""

    text: str
    line: int
    column: int
    path: str
    near: str | None
    words: str


def _read(block: str) -> Broken:
    head, _, marked = block.partition("\n\n")
    told = dict(line.partition(":")[::2] for line in head.splitlines())
    before, mark, after = marked.partition("»")
    assert mark, block
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    near = told["near"].strip() or None
    return Broken(before + after, line, column, told["path"].strip(), near, told["says"].strip())


BROKEN = {
    f"{file.stem} {number}": _read(block)
    for file in sorted(FOLDER.glob("*.txt"))
    for number, block in enumerate(file.read_text().split(BETWEEN), 1)
}
