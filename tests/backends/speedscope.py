"""The real speedscope in a real browser: a file is opened in it, and given out again in speedscope's own form."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

_READY = "Export"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing of each request."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


@dataclass
class Speedscope:
    """A speedscope.

    Attributes:
        page: Its page.
        complaints: What it has warned of since a file was opened.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    _site: Path = Path()
    _url: str = ""

    def open(self, content: str) -> None:
        """Opens a file, and waits until it is shown."""
        self.page.goto("about:blank")
        self.complaints.clear()
        (self._site / "trace.json").write_text(content, encoding="utf-8")
        self.page.goto(f"{self._url}/index.html#profileURL=trace.json")
        self.page.get_by_text(_READY).first.wait_for()

    def hear(self, message: ConsoleMessage) -> None:
        """Notes a warning, but for those of the browser about how it draws."""
        if message.type in ("warning", "error") and not message.text.startswith("[.WebGL"):
            self.complaints.append(message.text)

    def given_out(self) -> dict[str, Any]:
        """What it has understood: its own format, https://www.speedscope.app/file-format-schema.json."""
        with self.page.expect_download() as download:
            self.page.get_by_text(_READY).first.click()
        return json.loads(Path(download.value.path()).read_text(encoding="utf-8"))


@contextmanager
def serving(index: Path, directory: Path, page: Page) -> Iterator[Speedscope]:
    """Serves speedscope on this machine.

    Args:
        index: Its ``index.html``.
        directory: Where it is copied to, with the files that are opened.
        page: Where it runs.
    """
    site = directory / "speedscope"
    shutil.copytree(index.parent, site)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    one = Speedscope(page, _site=site, _url=f"http://127.0.0.1:{server.server_port}")
    page.on("console", one.hear)
    page.on("pageerror", lambda error: one.complaints.append(str(error)))
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
