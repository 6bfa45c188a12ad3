"""``approve``: a person decides, by a word beforehand, in a terminal, by a file or on a page."""

import asyncio
import datetime as dt
import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends.browser import browsing
from backends.needed import program
from backends.servers import listening, wait_until
from pocketflow_otel.runtime.nodes.approve import NODE_TYPE
from pocketflow_otel.runtime.registry.node_types import Output, Waiting
from runtime.nodes.context import Alone, result_of

Told = Callable[[], str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """All that was said on standard error so far."""
    said: list[str] = []

    def read() -> str:
        said.append(capsys.readouterr().err)
        return "".join(said)

    return read


async def asking(context: Alone, **config: Any) -> "asyncio.Task[Output]":
    return asyncio.ensure_future(result_of(NODE_TYPE, context, **{"prompt": "Send it?", **config}))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def decision(context: Alone, **config: Any) -> Any:
    output = await result_of(NODE_TYPE, context, **{"prompt": "Send it?", **config})
    assert output.action == output.body["decision"]
    assert dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(output.body["at"]) < dt.timedelta(minutes=1)
    return {name: value for name, value in output.body.items() if name != "at"}


@pytest.mark.parametrize("by", ["terminal", "file", "http"])
async def test_what_was_decided_beforehand_is_asked_of_nobody(context: Alone, by: str) -> None:
    context.decisions = {"node": "revise", "other": "reject"}
    context.may_ask = False
    told = await decision(context, by=by, choices=["approve", "revise"])
    assert told == {"decision": "revise", "comment": "", "by": "beforehand", "who": None}


async def test_a_decision_that_is_none_of_the_choices_is_told_with_the_nearest(context: Alone) -> None:
    context.decisions = {"node": "aprove"}
    with pytest.raises(ValueError) as caught:
        await decision(context)
    assert str(caught.value) == (
        "what was decided beforehand for node: expected approve or reject, not 'aprove'; did you mean 'approve'?"
    )


@pytest.mark.parametrize("by", ["terminal", "file", "http"])
async def test_where_nobody_may_be_asked_the_run_waits_and_says_how_to_go_on(context: Alone, by: str) -> None:
    context.may_ask = False
    with pytest.raises(Waiting) as caught:
        await decision(context, by=by)
    assert str(caught.value) == "Send it? (approve or reject): nobody is asked here; decide by --approve node=approve"


@pytest.mark.parametrize(
    "choices", [[], ["a", "a"], [""], [" a"], ["a\nb"], ["x" * 65]],
)  # fmt: skip
def test_choices_are_short_and_distinct(choices: list[str]) -> None:
    with pytest.raises(ValueError, match="choices"):
        NODE_TYPE.config.model_validate({"prompt": "?", "choices": choices})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("approve\n", {"decision": "approve", "comment": "", "by": "file", "who": None}),
        ('"reject"', {"decision": "reject", "comment": "", "by": "file", "who": None}),
        (
            '{"decision": "reject", "comment": "too long", "by": "Ada"}',
            {"decision": "reject", "comment": "too long", "by": "file", "who": "Ada"},
        ),
    ],
)
async def test_a_file_decides_once_it_is_there(
    context: Alone, told: Told, content: str, expected: dict[str, object]
) -> None:
    task = asyncio.ensure_future(decision(context, by="file", show={"to": "ada"}))
    path = context.artifacts / "node.1.decision"
    await until(lambda: f'write approve or reject, or {{"decision": "approve", "comment": ""}}, to {path}\n' in told())
    assert 'alone · node: Send it?\n{\n  "to": "ada"\n}\n' in told()
    path.write_text(content)
    assert await task == expected
    assert not path.exists()
    assert Path(f"{path}.taken").read_text() == content


async def test_what_is_no_decision_is_told_once_and_waited_on(context: Alone, told: Told) -> None:
    path = context.base / "decision"
    path.touch()
    task = asyncio.ensure_future(decision(context, by="file", path="decision"))
    for content, said in {
        "aprove": "expected approve or reject, not 'aprove'; did you mean 'approve'?",
        '{"decision"': "it is not JSON: ",
        '{"comment": "x"}': "'decision' is missing",
        '{"decison": "approve"}': "expected decision, comment and by, not 'decison'",
        '{"decision": true}': "decision: expected a text, not true",
    }.items():
        path.write_text(content)
        await until(lambda said=said: f"{path}: {said}" in told())
    path.write_text("reject")
    assert (await task)["decision"] == "reject"
    assert told().count("not 'aprove'") == 1


