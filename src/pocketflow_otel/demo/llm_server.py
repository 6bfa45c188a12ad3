"""An LLM server on the loopback interface that speaks OpenAI's chat completions API, with `model` as its model.

It exists to give programs something real to call: real HTTP, real streams, real errors, real token counts with what of
them a cache had, and no key::

    with LLMServer() as server:
        client = openai.OpenAI(base_url=server.url, api_key="any")
"""

import contextlib
import dataclasses
import itertools
import json
import os
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Final, Self

from pocketflow_otel.demo.chat_api import MODELS, ApiError, ChatRequest, Completion, model_list
from pocketflow_otel.demo.prompt_cache import PromptCache

URL_VARIABLE: Final = "POCKETFLOW_OTEL_DEMO_URL"
"""The environment variable that tells the demo's agent where its LLM server is."""

_HOST: Final = "127.0.0.1"
_MAX_BODY_BYTES: Final = 1 << 20
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_READ_BYTES: Final = 1 << 16
_IDLE_SECONDS: Final = 60
_SHUTDOWN_POLL_SECONDS: Final = 0.02
_LEAST_SECONDS: Final = 0.005
_SECONDS_PER_TOKEN: Final = 0.002
_MOST_SECONDS: Final = 0.06


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """A failure on purpose: requests whose prompt contains a text get an error instead of a reply.

    Args:
        text: What the prompt contains.
        status: The HTTP status of the error, 429 or 500 and above.
        times: How many requests fail before the server recovers.
    """

    text: str
    status: int
    times: int = 1

    def error(self) -> ApiError:
        """What is answered instead of a reply."""
        if self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return ApiError(self.status, "Rate limit reached.", kind="requests", code="rate_limit_exceeded")
        return ApiError(self.status, "The server had an error while processing your request.", kind="server_error")


DEMO_FAULTS: Final = (Fault("Write a short answer.\nQuestion: ", 500),)
"""What goes wrong in the demo: the first try to write the answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServedRequest:
    """One request for a chat completion, as the server counted it.

    Args:
        model: The model asked for; empty if the request could not be read.
        input_tokens: Tokens in the messages.
        output_tokens: Tokens in the reply, 0 for an error.
        status: The HTTP status of the response.
        cached_tokens: The part of the input that was read before.
    """

    model: str
    input_tokens: int
    output_tokens: int
    status: int
    cached_tokens: int = 0


class LLMServer:
    """A running server, for as long as a ``with`` block lasts or from `start` to `stop`.

    Replies depend on the messages alone and take 5 to 60 ms, longer for longer ones.

    Args:
        faults: Failures on purpose.
    """

    def __init__(self, *, faults: Iterable[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self._met: Counter[Fault] = Counter()
        self._cache = PromptCache()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._served: list[ServedRequest] = []
        self._http: _HttpServer | None = None

    @property
    def url(self) -> str:
        """The base URL for clients, ``/v1`` included.

        Raises:
            RuntimeError: The server is not running.
        """
        if self._http is None:
            raise RuntimeError("the server is not running: it has no address before start() and after stop()")
        return f"http://{_HOST}:{self._http.server_address[1]}/v1"

    @property
    def requests(self) -> tuple[ServedRequest, ...]:
        """The requests for a chat completion so far, each noted before its response is sent."""
        return tuple(self._served)

    def start(self) -> Self:
        """Listens on a free port of 127.0.0.1; nothing happens if it does already."""
        if self._http is None:
            self._http = _HttpServer(self)
            self._http.start()
        return self

    def stop(self) -> None:
        """Closes the port and every connection; nothing happens if the server is not running."""
        if self._http is not None:
            self._http.stop()
            self._http = None

    def complete(self, body: bytes) -> tuple[ChatRequest, Completion]:
        """Answers one request for a chat completion and notes it.

        Raises:
            ApiError: The request is invalid, or a fault is due.
        """
        model, input_tokens, output_tokens, cached_tokens, status = "", 0, 0, 0, 200
        try:
            request = ChatRequest.parse(body)
            model, input_tokens = request.model, len(request.tokens)
            self._check(request)
            cached_tokens = self._cache.read(model, request.tokens)
            completion = Completion.of(
                request, number=next(self._numbers), created=int(time.time()), cached_tokens=cached_tokens
            )
            output_tokens = completion.output_tokens
        except ApiError as error:
            status = error.status
            raise
        finally:
            self._served.append(ServedRequest(model, input_tokens, output_tokens, status, cached_tokens))
        return request, completion

    def _check(self, request: ChatRequest) -> None:
        if request.model not in MODELS:
            message = f"The model '{request.model}' does not exist."
            raise ApiError(404, message, param="model", code="model_not_found")
        for fault in self._faults:
            if fault.text in request.prompt and self._is_due(fault):
                raise fault.error()

    def _is_due(self, fault: Fault) -> bool:
        with self._lock:
            self._met[fault] += 1
            return self._met[fault] <= fault.times

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def demo_server() -> Iterator[None]:
    """Starts the demo's server and names it in `URL_VARIABLE`, unless that variable names one already."""
    if os.environ.get(URL_VARIABLE):
        yield
        return
    with LLMServer(faults=DEMO_FAULTS) as server:
        os.environ[URL_VARIABLE] = server.url
        try:
            yield
        finally:
            os.environ.pop(URL_VARIABLE, None)


