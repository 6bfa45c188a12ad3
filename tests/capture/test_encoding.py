from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import uuid
from collections import OrderedDict, deque
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpora.secrets import SECRETS, Secret
from corpora.zoo import ONE_SHOT, ZOO, consumed
from pocketflow_otel.capture.encoding import Encoded, encode, plain, printed, safe_key
from pocketflow_otel.capture.redaction import MASK, Redactor, SeenSecrets
from pocketflow_otel.capture.windows import MARGIN
from pocketflow_otel.guard import guard

REDACTOR = Redactor()
PROSE = "The quick brown fox jumps over the lazy dog. " * 500


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Document:
    title: str
    pages: list[int]
    _cache: int = 0


@dataclasses.dataclass(slots=True)
class Slotted:
    title: str


class Login:
    def __init__(self) -> None:
        self.user = "bob"
        self.password = "hunter2"


class Empty:
    pass


@pytest.fixture(autouse=True)
def nothing_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "reraise", True)


def encoded(value: Any, max_bytes: int = 2048, key: str | None = None) -> Encoded:
    return encode(value, max_bytes, REDACTOR, SeenSecrets(), key)


def decoded(value: Any, max_bytes: int = 2048) -> Any:
    return json.loads(encoded(value, max_bytes).text)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.text() | st.integers() | st.none() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner) | st.builds(Point, inner, inner)
    ),
    max_leaves=60,
)


class TestWholeValues:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"a": [1, 2.5, None, True, "x"]}, '{"a":[1,2.5,null,true,"x"]}'),
            ([], "[]"),
            ({}, "{}"),
            ((), "[]"),
            ("", '""'),
            ('a"b\\c\n\0é', '"a\\"b\\\\c\\n\\u0000é"'),
            ("a\ud800b", '"a\\\\ud800b"'),
            ((1, (2,)), "[1,[2]]"),
            ({"b", "a"}, '["a","b"]'),
            (frozenset({1}), "[1]"),
            (deque([1, 2]), "[1,2]"),
            (OrderedDict(a=1), '{"a":1}'),
            (2**63 - 1, "9223372036854775807"),
            (-(2**63), "-9223372036854775808"),
            (2**63, '"9223372036854775808"'),
            (-(2**63) - 1, '"-9223372036854775809"'),
            (1 << 5000, '"int of 5001 bits"'),
            (math.nan, '"NaN"'),
            (math.inf, '"Infinity"'),
            (-math.inf, '"-Infinity"'),
            (1 + 2j, '"(1+2j)"'),
            (b"abc", '"bytes[3]"'),
            (range(3), '"range(0, 3)"'),
            (Color.RED, '"Color.RED"'),
            (Level.LOW, '"Level.LOW"'),
            (Mode.FAST, '"fast"'),
            (decimal.Decimal("1.10"), '"1.10"'),
            (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            (pathlib.PurePosixPath("a/b"), '"a/b"'),
            (pathlib.Path("a"), '"a"'),
            (dt.date(2024, 1, 2), '"2024-01-02"'),
            (dt.datetime(2024, 1, 2, tzinfo=dt.UTC), '"2024-01-02T00:00:00+00:00"'),
            (dt.timedelta(minutes=1), '"0:01:00"'),
            (ValueError("bad", 1, "worse"), '"ValueError: bad, worse"'),
            (ValueError(), '"<ValueError>"'),
            (KeyError("password=hunter2"), '"KeyError: password=[redacted]"'),
            (Point(1, [2]), '{"<Point>":{"x":1,"y":[2]}}'),
            (Document("t", [1], 5), '{"<Document>":{"title":"t","pages":[1]}}'),
            (Slotted("t"), '{"<Slotted>":{"title":"t"}}'),
            (Empty(), '"<Empty>"'),
            (Empty, '"<class Empty>"'),
            (len, '"<builtin_function_or_method>"'),
            (object(), '"<object>"'),
            ({1: 1, "1": 2, None: 3}, '{"1":1,"1 #2":2,"None":3}'),
            ({(1, "a"): 4, 2.5: 5, Color.RED: 6, b"k": 7}, '{"(1, a)":4,"2.5":5,"Color.RED":6,"bytes[1]":7}'),
        ],
    )  # fmt: skip
    def test_are_shown_as_they_are(self, value: Any, expected: str) -> None:
        assert encoded(value) == Encoded(expected, truncated=False)

    def test_a_value_that_just_fits_is_not_cut(self) -> None:
        value = {"messages": [{"role": "user", "content": "x" * 90}] * 10, "tags": ["a", "b"], "n": 1}
        text = json.dumps(value, separators=(",", ":"))
        assert encoded(value, len(text) + 40) == Encoded(text, truncated=False)

    def test_a_list_within_itself(self) -> None:
        value: list[Any] = [1]
        value.append(value)
        assert encoded(value) == Encoded('[1,"… cycle"]', truncated=False)

    def test_a_value_twice_is_no_cycle(self) -> None:
        part = [1]
        assert encoded([part, part]).text == "[[1],[1]]"

    def test_an_object_within_itself(self) -> None:
        value = Empty()
        value.me = value  # type: ignore[attr-defined]
        assert encoded(value).text == '{"<Empty>":{"me":"… cycle"}}'


