"""The real Mermaid in a real browser."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

_DRAW = """async chart => {
  const {svg} = await mermaid.render("drawing", chart);
  document.getElementById("place").innerHTML = svg;
}"""


@dataclass(frozen=True)
class Drawing:
    """A chart that was drawn.

    Attributes:
        boxes: The texts of nodes and subgraphs, line by line.
        arrows: The texts at arrows; empty for those without.
        dotted: How many arrows are dotted.
    """

    boxes: list[list[str]]
    arrows: list[list[str]]
    dotted: int


class Mermaid:
    """A Mermaid with the options it has by default, but for its limits on the size of charts."""

    def __init__(self, script: Path, page: Page) -> None:
        self._page = page
        page.set_content("<!doctype html><div id='place'></div>")
        page.add_script_tag(path=script)
        page.evaluate("mermaid.initialize({startOnLoad: false, maxEdges: 10000, maxTextSize: 1000000})")

    def draw(self, chart: str, picture: Path | None = None) -> Drawing:
        """Draws a chart.

        Raises:
            playwright.sync_api.Error: If it is none.
        """
        self._page.evaluate(_DRAW, chart)
        if picture is not None:
            self._page.locator("#place svg").screenshot(path=picture)
        # Nodes and the titles of subgraphs; points have no text.
        boxes = [each for each in self._texts(".node .nodeLabel, .cluster-label .nodeLabel") if each]
        return Drawing(
            boxes, self._texts(".edgeLabels .edgeLabel .edgeLabel"), self._page.locator(".edge-pattern-dotted").count()
        )

    def _texts(self, selector: str) -> list[list[str]]:
        texts = self._page.locator(selector).all_inner_texts()
        return [[line.strip() for line in text.split("\n") if line.strip()] for text in texts]
