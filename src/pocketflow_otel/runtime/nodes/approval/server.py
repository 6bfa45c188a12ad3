"""Asks on a page that this machine alone can open, under an address that nobody can guess."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import parse_qs

from pocketflow_otel.runtime.nodes.approval.page import asking, saying
from pocketflow_otel.runtime.nodes.approval.question import Decision, Question
from pocketflow_otel.runtime.terminal import POLL_SECONDS, visible

_HOST: Final = "127.0.0.1"
_RULES: Final = "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_MOST_BYTES: Final = 100_000
_SECONDS: Final = 10


async def decided(question: Question, port: int) -> Decision:
    """What the person decides who opens the page. It is gone afterwards.

    Args:
        question: The question.
        port: Where to listen; 0 for any that is free.

    Raises:
        OSError: The port is taken.
    """
    try:
        server = _Server(question, port)
    except OSError as error:
        raise OSError(f"port {port} of {_HOST} can't be listened at: {error.strerror or error}") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="approval", daemon=True)
    thread.start()
    try:
        asked = f"{question.workflow} · {question.node}: {visible(question.prompt)}"
        print(f"{asked}\ndecide at {server.url}", file=sys.stderr, flush=True)  # noqa: T201 - whoever is to decide reads it
        while server.decision is None:  # noqa: ASYNC110 - it is decided in a thread, which knows no event loop
            await asyncio.sleep(POLL_SECONDS)
        return server.decision
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, question: Question, port: int) -> None:
        self.question = question
        self.decision: Decision | None = None
        self.token = secrets.token_urlsafe(24)
        self._deciding = threading.Lock()
        super().__init__((_HOST, port), _Handler)

    def server_bind(self) -> None:
        # Not HTTPServer's: that asks the name service about the address, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    @property
    def hosts(self) -> tuple[str, str]:
        """What a browser on this machine may call it."""
        return (f"{_HOST}:{self.server_port}", f"localhost:{self.server_port}")

    @property
    def url(self) -> str:
        """The page."""
        return f"http://{_HOST}:{self.server_port}/{self.token}"

    def begin(self) -> bool:
        """Whether whoever asks is the first to decide."""
        return self._deciding.acquire(blocking=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keeps quiet of browsers that go away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SECONDS
    server_version = "pocketflow-otel"
    sys_version = ""

    def do_GET(self) -> None:
        if self._is_for_us():
            nonce = secrets.token_urlsafe(16)
            self._send(HTTPStatus.OK, asking(self.server.question, nonce), nonce)

    def do_POST(self) -> None:
        if not self._is_for_us() or not self._is_from_us():
            return
        form = self._form()
        question = self.server.question
        try:
            choice = question.choice(form.get("decision", ""))
        except ValueError as error:
            self._say(HTTPStatus.BAD_REQUEST, str(error))
            return
        if not self.server.begin():
            self._say(HTTPStatus.GONE, "It has been decided already.")
            return
        comment = form.get("comment", "").strip() if question.takes_comment else ""
        try:
            self._say(HTTPStatus.OK, f"Decided: {choice}. You can close this page.")
        finally:
            # Only now: the server goes away with it.
            self.server.decision = Decision(choice, comment)

    def _is_for_us(self) -> bool:
        """Whether the address is right, and by its own name: a name of others may be made to lead here."""
        token = self.path.removeprefix("/").encode()
        if hmac.compare_digest(token, self.server.token.encode()) and self.headers.get("Host") in self.server.hosts:
            return True
        self._say(HTTPStatus.NOT_FOUND, "There is nothing here.")
        return False

    def _is_from_us(self) -> bool:
        origin = self.headers.get("Origin")
        same = origin is None or origin in {f"http://{host}" for host in self.server.hosts}
        if same and self.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin":
            return True
        self._say(HTTPStatus.FORBIDDEN, "This does not come from the page itself.")
        return False

    def _form(self) -> dict[str, str]:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdecimal() or int(length) > _MOST_BYTES:
            return {}
        fields = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"), max_num_fields=10)
        return {name: values[0] for name, values in fields.items()}

    def _say(self, status: HTTPStatus, sentence: str) -> None:
        nonce = secrets.token_urlsafe(16)
        self._send(status, saying(self.server.question, nonce, sentence), nonce)

    def _send(self, status: HTTPStatus, page: str, nonce: str) -> None:
        body = page.encode()
        rules = f"default-src 'none'; style-src 'nonce-{nonce}'; {_RULES}"
        self.send_response(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": rules,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Keeps quiet."""
