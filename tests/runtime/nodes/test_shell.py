"""``shell``: commands run as they are written, print as they go, and leave nothing behind."""

import asyncio
import gc
from pathlib import Path

import psutil
import pytest

from backends.servers import wait_until
from pocketflow_otel.runtime.nodes.shell import NODE_TYPE, CommandError
from runtime.nodes.context import Alone, result_of


async def test_a_list_is_run_as_it_is(context: Alone) -> None:
    ran = await result_of(NODE_TYPE, context, command=["printf", "%s|", "a b", "$HOME; *"], args=["c", 1])
    assert ran == {"exit_code": 0, "stdout": "a b|$HOME; *|c|1|", "stderr": "", "truncated": False}


async def test_a_text_is_run_by_the_shell_with_its_arguments_and_variables(context: Alone) -> None:
    ran = await result_of(
        NODE_TYPE,
        context,
        command='echo "$1-$NAME" | tr a-z A-Z; echo oops >&2; cat; exit 3',
        args=["x; rm"],
        env={"NAME": "é", "FLAG": True},
        stdin="given",
        expect=[0, 3],
    )
    assert ran == {"exit_code": 3, "stdout": "X; RM-é\ngiven", "stderr": "oops\n", "truncated": False}


async def test_the_environment_is_what_the_document_gives_and_little_else(
    context: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-seen")
    monkeypatch.setenv("LC_TIME", "C")
    ran = await result_of(NODE_TYPE, context, command=["env"], env={"A": 1, "B": False})
    names = {line.partition("=")[0] for line in ran["stdout"].splitlines()}
    assert {"PATH", "LC_TIME", "A", "B"} <= names
    assert "OPENAI_API_KEY" not in names
    assert "B=false" in ran["stdout"]


async def test_it_runs_in_the_folder_of_the_document_or_one_from_there(context: Alone) -> None:
    (context.base / "sub").mkdir()
    assert (await result_of(NODE_TYPE, context, command=["pwd"]))["stdout"] == f"{context.base.resolve()}\n"
    ran = await result_of(NODE_TYPE, context, command="pwd", cwd="sub")
    assert ran["stdout"] == f"{context.base.resolve()}/sub\n"


async def test_what_it_prints_is_printed(context: Alone, capsys: pytest.CaptureFixture[str]) -> None:
    await result_of(NODE_TYPE, context, command="printf 'é\\377'; printf err >&2", max_output=1)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("é\ufffd", "err")


async def test_of_long_outputs_the_beginning_is_kept(context: Alone) -> None:
    ran = await result_of(NODE_TYPE, context, command="printf aé; head -c 300000 /dev/zero >&2", max_output=2)
    assert ran == {"exit_code": 0, "stdout": "a", "stderr": "\0\0", "truncated": True}


async def test_a_stream_that_is_closed_keeps_no_command_waiting(
    context: Alone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
    ran = await result_of(NODE_TYPE, context, command="head -c 300000 /dev/zero", max_output=1_000_000)
    assert len(ran["stdout"]) == 300_000


@pytest.mark.parametrize(
    ("command", "said", "code"),
    [
        ("echo one; echo two >&2; exit 7", "command '/bin/sh' ended with exit code 7, expected 0: two", 7),
        ("kill -9 $$", "command '/bin/sh' was ended by SIGKILL, expected 0", -9),
        (["no-such-program"], "command 'no-such-program': there is no such program in PATH", None),
        (["/no/such"], "command '/no/such': there is no such program", None),
        (["/"], "command '/' can't be run: Permission denied", None),
        (["echo", "a\0b"], "command 'echo' can't be run: embedded null byte", None),
    ],
)
async def test_what_went_wrong_is_told(context: Alone, command: str | list[str], said: str, code: int | None) -> None:
    with pytest.raises(CommandError) as caught:
        await result_of(NODE_TYPE, context, command=command)
    assert (str(caught.value), caught.value.exit_code) == (said, code)


async def test_a_folder_that_is_not_there_is_told(context: Alone) -> None:
    with pytest.raises(CommandError, match=r"cwd .*/nowhere: there is no such folder"):
        await result_of(NODE_TYPE, context, command=["true"], cwd="nowhere")


async def test_secrets_are_masked_in_what_is_told_of_a_failure(context: Alone) -> None:
    context.secrets = ("hunter2",)
    with pytest.raises(CommandError) as caught:
        await result_of(NODE_TYPE, context, command="echo bad password $1 >&2; exit 1", args=["hunter2"])
    assert str(caught.value).endswith("bad password ***")


async def test_a_run_that_does_not_allow_commands_runs_none(context: Alone) -> None:
    context.allow_shell = False
    with pytest.raises(PermissionError, match="this run does not allow commands"):
        await result_of(NODE_TYPE, context, command=["touch", "made"])
    assert list(context.base.iterdir()) == []


async def test_a_command_that_reads_nothing_of_what_it_is_given_is_fine(context: Alone) -> None:
    assert (await result_of(NODE_TYPE, context, command=["true"], stdin="x" * 1_000_000))["exit_code"] == 0


def _is_running(file: Path) -> bool:
    text = file.read_text().strip() if file.exists() else ""
    try:
        return bool(text) and psutil.Process(int(text)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _started(file: Path) -> None:
    while not _is_running(file):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
async def test_cancelling_ends_the_command_and_all_that_it_started(context: Alone, trap: str) -> None:
    command = f"{trap}sleep 600 & echo $! > child; {trap}while :; do sleep 600; done"
    task = asyncio.ensure_future(result_of(NODE_TYPE, context, command=command))
    await asyncio.wait_for(_started(context.base / "child"), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    wait_until(lambda: not _is_running(context.base / "child"))


async def test_what_it_leaves_running_ends_with_it(context: Alone) -> None:
    ran = await result_of(NODE_TYPE, context, command="sleep 600 & echo $! > child; echo done")
    assert ran["stdout"] == "done\n"
    wait_until(lambda: not _is_running(context.base / "child"))


async def test_no_process_and_no_file_is_left(context: Alone) -> None:
    async def many() -> None:
        await asyncio.gather(*(result_of(NODE_TYPE, context, command="echo x; exit 0", stdin="y") for _ in range(10)))

    await many()
    process = psutil.Process()
    before = process.num_fds()
    await many()
    task = asyncio.ensure_future(result_of(NODE_TYPE, context, command="echo $$ > child; exec sleep 600"))
    (context.base / "child").unlink(missing_ok=True)
    await asyncio.wait_for(_started(context.base / "child"), 20)
    task.cancel()
    await asyncio.wait([task])
    gc.collect()
    assert process.num_fds() == before
    assert [child for child in process.children(recursive=True) if child.name() in {"sh", "sleep", "echo"}] == []


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("echo ${inputs.name}", ("command",)),
        ("${inputs.command}", ("command",)),
        (["sh", "-c", "echo ${inputs.name}"], ("command", 2)),
        (["/usr/bin/bash", "-e", "-xc", "echo ${inputs.name}"], ("command", 3)),
    ],
)
def test_references_in_what_a_shell_reads_are_refused(command: object, path: tuple[object, ...]) -> None:
    assert NODE_TYPE.check is not None
    [(found, sentence)] = NODE_TYPE.check({"command": command})
    assert found == path
    assert "give its value by 'env' or 'args'" in sentence


@pytest.mark.parametrize(
    "command",
    [
        "echo $${HOME}",
        ["echo", "${inputs.name}"],
        ["sh", "script.sh", "${inputs.name}"],
        ["sh", "-c", "a", "b", "${x}"],
    ],
)
def test_references_elsewhere_are_fine(command: object) -> None:
    assert NODE_TYPE.check is not None
    assert NODE_TYPE.check({"command": command, "env": {"A": "${inputs.name}"}}) == []