class _HttpServer(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, llm: LLMServer) -> None:
        self.llm = llm
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__((_HOST, 0), _Handler)
        # Daemons, so that a program which forgets to stop its server ends all the same.
        arguments = (_SHUTDOWN_POLL_SECONDS,)
        self._loop = threading.Thread(target=self.serve_forever, args=arguments, name="llm-server", daemon=True)

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        self.shutdown()
        self._loop.join()
        self.server_close()
        # Threads of idle keep-alive connections wait for a next request: an end of input lets them go.
        for thread, connection in self._connections.copy().items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=1)

    def server_bind(self) -> None:
        # Not HTTPServer's: that asks the name service about the address, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        serve, arguments = self.process_request_thread, (request, client_address)
        thread = threading.Thread(target=serve, args=arguments, name="llm-server-connection", daemon=True)
        self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # An OSError: the client went away.
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    server_version = "pocketflow-otel-demo"
    sys_version = ""
    timeout = _IDLE_SECONDS
    # A response leaves in one segment: a second small one would wait 40 ms for a delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            # Read in any case: what is left unread would be taken for the next request of the connection.
            body = self._read_body()
            self._route()(body)
        except ApiError as error:
            self._send_json(error.status, error.as_json())

    def _route(self) -> Callable[[bytes], None]:
        path = self.path.partition("?")[0]
        routes = {"/v1/chat/completions": ("POST", self._send_completion), "/v1/models": ("GET", self._send_models)}
        if path not in routes:
            raise ApiError(404, f"Invalid URL ({self.command} {path})")
        method, respond = routes[path]
        if self.command != method:
            raise ApiError(405, f"Not allowed to {self.command} on {path}", code="method_not_supported")
        return respond

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise ApiError(411, "This server needs a Content-Length.")
        declared = self.headers.get("Content-Length", "0")
        if not _LENGTH.fullmatch(declared):
            self.close_connection = True
            raise ApiError(400, "Content-Length is not a number of bytes.")
        length = int(declared)
        if length <= _MAX_BODY_BYTES:
            return self.rfile.read(length)
        # Taken in and thrown away: a client that is still sending would not look at the response.
        while length > 0 and (read := self.rfile.read(min(length, _READ_BYTES))):
            length -= len(read)
        raise ApiError(413, f"The body of a request may have {_MAX_BODY_BYTES} bytes.")

    def _send_models(self, _body: bytes) -> None:
        self._send_json(200, model_list())

    def _send_completion(self, body: bytes) -> None:
        request, completion = self.server.llm.complete(body)
        seconds = min(_LEAST_SECONDS + completion.output_tokens * _SECONDS_PER_TOKEN, _MOST_SECONDS)
        if request.stream:
            self._send_events(list(completion.as_chunks(include_usage=request.include_usage)), seconds)
            return
        time.sleep(seconds)
        self._send_json(200, completion.as_json())

    def _send_events(self, chunks: list[dict[str, Any]], seconds: float) -> None:
        """Sends chunks as server-sent events, spread evenly over a time."""
        # HTTP/1.0 knows no chunks: the end of the connection ends the response.
        chunked = self.request_version == "HTTP/1.1"
        self.close_connection = self.close_connection or not chunked
        self._send_head(200, "text/event-stream", ("Transfer-Encoding", "chunked") if chunked else None)
        for data in [*map(json.dumps, chunks), "[DONE]"]:
            event = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event) if chunked else event)
            self.wfile.flush()
            time.sleep(seconds / len(chunks))
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_json(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self._send_head(status, "application/json", ("Content-Length", str(len(body))))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_head(self, status: int, content_type: str, framing: tuple[str, str] | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if framing is not None:
            self.send_header(*framing)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what is no HTTP request, or has a method unknown here, as an API does rather than in HTML."""
        self.close_connection = True
        error = ApiError(code, message or explain or self.responses[HTTPStatus(code)][0])
        self._send_json(error.status, error.as_json())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Says nothing: the standard error stream is the program's."""
