"""Draws what a command prints on a terminal as SVG.

``python tests/docs/picture.py`` draws the demo anew, as docs/images/demo.svg.
"""

import os
import re
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs import console, workspace
from docs.pages import ROOT

DEMO = ROOT / "docs/images/demo.svg"
COMMAND = "pocketflow-otel demo"

_CELL = 7.8
_LINE = 18
_MARGIN = 18
_BAR = 34
_STYLES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c"}
_SHEET = """
text { font: 13px ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d7dce2 }
text { white-space: pre }
.b { font-weight: bold; fill: #ffffff }
.d { fill: #8b949e } .r { fill: #ff7b72 } .g { fill: #56d364 } .y { fill: #e3b341 } .c { fill: #56c8d8 }
"""
_PART = re.compile(r"\x1b\[(?P<style>[0-9;]*)m|(?P<text>[^\x1b]+)")


def draw(output: str) -> str:
    """Draws output with its colours.

    Args:
        output: Lines with ANSI's colours.

    Returns:
        The SVG.
    """
    lines = output.rstrip("\n").split("\n")
    columns = max(len(console.plain(line)) for line in lines)
    width, height = round(2 * _MARGIN + columns * _CELL), _BAR + len(lines) * _LINE + _MARGIN
    dots = "".join(f'<circle cx="{_MARGIN + 5 + 18 * index}" cy="18" r="5.5" fill="#3d444d"/>' for index in range(3))
    rows = "\n".join(_row(line, _BAR + (number + 1) * _LINE) for number, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<style>{_SHEET}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n{dots}\n{rows}\n</svg>\n'
    )


def shown_in(svg: str) -> str:
    """The text that a picture shows."""
    rows = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g")
    return "\n".join(_text_of(row) for row in rows)


def _text_of(row: ET.Element) -> str:
    line = ""
    for part in row:
        line = line.ljust(round((float(part.attrib["x"]) - _MARGIN) / _CELL)) + (part.text or "")
    return line


def _row(line: str, y: int) -> str:
    return f"<g>{''.join(_texts(line, y))}</g>"


def _texts(line: str, y: int) -> Iterator[str]:
    column, style = 0, ""
    for part in _PART.finditer(line):
        text = part["text"]
        if text is None:
            style = _STYLES.get(part["style"], "")
            continue
        for word in re.finditer(r"\S+(?: \S+)*", text):
            # Placed and stretched one by one, so that columns stay columns in every font.
            x, length = _MARGIN + (column + word.start()) * _CELL, len(word[0]) * _CELL
            named = f' class="{style}"' if style else ""
            yield f'<text{named} x="{x:.1f}" y="{y}" textLength="{length:.1f}">{escape(word[0], quote=False)}</text>'
        column += len(text)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = workspace.make(Path(directory).resolve())
        output = home.terminal(COMMAND)
    DEMO.write_text(draw(f"$ {COMMAND}\n{output}"), encoding="utf-8")
    print(f"wrote {os.path.relpath(DEMO)}")


if __name__ == "__main__":
    main()
