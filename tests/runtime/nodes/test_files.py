"""``file.read``, ``file.write`` and ``file.list``: files are read as what they are, and written whole or not at all."""

import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.runtime.nodes.file_list import NODE_TYPE as FILE_LIST
from pocketflow_otel.runtime.nodes.file_read import NODE_TYPE as FILE_READ
from pocketflow_otel.runtime.nodes.file_write import NODE_TYPE as FILE_WRITE
from pocketflow_otel.runtime.nodes.files.formats import FormatError, decoded, encoded
from runtime.nodes.context import Alone, result_of

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
WITHOUT_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("name", "content", "form", "key", "value"),
    [
        ("a.txt", b"x\r\ny", "text", "text", "x\r\ny"),
        ("a", b"x", "text", "text", "x"),
        ("a.md", b"\xef\xbb\xbfx", "text", "text", "x"),
        ("a.JSON", b'{"a": [1, 2.5, null]}', "json", "data", {"a": [1, 2.5, None]}),
        ("a.jsonl", b'{"a": 1}\n\n[2]\n', "jsonl", "data", [{"a": 1}, [2]]),
        ("a.yml", b"a: yes\nb: [1, two]\n", "yaml", "data", {"a": "yes", "b": [1, "two"]}),
        ("a.csv", b'id,by\n1,"A, B."\n\n2,C\n', "csv", "data", [{"id": "1", "by": "A, B."}, {"id": "2", "by": "C"}]),
        ("empty.csv", b"", "csv", "data", []),
    ],
)  # fmt: skip
async def test_the_end_of_its_name_says_what_a_file_holds(
    context: Alone, name: str, content: bytes, form: str, key: str, value: object
) -> None:
    (context.base / name).write_bytes(content)
    assert await result_of(FILE_READ, context, path=name) == {
        "path": name,
        "format": form,
        "bytes": len(content),
        key: value,
    }


async def test_a_format_that_is_chosen_goes_before_the_name(context: Alone) -> None:
    (context.base / "a.json").write_bytes(b"\xff")
    read = await result_of(FILE_READ, context, path=str(context.base / "a.json"), format="bytes")
    assert read["data"] == b"\xff"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"one\ntw\xff", "a.txt: byte 0xff at offset 6 (line 2) is not utf-8: invalid start byte"),
        ("a.json", b'{"a": 1,\n  b}', "a.json:2:3: not JSON: "),
        ("a.json", b"[" * 100_000, "a.json: not JSON: it is nested too deeply"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl:2:7: not JSON: Expecting value"),
        ("a.yaml", b"a: [1\nb: 2\n", "a.yaml:2:2: not YAML: "),
        ("a.yaml", b"a: &x [*x]\n", "a.yaml: an alias stands for what it is part of"),
        ("a.yaml", b"a: !!python/object:os.system 1\n", "a.yaml:1:4: not YAML: could not determine a constructor"),
        ("a.csv", b"a,b\n1,2\n3\n", "a.csv:3: 1 fields, where the first line has 2"),
        ("a.csv", b"a,a\n1,2\n", "a.csv:1: two columns are called 'a'"),
        ("a.csv", b'a\n"x', "a.csv:2: not CSV: unexpected end of data"),
    ],
)
async def test_what_is_not_in_its_format_is_told_with_its_place(
    context: Alone, name: str, content: bytes, said: str
) -> None:
    (context.base / name).write_bytes(content)
    with pytest.raises(FormatError) as caught:
        await result_of(FILE_READ, context, path=name)
    assert str(caught.value).startswith(f"{context.base}/{said}")


