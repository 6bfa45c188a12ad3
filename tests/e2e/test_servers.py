"""Servers of several processes, set up as the documentation says: spans of each arrive, none twice, none lost."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backends.servers import Server, answers, free_port, start, wait_until
from docs.pages import ROOT, read_page
from e2e.receiver import Receiver, receiving_http

REQUESTS = 24
PAGE = {block.file_name: block.text for block in read_page(ROOT / "docs/production.md").blocks}
WSGI = """
import os, pathlib
from pocketflow import Flow, Node

class Ask(Node):
    pass

def app(environ, start_response):
    if environ["PATH_INFO"] == "/ask":
        Flow(start=Ask()).run({})
    start_response("200 OK", [("Content-Length", "0")])
    return []

pathlib.Path(f"{os.getpid()}.up").touch()
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving_http() as receiver:
        yield receiver


@pytest.fixture
def serve(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[..., Server]]:
    """Starts a server in a directory of its own, which holds some files, and sends to the receiver."""
    servers: list[Server] = []

    def serve(*command: str, ready: Callable[[], bool], files: dict[str, str], **variables: str) -> Server:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        environ = {
            **receiver.variables,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            # Only the end of a process sends what it has.
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,anthropic,google-genai,google_genai,fastapi",
            "XDG_STATE_HOME": str(tmp_path / "state"),
            **variables,
        }
        servers.append(start([sys.executable, "-m", *command], tmp_path / "server.log", ready, environ))
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.poll() is None:
            server.kill()


def ask_again_and_again(url: str, method: str) -> None:
    def ask(_: int) -> int:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as response:
            return response.status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(REQUESTS))) == [200] * REQUESTS


def assert_all_arrived(receiver: Receiver, *, processes: int) -> None:
    spans = receiver.spans()
    assert len({span.span_id for span in spans}) == len(spans)
    ours = Counter(span.name.split()[0] for span in spans if span.scope == "pocketflow_otel")
    assert ours == {"invoke_workflow": REQUESTS, "invoke_node": REQUESTS}
    assert 1 <= len({span.resource["process.pid"] for span in spans}) <= processes


@pytest.mark.slow
def test_gunicorn(serve, receiver, tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    server = serve(
        *("gunicorn", "--workers", "3", "--bind", url.removeprefix("http://"), "web:app"),
        # A worker that is told to end before it has come this far does not hear it.
        ready=lambda: len(list(tmp_path.glob("*.up"))) == 3 and answers(url),
        files={"web.py": WSGI, "gunicorn.conf.py": PAGE["gunicorn.conf.py"]},
    )
    ask_again_and_again(f"{url}/ask", "GET")

    assert server.end() == 0
    assert_all_arrived(receiver, processes=3)
    assert "pocketflow" not in server.printed()


@pytest.mark.slow
def test_uvicorn(serve, receiver):
    url = f"http://127.0.0.1:{free_port()}"
    server = serve(
        *("uvicorn", "--workers", "2", "--port", url.rpartition(":")[2], "web:app"),
        ready=lambda: answers(f"{url}/docs"),
        files={"web.py": PAGE["web.py"]},
    )
    ask_again_and_again(f"{url}/ask", "POST")

    server.end()
    assert_all_arrived(receiver, processes=2)
    assert "pocketflow" not in server.printed()


CELERY_CONFIG = """
broker_url = "filesystem://"
broker_transport_options = {name: "{queue}" for name in ("data_folder_in", "data_folder_out", "control_folder")}
"""


@pytest.mark.slow
def test_celery(serve, receiver, tmp_path):
    (tmp_path / "queue").mkdir()
    config = CELERY_CONFIG.replace("{queue}", str(tmp_path / "queue"))
    server = serve(
        *("celery", "--app", "tasks", "worker", "--concurrency", "2", "--loglevel", "INFO", "--without-mingle"),
        ready=lambda: "ready." in (tmp_path / "server.log").read_text(),
        files={"tasks.py": PAGE["tasks.py"], "config.py": config},
        CELERY_CONFIG="config",
    )
    send = f"import tasks\nfor _ in range({REQUESTS}):\n    tasks.ask.delay()\n"
    environ = {**os.environ, "CELERY_CONFIG": "config"}
    subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environ, check=True)
    wait_until(lambda: server.printed().count(" succeeded in ") == REQUESTS)

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert_all_arrived(receiver, processes=2)
    assert "pocketflow" not in server.printed()