class TestWhatIsLeftOut:
    def test_of_a_text(self) -> None:
        text, truncated = encoded("word " * 1000, 100)
        shown, _, note = json.loads(text).partition("… ")
        assert truncated
        assert ("word " * 1000).startswith(shown)
        assert len(shown) > 60
        assert note == f"{5000 - len(shown)} more chars"

    def test_of_a_list(self) -> None:
        text, truncated = encoded(list(range(1000)))
        assert truncated
        assert json.loads(text) == [*range(64), "… 936 more"]

    def test_of_a_dict(self) -> None:
        text, truncated = encoded({f"key{number}": number for number in range(1000)})
        shown = json.loads(text)
        assert truncated
        assert shown.pop("…") == "936 more"
        assert shown == {f"key{number}": number for number in range(64)}

    def test_of_a_dict_with_such_a_key(self) -> None:
        shown = decoded({"…": 1} | {f"key{number}": number for number in range(1000)})
        assert shown["…"] == 1
        assert shown["… #2"] == "937 more"

    def test_of_depth(self) -> None:
        value: Any = {"core": 1}
        for _ in range(100_000):
            value = [value]
        assert encoded(value) == Encoded('[[[[[["… list[1]"]]]]]]', truncated=True)

    def test_of_an_object(self) -> None:
        value = Empty()
        value.__dict__.update({f"a{number}": PROSE for number in range(3)})
        text, truncated = encoded(value, 400)
        shown = json.loads(text)["<Empty>"]
        assert truncated
        assert list(shown) == ["a0", "a1", "a2"]
        assert all("more chars" in part for part in shown.values())

    def test_long_items_leave_room_for_short_ones(self) -> None:
        shown = decoded({"page": PROSE, "url": "https://example.com", "pages": [PROSE] * 5, "n": 3}, 1000)
        assert shown["url"] == "https://example.com"
        assert shown["n"] == 3
        assert shown["page"].startswith("The quick brown fox")
        assert len(shown["pages"]) > 2

    def test_of_a_chat_each_message_begins(self) -> None:
        messages = [{"role": "user", "content": f"{number} {PROSE}"} for number in range(8)]
        shown = decoded(messages)
        assert [message["content"][:10] for message in shown] == [f"{number} The quic" for number in range(8)]

    def test_of_a_key(self) -> None:
        text, truncated = encoded({"k" * 200: 1})
        assert truncated
        assert json.loads(text) == {"k" * 127 + "…": 1}

    @pytest.mark.parametrize("char", ["é", "漢", "👩", '"', "\\", "\n", "\0", "\ud800"])
    def test_limit_is_in_bytes_of_json(self, char: str) -> None:
        for max_bytes in (64, 65, 66, 67, 100, 2048):
            text, truncated = encoded(char * 3000, max_bytes)
            assert truncated
            assert max_bytes / 2 - 30 <= len(text.encode()) <= max_bytes
            json.loads(text)

    def test_too_little_room_for_anything(self) -> None:
        assert encoded([PROSE] * 100, 4) == Encoded('""', truncated=True)

    def test_size_of_a_value_does_not_matter(self) -> None:
        looked_at: list[int] = []

        def hook(text: str, _key: str | None) -> str:
            looked_at.append(len(text))
            return text

        redactor = Redactor(hook=hook)
        for value in ("x" * 10_000_000, ["y" * 100_000] * 100_000, {str(number): PROSE for number in range(100_000)}):
            looked_at.clear()
            encode(value, 2048, redactor)
            assert max(looked_at) <= 2048 + MARGIN
            assert len(looked_at) <= 1000