async def test_aliases_that_stand_for_a_billion_values_are_refused(context: Alone) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
    (context.base / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(FormatError, match="with its aliases it has more than 1,000,000 values"):
        await result_of(FILE_READ, context, path="bomb.yaml")


async def test_a_file_that_is_too_large_is_not_read(context: Alone) -> None:
    (context.base / "a.txt").write_text("12345")
    assert (await result_of(FILE_READ, context, path="a.txt", max_bytes=5))["text"] == "12345"
    with pytest.raises(ValueError, match=r"a\.txt: it is larger than 4 bytes, which is as much as max_bytes allows"):
        await result_of(FILE_READ, context, path="a.txt", max_bytes=4)


async def test_a_file_that_is_not_there_is_told_with_the_nearest_name(context: Alone) -> None:
    (context.base / "notes.txt").touch()
    os.mkfifo(context.base / "pipe")
    for path, said in {
        "note.txt": "note.txt: there is no such file; did you mean 'notes.txt'?",
        "sub/a.txt": f"sub/a.txt: there is no folder {context.base}/sub",
        "notes.txt/a": "notes.txt/a: a part of the path is a file, not a folder",
        ".": "it is a folder: file.list finds the files in it",
        "pipe": "pipe: it is no regular file",
    }.items():
        with pytest.raises(OSError) as caught:
            await result_of(FILE_READ, context, path=path)
        assert str(caught.value).endswith(said)


async def test_an_encoding_that_nobody_knows_is_told(context: Alone) -> None:
    for encoding in ("utf-99", "hex"):
        with pytest.raises(ValueError, match=f"'{encoding}' is no encoding of text that is known"):
            await result_of(FILE_READ, context, path="a.txt", encoding=encoding)


@given(JSON)
def test_any_value_that_is_written_as_json_or_yaml_is_read_back(value: Any) -> None:
    for form in ("json", "yaml"):
        try:
            written = encoded(value, form, "utf-8", "a")  # type: ignore[arg-type]
        except FormatError as error:
            assert "utf-8 has no character" in str(error)  # noqa: PT017 - what else may be wrong is what this is about
            continue
        assert decoded(written, form, "utf-8", "a") == value  # type: ignore[arg-type]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), WITHOUT_SURROGATES, min_size=3), min_size=1))
def test_rows_of_texts_are_read_back_from_csv(rows: list[dict[str, str]]) -> None:
    columns = list(rows[0])
    rows = [{name: row[name] for name in columns} for row in rows]
    assert decoded(encoded(rows, "csv", "utf-8", "a"), "csv", "utf-8", "a") == rows


async def test_a_file_is_written_anew_and_keeps_its_permissions(context: Alone) -> None:
    target = context.base / "a.txt"
    target.write_text("a longer text than the new one")
    target.chmod(0o640)
    (context.base / "link.txt").symlink_to("a.txt")
    assert await result_of(FILE_WRITE, context, path="link.txt", content="né") == {"path": "link.txt", "bytes": 3}
    assert target.read_bytes() == "né".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert (context.base / "link.txt").is_symlink()
    assert sorted(path.name for path in context.base.iterdir()) == ["a.txt", "link.txt"]


async def test_a_new_file_has_the_permissions_that_new_files_have(context: Alone) -> None:
    await result_of(FILE_WRITE, context, path="new.txt", content="x")
    (context.base / "other.txt").write_text("x")
    assert (context.base / "new.txt").stat().st_mode == (context.base / "other.txt").stat().st_mode


@pytest.mark.parametrize(
    ("name", "content", "written"),
    [
        ("a.json", {"é": [1, None]}, '{\n  "é": [\n    1,\n    null\n  ]\n}\n'),
        ("a.jsonl", [{"a": 1}, "b"], '{"a": 1}\n"b"\n'),
        ("a.yaml", {"b": "yes", "a": [1]}, "b: yes\na:\n- 1\n"),
        ("a.csv", [{"a": 1, "b": True}, {"a": None, "c": [1]}], "a,b,c\n1,true,\n,,[1]\n"),
        ("a.bin", b"\x00\xff", b"\x00\xff"),
    ],
)  # fmt: skip
async def test_values_are_written_as_the_name_says(context: Alone, name: str, content: object, written: Any) -> None:
    await result_of(FILE_WRITE, context, path=name, content=content)
    expected = written if isinstance(written, bytes) else written.encode()
    assert (context.base / name).read_bytes() == expected


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"path": "a.txt", "content": {"a": 1}},
            "a.txt: expected a text, not an object; say format: json to write that",
        ),
        ({"path": "a.csv", "content": {"a": 1}}, "a.csv: csv is written of a list, not of an object"),
        ({"path": "a.csv", "content": ["x"]}, "a.csv: csv is written of objects, not of a text"),
        ({"path": "a.json", "content": {"a": b"x"}}, "a.json: it can't be written as JSON: "),
        ({"path": "a.json", "content": float("nan")}, "a.json: it can't be written as JSON: "),
        ({"path": "a.txt", "content": "né", "encoding": "ascii"}, "a.txt: ascii has no character 'é' (at 1)"),
        ({"path": "a.json", "content": 1, "mode": "append"}, "a.json: json can't be added to; jsonl can"),
        ({"path": "a.txt", "content": "x", "format": "bytes"}, "a.txt: expected bytes, not a text"),
    ],
)
async def test_what_can_not_be_written_leaves_the_file_as_it_was(context: Alone, config: Any, said: str) -> None:
    before = context.base / config["path"]
    before.write_text("before")
    with pytest.raises(ValueError) as caught:
        await result_of(FILE_WRITE, context, **config)
    assert said in str(caught.value)
    assert before.read_text() == "before"
    assert list(context.base.iterdir()) == [before]