async def test_a_file_that_is_there_already_decides_even_where_nobody_may_be_asked(context: Alone) -> None:
    context.may_ask = False
    (context.base / "decision").write_text("reject")
    assert (await decision(context, by="file", path="decision"))["decision"] == "reject"
    with pytest.raises(Waiting):
        await decision(context, by="file", path="decision")


@pytest.mark.parametrize("by", ["file", "http"])
async def test_nobody_deciding_in_time_makes_the_run_wait(context: Alone, by: str) -> None:
    with pytest.raises(Waiting, match=r"nobody decided within 0\.1 s; decide by --approve node=approve"):
        await decision(context, by=by, timeout=0.1)


def address(told: Told) -> str:
    found = re.search(r"decide at (http://127\.0\.0\.1:\d+/[\w-]{32})\n", told())
    return found[1] if found else ""


async def test_only_the_page_itself_can_decide(context: Alone, told: Told) -> None:
    task = asyncio.ensure_future(decision(context, by="http"))
    await until(lambda: address(told))
    url = address(told)
    origin = url.rpartition("/")[0]
    port = int(origin.rpartition(":")[2])
    form = {"decision": "approve"}
    async with httpx.AsyncClient() as client:
        page = await client.get(url)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        for request, status in [
            (client.get(f"{origin}/"), 404),
            (client.get(f"{url}x"), 404),
            (client.get(url, headers={"Host": "evil.example"}), 404),
            (client.post(f"{origin}/", data=form), 404),
            (client.post(url, data=form, headers={"Host": f"evil.example:{port}"}), 404),
            (client.post(url, data=form, headers={"Origin": "https://evil.example"}), 403),
            (client.post(url, data=form, headers={"Origin": "null"}), 403),
            (client.post(url, data=form, headers={"Sec-Fetch-Site": "cross-site"}), 403),
            (client.post(url, data={"decision": "<b>aprove</b>"}), 400),
            (client.post(url, data={}), 400),
            (client.post(url, content=b"x" * 100_001), 400),
            (client.put(url, data=form), 501),
        ]:
            answer = await request
            assert answer.status_code == status
            assert "<b>" not in answer.text
            assert not task.done()
        answer = await client.post(url, data={"decision": "reject", "comment": "unasked"}, headers={"Origin": origin})
        assert "Decided: reject. You can close this page." in answer.text
    assert await task == {"decision": "reject", "comment": "", "by": "http", "who": None}
    assert not listening(port)


async def test_a_page_that_is_waited_for_goes_when_the_node_is_cancelled(context: Alone, told: Told) -> None:
    task = asyncio.ensure_future(decision(context, by="http"))
    await until(lambda: address(told))
    port = int(address(told).split(":")[2].partition("/")[0])
    assert listening(port)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not listening(port)
    assert [thread.name for thread in threading.enumerate() if thread.name == "approval"] == []


async def test_a_port_that_is_taken_is_told(context: Alone, told: Told) -> None:
    first = asyncio.ensure_future(decision(context, by="http"))
    await until(lambda: address(told))
    port = int(address(told).split(":")[2].partition("/")[0])
    with pytest.raises(OSError, match=rf"port {port} of 127\.0\.0\.1 can't be listened at: Address already in use"):
        await decision(context, by="http", port=port)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first


HOSTILE = '"><script>document.title = "owned"</script><img src=x onerror="document.title=1"> & <b>bold</b>'