class TestSecrets:
    def test_under_their_names(self) -> None:
        value = {
            "api_key": "abc",
            "nested": [{"Password": ["a", "b"]}],
            "token": {"x": 1},
            "login": Login(),
            "pin": 1234,
            "max_tokens": 5,
        }
        assert decoded(value) == {
            "api_key": MASK,
            "nested": [{"Password": MASK}],
            "token": MASK,
            "login": {"<Login>": {"user": "bob", "password": MASK}},
            "pin": MASK,
            "max_tokens": 5,
        }

    def test_absence_of_a_secret_is_shown(self) -> None:
        assert (
            encoded({"api_key": None, "password": "", "token": False}).text
            == '{"api_key":null,"password":"","token":false}'
        )

    def test_under_the_key_of_the_value(self) -> None:
        seen = SeenSecrets()
        assert encode({"x": ["inner-secret-1"]}, 2048, REDACTOR, seen, "credentials") == Encoded(
            '"[redacted]"', truncated=False
        )
        assert encode(None, 2048, REDACTOR, seen, "credentials").text == "null"
        assert encode("inner-secret-1", 2048, REDACTOR, seen).text == '"[redacted]"'

    def test_in_pairs_and_command_lines(self) -> None:
        value = [
            ("X-Api-Key", "abc"),
            ["--token", "abc", "--port", "80"],
            ("a", "b"),
            ["run", "--password", "x y", "z"],
        ]
        assert decoded(value) == [
            ["X-Api-Key", MASK],
            ["--token", MASK, "--port", "80"],
            ["a", "b"],
            ["run", "--password", MASK, "z"],
        ]

    def test_elsewhere_in_the_same_value(self) -> None:
        value = {"log": "using swordfish-9", "n": 493817, "password": "swordfish-9", "otp": 493817, "swordfish-9": 1}
        assert decoded(value) == {"log": "using [redacted]", "n": MASK, "password": MASK, "otp": MASK, MASK: 1}

    def test_keys_that_are_secrets_stay_apart(self) -> None:
        token = "sk" + "-" + "a1" * 12
        assert decoded({token: 1, token + "b2": 2}) == {MASK: 1, f"{MASK} #2": 2}

    def test_keys_that_are_shown_alike_stay_apart(self) -> None:
        assert decoded({object(): 1, object(): 2, object(): 3}) == {"<object>": 1, "<object> #2": 2, "<object> #3": 3}

    def test_are_remembered(self) -> None:
        seen = SeenSecrets()
        encode({"password": "swordfish-9"}, 2048, REDACTOR, seen)
        assert printed("swordfish-9", "", 0, 100, REDACTOR, seen).text == MASK
        assert plain("swordfish-9", 100, REDACTOR, seen).text == MASK
        assert safe_key("swordfish-9", REDACTOR, seen) == MASK

    def test_hook_is_told_the_key_of_each_text(self) -> None:
        calls: list[tuple[str, str | None]] = []

        def hook(text: str, key: str | None) -> str:
            calls.append((text, key))
            return text

        encode({"a": "x", "b": ["y"]}, 2048, Redactor(hook=hook), None, "top")
        assert calls == [("a", None), ("x", "a"), ("b", None), ("y", None)]
        calls.clear()
        encode("z", 2048, Redactor(hook=hook), None, "top")
        assert calls == [("z", "top")]

    def test_masked_text_may_be_longer_than_there_is_room(self) -> None:
        value = [f"pwd={number}" for number in range(60)]
        text, truncated = encoded(value, 600)
        assert truncated
        assert len(text.encode()) <= 600
        assert set(json.loads(text)[:-1]) == {"pwd=[redacted]"}

    @pytest.mark.parametrize("secret", SECRETS[::3], ids=lambda secret: secret.name)
    def test_wherever_the_cut_falls(self, secret: Secret) -> None:
        seen = SeenSecrets()
        if secret.how == "seen":
            REDACTOR.text(secret.value, seen, secret.key)
        pieces = _pieces(secret.value)
        for form in secret.forms[:3]:
            text = f"{PROSE[:150]} {form} {PROSE[:1500]}"
            for max_bytes in range(64, 420, 19):
                shown = (
                    encode(text, max_bytes, REDACTOR, seen).text
                    + encode([text, {"k": text}], max_bytes, REDACTOR, seen).text
                )
                shown += plain(text, max_bytes, REDACTOR, seen).text
                assert not any(piece in shown for piece in pieces), (form, max_bytes)

    @pytest.mark.parametrize("secret", SECRETS[1::3], ids=lambda secret: secret.name)
    def test_wherever_the_gap_in_printed_text_falls(self, secret: Secret) -> None:
        seen = SeenSecrets()
        if secret.how == "seen":
            REDACTOR.text(secret.value, seen, secret.key)
        pieces = _pieces(secret.value)
        for form in secret.forms[:3]:
            text = f"{PROSE[:400]}\n{form}\n{PROSE[:400]}"
            place = text.index(form)
            for cut in range(place, place + len(form), max(1, len(form) // 12)):
                for head, tail in ((text[:cut], PROSE[:900]), (PROSE[:900], text[cut:])):
                    shown = printed(head, tail, 1000, 1500, REDACTOR, seen).text
                    assert not any(piece in shown for piece in pieces), (form, cut)


def _pieces(secret: str) -> list[str]:
    """Parts of a secret too long to stand in a text by chance, but for its prefix, which is no secret."""
    return [secret[start : start + 8] for start in range(8, len(secret) - 8, 4)] or [secret]


class TestPrinted:
    def test_whole(self) -> None:
        assert printed("a\nb\n", "", 0, 100, REDACTOR) == Encoded("a\nb\n", truncated=False)
        assert printed("a\n", "b\n", 0, 100, REDACTOR) == Encoded("a\nb\n", truncated=False)

    def test_masked(self) -> None:
        assert printed("password=hunter2\n", "", 0, 100, REDACTOR).text == "password=[redacted]\n"

    def test_secret_across_head_and_tail(self) -> None:
        assert printed("password=hun", "ter2\n", 0, 100, REDACTOR).text == "password=[redacted]\n"

    def test_middle_is_left_out(self) -> None:
        text = "".join(f"line {number}\n" for number in range(1000))
        shown, truncated = printed(text, "", 0, 200, REDACTOR)
        head, _, rest = shown.partition("\n… ")
        count, _, tail = rest.partition(" characters left out …\n")
        assert truncated
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(text) - len(head) - len(tail) == int(count)
        assert 180 < len(shown.encode()) <= 200

    def test_what_was_not_kept_is_counted(self) -> None:
        head, tail = "h " * 400, " t" * 400
        shown, truncated = printed(head, tail, 10_000, 200, REDACTOR)
        shown_head, _, rest = shown.partition("\n… ")
        count, _, shown_tail = rest.partition(" characters left out …\n")
        assert truncated
        assert head.startswith(shown_head)
        assert tail.endswith(shown_tail)
        assert int(count) == 10_000 + 1600 - len(shown_head) - len(shown_tail)

    @pytest.mark.parametrize("max_bytes", [0, 1, 10, 40, 64, 100])
    @pytest.mark.parametrize("char", ["x", "é", "👩", "\ud800"])
    def test_limit_is_in_bytes(self, max_bytes: int, char: str) -> None:
        shown, truncated = printed(char * 2000, char * 2000, 5, max_bytes, REDACTOR)
        assert truncated
        assert len(shown.encode()) <= max_bytes

    def test_half_of_a_long_secret_is_not_shown(self) -> None:
        seen = SeenSecrets()
        secret = "".join(f"{number} " for number in range(2000, 2600))
        seen.add(secret)
        shown = printed("head " + secret[:1500], secret[1400:] + " tail" * 100, 100, 2000, REDACTOR, seen).text
        assert "20" not in shown
        assert "25" not in shown
        assert shown.endswith("tail")

    def test_rest_of_an_unbroken_token_is_not_shown(self) -> None:
        tail = "abc" * 300 + " word" * 60
        shown = printed("x", tail, 100, 2000, REDACTOR).text
        assert "abc" not in shown
        assert shown.endswith("word word")


class TestPlain:
    @pytest.mark.parametrize(
        ("text", "max_bytes", "expected"),
        [
            ("message", 100, Encoded("message", truncated=False)),
            ("", 100, Encoded("", truncated=False)),
            ("bad\ud800", 100, Encoded("bad\\ud800", truncated=False)),
            ("a\0b", 100, Encoded("a\0b", truncated=False)),
            ("token=abcdef", 100, Encoded("token=[redacted]", truncated=False)),
            ("x" * 1000, 10, Encoded("x" * 7 + "…", truncated=True)),
            ("é" * 1000, 10, Encoded("é" * 3 + "…", truncated=True)),
            ("éééééé", 10, Encoded("ééé…", truncated=True)),
            ("x" * 11, 2, Encoded("", truncated=True)),
        ],
    )
    def test_texts(self, text: str, max_bytes: int, expected: Encoded) -> None:
        assert plain(text, max_bytes, REDACTOR) == expected

    def test_of_another_class(self) -> None:
        assert plain(ZOO["hostile str"](), 100, REDACTOR) == Encoded("text", truncated=False)

    def test_no_text_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "reraise", False)
        assert plain(None, 100, REDACTOR) == Encoded("", truncated=True)  # type: ignore[arg-type]


class TestSafeKey:
    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("messages", "messages"),
            ("", ""),
            ("a\ud800", "a\\ud800"),
            ("k" * 128, "k" * 128),
            ("k" * 129, "k" * 127 + "…"),
            (7, "7"),
            (1 << 5000, "int of 5001 bits"),
            (True, "True"),
            (None, "None"),
            (1.5, "1.5"),
            ((1, "a", (2,)), "(1, a, tuple[1])"),
            ((1, 2, 3, 4, 5), "(1, 2, 3, 4, …)"),
            (b"abc", "bytes[3]"),
            (Color.RED, "Color.RED"),
            (Mode.FAST, "fast"),
            (frozenset({1}), "frozenset[1]"),
            (object(), "<object>"),
            ("sk" + "-" + "a1" * 12, MASK),
        ],
    )
    def test_keys(self, key: object, expected: str) -> None:
        assert safe_key(key, REDACTOR) == expected