async def test_folders_are_made_only_where_that_is_asked_for(context: Alone) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*/new"):
        await result_of(FILE_WRITE, context, path="new/sub/a.txt", content="x")
    await result_of(FILE_WRITE, context, path="new/sub/a.txt", content="x", parents=True)
    assert (context.base / "new/sub/a.txt").read_text() == "x"


async def test_an_artifact_goes_to_the_folder_of_the_run_and_nowhere_else(context: Alone) -> None:
    written = await result_of(FILE_WRITE, context, artifact="plots/a.txt", content="x")
    assert written == {"path": str(context.artifacts / "plots/a.txt"), "bytes": 1}
    assert (context.artifacts / "plots/a.txt").read_text() == "x"
    (context.artifacts / "out").symlink_to(context.base)
    for name in ("../a.txt", str(context.base / "a.txt"), ".", "out/a.txt", "plots/.."):
        with pytest.raises(ValueError, match="expected a name in the folder of artifacts"):
            await result_of(FILE_WRITE, context, artifact=name, content="x")
    with pytest.raises(ValueError, match="expected either 'path' or 'artifact'"):
        await result_of(FILE_WRITE, context, content="x")


async def test_columns_are_named_once_where_rows_are_added(context: Alone) -> None:
    for row in ({"a": 1}, {"a": 2}):
        await result_of(FILE_WRITE, context, path="a.csv", content=[row], mode="append")
    assert (context.base / "a.csv").read_text() == "a\n1\n2\n"


async def test_rows_that_are_added_go_under_the_columns_that_are_there(context: Alone) -> None:
    file = context.base / "a.csv"
    file.write_text("a,b\n1,2")
    await result_of(FILE_WRITE, context, path="a.csv", content=[{"b": 4, "a": 3}, {"a": 5}], mode="append")
    assert file.read_text() == "a,b\n1,2\n3,4\n5,\n"
    with pytest.raises(FormatError, match=r"a\.csv: its columns are a, b; there is no 'c'"):
        await result_of(FILE_WRITE, context, path="a.csv", content=[{"c": 1}], mode="append")
    assert file.read_text() == "a,b\n1,2\n3,4\n5,\n"


async def test_what_is_added_begins_a_line_of_its_own(context: Alone) -> None:
    (context.base / "a.jsonl").write_text("1")
    await result_of(FILE_WRITE, context, path="a.jsonl", content=[2], mode="append")
    assert (context.base / "a.jsonl").read_text() == "1\n2\n"
    (context.base / "a.txt").write_text("1")
    await result_of(FILE_WRITE, context, path="a.txt", content="2", mode="append")
    assert (context.base / "a.txt").read_text() == "12"