@pytest.mark.backend
def test_a_browser_shows_all_as_it_is_and_decides_by_a_button(context: Alone, told: Told, tmp_path: Path) -> None:
    config = {
        "by": "http",
        "timeout": 60,
        "prompt": HOSTILE,
        "show": {"draft": HOSTILE},
        "choices": ["approve", "re<i>vise"],
    }
    chromium = program("chromium")
    with ThreadPoolExecutor(1) as pool, browsing(chromium) as page:
        result: Future[Any] = pool.submit(asyncio.run, decision(context, comment=True, **config))
        wait_until(lambda: address(told))
        page.goto(address(told))
        assert page.title() == "alone · node"
        assert page.inner_text("h1") == HOSTILE
        assert json.loads(page.inner_text("pre")) == {"draft": HOSTILE}
        assert page.locator("script, img, b").count() == 0
        assert page.locator("button").all_inner_texts() == ["approve", "re<i>vise"]
        background = "getComputedStyle(document.querySelector('button')).backgroundColor"
        assert page.evaluate(background) == "rgb(37, 99, 235)"
        page.fill("textarea", "too long <b>")
        page.screenshot(path=tmp_path / "asked.png")
        page.click("button >> nth=1")
        page.wait_for_selector("text=You can close this page")
        assert page.inner_text("h1") == "Decided: re<i>vise. You can close this page."
        expected = {"decision": "re<i>vise", "comment": "too long <b>", "by": "http", "who": None}
        assert result.result(30) == expected


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from pocketflow_otel.runtime.nodes.approve import NODE_TYPE
from pocketflow_otel.runtime.registry.node_types import Waiting
from runtime.nodes.context import Alone, result_of

async def main():
    config = dict(prompt="Send it?", show="the \\x1b[2Jdraft", comment=True, timeout=float(sys.argv[2]))
    both = [result_of(NODE_TYPE, Alone(Path(sys.argv[1]), node=name), **config) for name in sys.argv[3:]]
    for output in await asyncio.gather(*both, return_exceptions=True):
        print(output if isinstance(output, Exception) else (output.action, output.body["comment"], output.body["by"]))

asyncio.run(main())
"""


class Terminal:
    """A terminal with a program in it that asks, whose standard output is elsewhere."""

    def __init__(self, folder: Path, *nodes: str, seconds: float = 60, controls: bool = False) -> None:
        self.person, theirs = pty.openpty()
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "LOGNAME": "ada"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(folder), str(seconds), *nodes],
            stdin=subprocess.DEVNULL if controls else theirs,
            stderr=subprocess.DEVNULL if controls else theirs,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
            start_new_session=not controls,
            pass_fds=[theirs],  # a terminal that nobody has open hangs up
            preexec_fn=_controlled_by(theirs) if controls else None,  # noqa: PLW1509 - there is but this thread
        )
        os.close(theirs)
        self.seen = ""

    def reads(self, text: str) -> None:
        """Waits until the person sees a text that was not there before."""
        end = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.person], [], [], 0.1)[0]:
                self.seen += os.read(self.person, 4096).decode()
        self.seen = self.seen.partition(text)[2]

    def types(self, line: str) -> None:
        os.write(self.person, line.encode())

    def result(self) -> list[str]:
        output, _ = self.process.communicate(timeout=60)
        os.close(self.person)
        return output.splitlines()


def _controlled_by(terminal: int) -> Callable[[], None]:
    def control() -> None:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return control


@pytest.mark.parametrize("controls", [False, True])
def test_a_person_decides_in_the_terminal(tmp_path: Path, controls: bool) -> None:
    terminal = Terminal(tmp_path, "node", controls=controls)
    terminal.reads("alone · node: Send it?\r\n\r\nthe \\x1b[2Jdraft\r\n\r\n1 approve  2 reject\r\n> ")
    terminal.types("aprove\n")
    terminal.reads("expected approve or reject, not 'aprove'; did you mean 'approve'?\r\n> ")
    terminal.types("\n")
    terminal.reads("> ")
    terminal.types("2\n")
    terminal.reads("comment (none: just Enter): ")
    terminal.types("too long\n")
    assert terminal.result() == ["('reject', 'too long', 'terminal')"]


def test_questions_are_asked_one_after_the_other(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "first", "second")
    for node, choice in {"first": "approve", "second": "reject"}.items():
        terminal.reads(f"alone · {node}: Send it?")
        terminal.reads("> ")
        terminal.types(f"{choice}\n")
        terminal.reads("comment")
        terminal.types("\n")
    assert terminal.result() == ["('approve', '', 'terminal')", "('reject', '', 'terminal')"]


def test_a_terminal_that_is_closed_makes_the_run_wait(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "node")
    terminal.reads("> ")
    terminal.types("\x04")
    [said] = terminal.result()
    assert "the terminal was closed; decide by --approve node=approve" in said


def test_a_person_who_does_not_answer_in_time_makes_the_run_wait(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "node", seconds=0.5)
    [said] = terminal.result()
    assert "nobody decided within 0.5 s" in said


def test_without_a_terminal_the_run_waits(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path), "60", "node"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout == ("Send it? (approve or reject): there is no terminal; decide by --approve node=approve\n")