class TestAnyValue:
    @pytest.mark.parametrize("max_bytes", [64, 2048])
    @pytest.mark.parametrize("name", ZOO)
    def test_of_the_zoo(self, name: str, max_bytes: int) -> None:
        value = ZOO[name]()
        for nested in (value, [value], {"a": value}, {"password": value}):
            text, _ = encoded(nested, max_bytes)
            json.loads(text)
            assert len(text.encode()) <= max_bytes
        assert len(safe_key(value, REDACTOR)) <= 128

    @pytest.mark.parametrize("name", ONE_SHOT)
    def test_is_not_consumed(self, name: str) -> None:
        value = ZOO[name]()
        encoded([value, {"a": value}])
        assert not consumed(value)

    def test_that_fails_to_be_read_is_shown_by_its_shape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken(Redactor):
            def is_secret_name(self, name: str) -> bool:
                raise RuntimeError

            def text(self, text: str, seen: SeenSecrets | None = None, key: str | None = None) -> str:
                raise RuntimeError

        monkeypatch.setattr(guard, "reraise", False)
        assert encode({"a": 1}, 100, Broken()) == Encoded('"… dict[1]"', truncated=True)
        assert printed("a", "", 0, 100, Broken()) == Encoded("", truncated=True)
        assert plain("a", 100, Broken()) == Encoded("", truncated=True)
        assert safe_key("a", Broken()) == "<str[1]>"

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(VALUES, st.integers(5, 3000))
    def test_becomes_valid_json_within_the_limit(self, value: Any, max_bytes: int) -> None:
        text, truncated = encoded(value, max_bytes)
        json.loads(text, parse_constant=pytest.fail)
        assert len(text.encode()) <= max_bytes
        assert truncated in (True, False)

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.dictionaries(st.text(alphabet="abcdef", min_size=1), st.lists(st.integers(-9999, 9999)), max_size=8))
    def test_with_enough_room_is_whole(self, value: Any) -> None:
        text, truncated = encoded(value, 1_000_000)
        if all(len(part) <= 64 for part in value.values()):
            assert json.loads(text) == value
            assert not truncated

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(st.sampled_from([form for secret in SECRETS for form in secret.forms] + ["word", "\n"]), max_size=6),
        st.integers(64, 900),
    )
    def test_with_secrets_of_any_kind(self, parts: list[str], max_bytes: int) -> None:
        # Lines of a key between its marks, neither of which is in sight, are nothing but letters.
        text = " ".join(part for part in parts if "-----END" not in part or "-----BEGIN" in part)
        seen = SeenSecrets()
        for secret in SECRETS:
            if secret.how == "seen" and any(part in secret.forms for part in parts):
                REDACTOR.text(secret.value, seen, secret.key)
        shown = encode({"a": text, "b": [text]}, max_bytes, REDACTOR, seen).text
        shown += printed(text, "", 0, max_bytes, REDACTOR, seen).text + plain(text, max_bytes, REDACTOR, seen).text
        assert not [
            secret.name for secret in SECRETS if any(part in secret.forms for part in parts) and secret.value in shown
        ]
