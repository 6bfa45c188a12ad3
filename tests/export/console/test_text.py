"""Text made harmless, measured and cut; numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.export.console.terminal import cut, line_cells
from pocketflow_otel.export.console.text import cells, duration, printable, size


@given(st.text())
def test_any_text_becomes_printable(text):
    shown = printable(text)
    assert shown.replace("\u200d", "").isprintable()
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("naïve — 日本語 👍🏽", "naïve — 日本語 👍🏽"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("non\u00a0breaking", "non breaking"),
        ("two\n\n  lines\ttab", "two lines tab"),
        ("\x1b(Bcharset\x1b=", "charset"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]unfinished", ""),
        ("\x1b[", "\\x1b["),
        ("\x7f", "\\x7f"),
    ],
)
def test_printable(text, expected):
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("👍", 2), ("❤\ufe0f", 2), ("👨\u200d👩", 4), ("✔→", 2), ("", 0)],
)
def test_cells(text, columns):
    assert cells(text) == columns


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")))), st.integers(1, 60))
def test_a_cut_line_fits_and_is_a_beginning(texts, room):
    line = [("", text) for text in texts]
    shortened = cut(line, room, "…")
    assert line_cells(shortened) <= room
    whole = "".join(texts)
    text = "".join(text for _, text in shortened)
    assert text == whole or whole.startswith(text.removesuffix("…"))


def test_a_cut_leaves_no_joiner_behind():
    assert cut([("", "ab👨\u200d👩cd")], 6, "…") == [("", "ab👨"), ("2", "…")]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.00ms"),
        (0.000012, "0.01ms"),
        (0.000994, "0.99ms"),
        (0.000999, "1.0ms"),
        (0.00994, "9.9ms"),
        (0.00996, "10ms"),
        (0.9994, "999ms"),
        (0.9996, "1.00s"),
        (59.99, "59.99s"),
        (59.999, "1m00s"),
        (125, "2m05s"),
        (3599.6, "1h00m"),
        (3725, "1h02m"),
        (360_000, "100h00m"),
    ],
)
def test_durations(seconds, expected):
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_960, "10 kB"),
        (999_600, "1.0 MB"),
        (40_000_000, "40 MB"),
        (999_600_000, "1.0 GB"),
        (5_000_000_000_000, "5,000 GB"),
    ],
)
def test_sizes(number, expected):
    assert size(number) == expected
