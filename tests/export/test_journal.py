import json
import os
import stat

import pytest
from opentelemetry.sdk.trace import TracerProvider

from pocketflow_otel.export import journal
from pocketflow_otel.export.journal import Journal, journal_line, journal_path

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C


def line(span_id, name="node"):
    return (
        json.dumps(
            {"traceId": f"{TRACE_ID:032x}", "spanId": f"{span_id:016x}", "name": name}, separators=(",", ":")
        ).encode()
        + b"\n"
    )


@pytest.fixture
def made(tmp_path):
    made = Journal(journal_path(tmp_path, TRACE_ID))
    yield made
    made.file.close()


def listed(made):
    return [int(json.loads(entry)["spanId"], 16) for entry in made.file.path.read_bytes().splitlines()]


def test_its_name_tells_trace_and_process(made, tmp_path):
    assert made.file.path == tmp_path / f"0af7651916cd43dd8448eb211c80319c.{os.getpid()}.open"


def test_what_is_known_of_a_span_at_its_start():
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("flow") as root:
        attributes = {
            "text": "ä\ud800\n",
            "list": ["a", "b"],
            "number": 2**63 - 1,
            "long": 2**64,
            "bytes": b"x",
            "on": True,
        }
        span = tracer.start_span("node", attributes=attributes, start_time=1_700_000_000_000_000_001)
    context = span.get_span_context()
    encoded = journal_line(span, context)
    assert encoded.endswith(b"\n")
    assert encoded.count(b"\n") == 1
    assert json.loads(encoded) == {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "parentSpanId": f"{root.get_span_context().span_id:016x}",
        "name": "node",
        "scope": "test",
        "startTimeUnixNano": "1700000000000000001",
        "attributes": {
            "text": "ä�\n",
            "list": ["a", "b"],
            "number": 2**63 - 1,
            "long": str(2**64),
            "bytes": "b'x'",
            "on": True,
        },
        "pid": os.getpid(),
    }
    assert json.loads(journal_line(root, root.get_span_context()))["parentSpanId"] == ""


def test_it_is_there_while_a_span_is_open(made):
    made.start(1, line(1))
    made.start(2, line(2))
    assert stat.S_IMODE(made.file.path.stat().st_mode) == 0o600
    made.end(1)
    assert listed(made) == [1, 2]
    made.end(2)
    assert not made.file.path.exists()
    made.start(3, line(3))
    assert listed(made) == [3]


def test_a_span_that_it_does_not_know_changes_nothing(made):
    made.start(1, line(1))
    made.end(2)
    assert listed(made) == [1]
    made.end(1)
    made.end(1)
    assert not made.file.path.exists()


def test_spans_that_it_does_not_know_make_it_no_longer(made):
    made.start(1, line(1))
    before = made.file.path.stat().st_ino
    for span_id in range(2, 2000):
        made.end(span_id)
    assert made.file.path.stat().st_ino == before


def test_entries_that_went_with_an_earlier_file_count_no_more(made, monkeypatch):
    monkeypatch.setattr(journal, "_ENDED_KEPT", 1)
    made.start(1, line(1))
    made.end(1)
    made.start(2, line(2))
    made.start(3, line(3))
    made.end(3)
    assert listed(made) == [2, 3]


def test_a_long_run_stays_small(made, tmp_path):
    made.start(1, line(1, "flow"))
    longest = 0
    for span_id in range(2, 5000):
        made.start(span_id, line(span_id))
        longest = max(longest, len(listed(made))) if span_id % 1000 < 10 else longest
        made.end(span_id)
    assert longest == 1002
    # 1,001 spans had ended four times; 994 have since.
    assert listed(made) == [1, *range(4006, 5000)]
    assert [path.name for path in tmp_path.iterdir()] == [made.file.path.name]
    assert stat.S_IMODE(made.file.path.stat().st_mode) == 0o600


def test_entries_are_taken_out_less_often_where_many_spans_are_open(made, monkeypatch):
    compactions = []
    monkeypatch.setattr(journal, "_ENDED_KEPT", 10)
    compact = Journal._compact
    monkeypatch.setattr(Journal, "_compact", lambda self: compactions.append(len(self.open_spans)) or compact(self))
    for span_id in range(100):
        made.start(span_id, line(span_id))
    for span_id in range(99):
        made.end(span_id)
    assert compactions == [49, 24, 11]
    assert listed(made) == list(range(89, 100))


def test_torn_entries_are_taken_out(made, monkeypatch):
    monkeypatch.setattr(journal, "_ENDED_KEPT", 1)
    made.start(1, line(1))
    with made.file.path.open("ab") as file:
        file.write(b'{"traceId":"0af\n\n')
    for span_id in (2, 3):
        made.start(span_id, line(span_id))
        made.end(span_id)
    assert made.file.path.read_bytes() == line(1)


def test_a_rewriting_that_fails_leaves_it_as_it_was(made, monkeypatch):
    monkeypatch.setattr(journal, "_ENDED_KEPT", 1)
    temporary = made.file.path.with_name(made.file.path.name + ".tmp")
    made.start(1, line(1))
    made.start(2, line(2))
    made.end(2)
    made.start(3, line(3))
    temporary.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        made.end(3)
    assert listed(made) == [1, 2, 3]
    assert not temporary.is_symlink()
    for span_id in (4, 5):
        made.start(span_id, line(span_id))
        made.end(span_id)
    assert listed(made) == [1]


def test_a_span_that_could_not_be_listed_is_open_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    made = Journal(tmp_path / "file" / "journal")
    with pytest.raises(NotADirectoryError):
        made.start(1, line(1))
    assert made.open_spans == {1}
