"""The folder of a run is its own, and what it holds is whole."""

import json
import threading

import pytest

from pocketflow_otel.runtime import execute, load, prepare
from pocketflow_otel.runtime.running import folder as folder_module
from pocketflow_otel.runtime.running.events import Event
from pocketflow_otel.runtime.running.folder import Folder
from runtime.running.running import document, python, ran

EVENT = Event("node.chunk", 0.0, "run", "a", 1, data={"text": "x" * 100})


@pytest.mark.parametrize("name", ["result.json", "events.jsonl", "working/mine.txt"])
def test_a_folder_that_holds_something_is_no_other_runs(name, tmp_path):
    file = tmp_path / "run" / name
    file.parent.mkdir(parents=True)
    file.write_text("theirs")
    with pytest.raises(FileExistsError, match=f"{tmp_path / 'run'} holds "):
        execute(prepare(load(document({"a": python("return 1")}))), directory=tmp_path / "run")
    assert file.read_text() == "theirs"
    assert not (tmp_path / "run" / "artifacts").exists()


def test_of_runs_that_find_a_folder_empty_at_once_one_has_it(tmp_path, monkeypatch):
    all_have_looked, outcomes = threading.Barrier(8), []
    look = folder_module.occupied

    def look_and_wait(path):
        found = look(path)
        all_have_looked.wait(10)
        return found

    monkeypatch.setattr(folder_module, "occupied", look_and_wait)

    def take() -> None:
        folder = Folder(tmp_path / "run")
        try:
            folder.open()
        except FileExistsError as error:
            outcomes.append(str(error))
        else:
            outcomes.append("taken")

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("taken") == 1


def test_what_is_told_while_it_is_closed_is_written_whole_or_not_at_all(tmp_path):
    folder = Folder(tmp_path / "run")
    folder.open()
    going = threading.Event()

    def tell() -> None:
        while not folder_is_closed.is_set():
            folder.note(EVENT)
            going.set()

    folder_is_closed = threading.Event()
    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert going.wait(10)
    folder.close(succeeded=True)
    # Whoever opens a file now is given the number that the closed one had.
    with (tmp_path / "other").open("wb") as other:
        for _ in range(100):
            folder.note(EVENT)
        folder_is_closed.set()
        for thread in threads:
            thread.join()
        assert other.tell() == 0
    assert (tmp_path / "other").read_bytes() == b""
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    assert {json.dumps(json.loads(line)) for line in lines} == {json.dumps(EVENT.as_json())}


def test_times_are_in_iso_8601_wherever_they_are_written(tmp_path):
    result = ran({"a": python("return 1")}, directory=tmp_path / "run")
    saved = json.loads((tmp_path / "run" / "result.json").read_text())
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    times = [saved["started"], events[0]["time"], events[1]["time"], saved["nodes"][0]["started"]]
    assert all(time.startswith("20") and time[10] == "T" and time.endswith("+00:00") for time in times)
    assert saved["started"] <= saved["nodes"][0]["started"] <= events[-1]["time"]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert result.started == saved["started"]
