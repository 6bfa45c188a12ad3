"""The documentation as data: its pages, and in them blocks, inline code, headings and links."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"(?P<indent> *)```(?P<kind>.*)")
_FILE_NAME = re.compile(r"# (?P<name>[\w.-]+\.\w+)\n")
_INLINE = re.compile(r"(`+) ?(.+?) ?\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"#+ (?P<text>.+)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page, relative to the project.
        line: Where it begins, from 1.
        kind: What stands behind the fence.
        text: What is in it, without the indentation of the fence.
    """

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """The file that a block is meant to be, which its first line names: ``# my_program.py``."""
        match = _FILE_NAME.match(self.text)
        return match["name"] if match else None


@dataclass(frozen=True)
class Page:
    """A page without its blocks, and the blocks."""

    path: Path
    prose: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def inline_code(self) -> list[str]:
        return [" ".join(code.replace(r"\|", "|").split()) for _, code in _INLINE.findall(self.prose)]

    @property
    def links(self) -> list[str]:
        return [match["target"] for match in _LINK.finditer(self.prose)]

    @property
    def anchors(self) -> set[str]:
        """What headings can be linked by."""
        headings = [match["text"] for line in self.prose.splitlines() if (match := _HEADING.fullmatch(line))]
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read_page(path: Path) -> Page:
    """Reads a page; a fence that is not closed is an error."""
    name = path.relative_to(ROOT).as_posix()
    prose: list[str] = []
    blocks: list[Block] = []
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), 1))
    for number, line in lines:
        fence = _FENCE.fullmatch(line.rstrip("\n"))
        if fence is None:
            prose.append(line)
            continue
        inside: list[str] = []
        for _, inner in lines:
            if inner.strip() == "```":
                break
            inside.append(inner)
        else:
            raise ValueError(f"{name}:{number}: this block does not end")
        blocks.append(Block(name, number, fence["kind"].strip(), textwrap.dedent("".join(inside))))
    return Page(path, "".join(prose), tuple(blocks))


def read_pages() -> list[Page]:
    """All pages."""
    return [read_page(path) for path in PAGES]