async def test_what_begins_with_a_mark_can_not_be_added_to(context: Alone) -> None:
    with pytest.raises(ValueError, match="utf-16 begins with a mark, and can't be added to"):
        await result_of(FILE_WRITE, context, path="a.txt", content="2", mode="append", encoding="utf-16")


async def test_lines_that_many_add_at_once_all_stand_there_whole(context: Alone) -> None:
    def write(number: int) -> None:
        config = FILE_WRITE.config.model_validate({"path": "a.jsonl", "content": [[number] * 2000], "mode": "append"})
        FILE_WRITE.call(config, context)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(50)))
    lines = [json.loads(line) for line in (context.base / "a.jsonl").read_text().splitlines()]
    assert sorted(line[0] for line in lines) == list(range(50))
    assert {len(line) for line in lines} == {2000}


def test_of_many_that_begin_a_file_at_once_one_names_the_columns(context: Alone) -> None:
    together = threading.Barrier(8)

    def write(number: int) -> None:
        for name in map(str, range(20)):
            together.wait(30)
            config = {"path": f"{name}.csv", "content": [{"a": number}], "mode": "append"}
            FILE_WRITE.call(FILE_WRITE.config.model_validate(config), context)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    for name in map(str, range(20)):
        header, *rows = (context.base / f"{name}.csv").read_text().splitlines()
        assert (header, sorted(rows)) == ("a", [str(number) for number in range(8)])


_FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
from runtime.nodes.context import Alone, result_of
from pocketflow_otel.runtime.nodes.file_write import NODE_TYPE

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    asyncio.run(result_of(NODE_TYPE, Alone(Path(sys.argv[1])), path="a.txt", content="x" * 2000, mode=sys.argv[2]))
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_where_there_is_no_room_the_file_is_as_it_was(tmp_path: Path, mode: str) -> None:
    (tmp_path / "a.txt").write_text("before")
    program = [sys.executable, "-c", textwrap.dedent(_FULL), str(tmp_path), mode]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(program, capture_output=True, text=True, env=environ, timeout=60, check=True)
    said = f"{tmp_path}/a.txt: the file would be larger than is allowed; nothing was written"
    assert said in ran.stdout
    assert (tmp_path / "a.txt").read_text() == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_a_full_device_is_told_as_such(context: Alone, mode: str) -> None:
    with pytest.raises(OSError, match="/dev/full: the disk is full; nothing was written"):
        await result_of(FILE_WRITE, context, path="/dev/full", content="x", mode=mode)


async def test_files_are_found_in_order_and_hidden_ones_left_out(context: Alone) -> None:
    for name in ("b.txt", "a.txt", "c.md", ".hidden.txt", "sub/d.txt"):
        (context.base / name).parent.mkdir(exist_ok=True)
        (context.base / name).touch()
    (context.base / "folder.txt").mkdir()
    found = await result_of(FILE_LIST, context, pattern="*.txt")
    assert found == {"paths": ["a.txt", "b.txt"], "count": 2}
    assert (await result_of(FILE_LIST, context, pattern="**/*.txt"))["paths"] == ["a.txt", "b.txt", "sub/d.txt"]
    assert (await result_of(FILE_LIST, context, pattern=["*.md", "a.*"]))["paths"] == ["a.txt", "c.md"]
    absolute = await result_of(FILE_LIST, context, pattern=str(context.base / "*.md"))
    assert absolute["paths"] == [str(context.base / "c.md")]


async def test_no_file_is_an_error_where_nobody_said_that_it_is_right(context: Alone) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file in .* matches '\*.txt'; say allow_empty: true"):
        await result_of(FILE_LIST, context, pattern="*.txt")
    assert await result_of(FILE_LIST, context, pattern="*.txt", allow_empty=True) == {"paths": [], "count": 0}


async def test_more_files_than_may_be_listed_are_an_error(context: Alone) -> None:
    for number in range(3):
        (context.base / f"{number}.txt").touch()
    with pytest.raises(ValueError, match=r"'\*.txt' matches more than 2 files"):
        await result_of(FILE_LIST, context, pattern="*.txt", max_files=2)
