"""Servers that let nobody in, and tell everybody all that they were told."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from runtime.nodes.serving import Answer, serving


@dataclass(frozen=True)
class Refusing:
    """Where they are: a host and port, and the ports of two databases on this machine."""

    http: str
    postgres: int
    mysql: int


def _echo(request: Any, body: bytes) -> Answer:
    headers = {name: str(value) for name, value in request.headers.items()}
    error = {"message": f"Incorrect API key provided: {headers.get('Authorization')}", "path": request.path}
    content = json.dumps({"error": error, "headers": headers, "body": body.decode("latin-1")}).encode()
    return 401, {"Content-Type": "application/json", "X-Echo": headers.get("X-Api-Key", "")}, content


class _Postgres(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(5)
        said = self.request.recv(4096)
        self.request.sendall(b"R\0\0\0\x08\0\0\0\x03")  # asks for the password as it is
        said += self.request.recv(4096)
        fields = b"SFATAL\0C28P01\0Mrefused: " + said.replace(b"\0", b" ") + b"\0\0"
        self.request.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


class _Mysql(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(5)
        greeting = (
            b"\x0a8.0.36\0" + (7).to_bytes(4, "little") + b"saltsalt\0" + b"\xff\xf7\x2d\x02\0\xff\xc1\x15"
            + bytes(10) + b"saltsaltsalt\0" + b"mysql_native_password\0"
        )  # fmt: skip
        self._send(0, greeting)
        said = self.request.recv(4096).partition(b"ada\0")[2][21:].replace(b"\0", b" ")  # no hash of the password
        self._send(2, b"\xff\x15\x04#28000Access denied: " + said)

    def _send(self, number: int, packet: bytes) -> None:
        self.request.sendall(len(packet).to_bytes(3, "little") + bytes([number]) + packet)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def _database(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def refusing() -> Iterator[Refusing]:
    """The servers, for as long as a block runs."""
    with serving(_echo) as http, _database(_Postgres) as postgres, _database(_Mysql) as mysql:
        yield Refusing(http, postgres, mysql)
