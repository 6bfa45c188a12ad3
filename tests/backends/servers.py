"""Servers on this machine: started for a test, waited for until they answer, and ended with it."""

import itertools
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LONGEST_START_SECONDS = 120
LONGEST_END_SECONDS = 20
LONGEST_WAIT_SECONDS = 60
_POLL_SECONDS = 0.02
# Below the range that the system gives out by itself. Each process begins elsewhere: some servers take seconds until
# they listen, and their port looks free meanwhile.
_PORTS = range(20_000, 32_000)
_BEGIN = os.getpid() * 97 % len(_PORTS)
_NEXT_PORT = itertools.cycle([*_PORTS[_BEGIN:], *_PORTS[:_BEGIN]])


@dataclass
class Server:
    """A server that runs.

    Attributes:
        process: Its process.
        log: The file that everything it prints goes to.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def printed(self) -> str:
        """What it has printed up to now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def end(self) -> int:
        """Ends it as a service is ended, and returns its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(LONGEST_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends it as a crash does."""
        self.process.kill()
        self.process.wait()


def start(command: Sequence[str | Path], log: Path, ready: Callable[[], bool], environ: Mapping[str, str]) -> Server:
    """Starts a server, and waits until it is ready.

    Raises:
        RuntimeError: If it ended, or did not get ready in time; with what it printed.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ},
            cwd=log.parent,
        )
    server = Server(process, log)
    try:
        wait_until(lambda: process.poll() is not None or ready(), LONGEST_START_SECONDS)
    except TimeoutError as error:
        server.kill()
        raise RuntimeError(f"{command[0]} did not get ready:\n{server.printed()[-4000:]}") from error
    if process.poll() is not None:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{server.printed()[-4000:]}")
    return server


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, ready: Callable[[], bool], environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Starts a server as `start` does, and kills it with the block: some take half a minute to end by themselves."""
    server = start(command, log, ready, environ or {})
    try:
        yield server
    finally:
        server.kill()


def wait_until(holds: Callable[[], object], seconds: float = LONGEST_WAIT_SECONDS) -> None:
    """Waits until something holds.

    Raises:
        TimeoutError: If it does not in time.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not happen in {seconds} seconds")
        time.sleep(_POLL_SECONDS)


def once_whole(asked: Callable[[], T], names: Callable[[T], Collection[str]], count: int) -> T:
    """What a backend has of a trace, once it has so many spans.

    Args:
        asked: Asks the backend.
        names: The names of the spans in what it answers.
        count: How many spans there are to be.

    Raises:
        AssertionError: If they don't come in time; with the names of those that have.
    """
    answer = asked()

    def arrived() -> bool:
        nonlocal answer
        answer = asked()
        return len(names(answer)) >= count

    try:
        wait_until(arrived)
    except TimeoutError as error:
        raise AssertionError(f"{len(names(answer))} of {count} spans arrived: {names(answer)}") from error
    return answer


def free_port() -> int:
    """A port of this machine that nothing listens on, and that was not given out before."""
    return next(port for port in _NEXT_PORT if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def listening(*ports: int) -> bool:
    """Whether something listens on all of some ports of this machine."""
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return False
    return True


def answers(url: str) -> bool:
    """Whether a URL is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return 200 <= response.status < 300
    except (OSError, urllib.error.URLError):
        return False


def get(url: str, **headers: str) -> bytes:
    """What a URL answers.

    Raises:
        urllib.error.HTTPError: If it is not success.
    """
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=LONGEST_WAIT_SECONDS) as response:
        return response.read()
