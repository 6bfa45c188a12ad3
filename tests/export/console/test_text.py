"""Text made harmless, measured and cut; numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.export.console.terminal import cut, line_cells
from pocketflow_otel.export.console.text import cells, listing, printable
from pocketflow_otel.figures import dollars, duration, size, tokens


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


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, "1 tok"),
        (1204, "1,204 tok"),
        (9_999, "9,999 tok"),
        (10_000, "10.0k tok"),
        (12_345, "12.3k tok"),
        (99_949, "99.9k tok"),
        (99_951, "100k tok"),
        (999_499, "999k tok"),
        (999_500, "1.0M tok"),
        (1_234_567, "1.2M tok"),
        (99_949_999, "99.9M tok"),
        (99_950_001, "100M tok"),
        (5_000_000_000, "5,000M tok"),
    ],
)
def test_tokens(number, expected):
    assert tokens(number) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "$0"),
        (0.0000099, "<$0.00001"),
        (0.00001, "$0.00001"),
        (0.0000123, "$0.000012"),
        (0.0000994, "$0.000099"),
        (0.0000996, "$0.0001"),
        (0.000134, "$0.00013"),
        (0.000996, "$0.001"),
        (0.0042, "$0.0042"),
        (0.00994, "$0.0099"),
        (0.00996, "$0.01"),
        (0.0123, "$0.012"),
        (0.0994, "$0.099"),
        (0.0996, "$0.10"),
        (0.5, "$0.50"),
        (1.269, "$1.27"),
        (20, "$20.00"),
        (99.99, "$99.99"),
        (99.999, "$100"),
        (123.4, "$123"),
        (12_345.6, "$12,346"),
    ],
)
def test_dollars(number, expected):
    assert dollars(number) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        ("x" * 1202, "x, x and 1,200 more"),
    ],
)
def test_listings(names, expected):
    assert listing(names, 2) == expected
