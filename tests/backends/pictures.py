"""Draws the pictures of docs/export.md: what speedscope and Mermaid show of the demo.

``python tests/backends/pictures.py`` draws them anew.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from backends import install, speedscope
from backends.browser import browsing
from backends.mermaid import Mermaid
from pocketflow_otel.traces.formats import Format, render
from pocketflow_otel.traces.formats.saved import read_saved

IMAGES = Path(__file__).resolve().parents[2] / "docs/images"


def main() -> None:
    programs = {name: install.BACKENDS[name].install() for name in ("chromium", "speedscope", "mermaid")}
    with tempfile.TemporaryDirectory() as place, browsing(programs["chromium"]) as page:
        demo = [sys.executable, "-m", "pocketflow_otel.cli", "demo", "--quiet", "--trace-dir", place]
        subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
        (file,) = Path(place).glob("*.jsonl")
        saved = [read_saved(file)]
        Mermaid(programs["mermaid"], page).draw(render(Format.MERMAID, saved), IMAGES / "mermaid.png")
        page.set_viewport_size({"width": 1200, "height": 280})
        with speedscope.serving(programs["speedscope"], Path(place), page) as one:
            one.open(render(Format.CHROME, saved))
            page.screenshot(path=IMAGES / "speedscope.png")


if __name__ == "__main__":
    main()
