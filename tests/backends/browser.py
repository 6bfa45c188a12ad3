"""A real browser without a screen, and what it shows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backends.servers import LONGEST_WAIT_SECONDS

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def browsing(program: Path) -> Iterator[Page]:
    """An empty page of a Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(LONGEST_WAIT_SECONDS * 1000)
            yield page
        finally:
            browser.close()


def shown(page: Page, url: str, awaited: Sequence[str], picture: Path) -> str:
    """The text that a page shows.

    Args:
        page: Where to open it.
        url: What to open.
        awaited: Lines that it shows once it is complete.
        picture: Where a picture of it is put.
    """
    page.goto(url)
    # As they are shown: what the source of a page has may differ in case.
    page.wait_for_function(
        "texts => texts.every(text => document.body.innerText.split('\\n').includes(text))", arg=[*awaited]
    )
    page.screenshot(path=picture)
    return page.inner_text("body")
