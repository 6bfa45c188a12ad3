from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora.secrets import INNOCENT, INNOCENT_KEYS, SECRET_KEYS, SECRETS, Secret
from corpora.zoo import ONE_SHOT, ZOO, consumed
from pocketflow_otel.capture.redaction import MASK, Redactor, SeenSecrets, remember

REDACTOR = Redactor()
BEGIN = "-----BEGIN PRIVATE" + " KEY-----"
END = "-----END PRIVATE" + " KEY-----"


def masked(text: str) -> str:
    return REDACTOR.text(text, SeenSecrets())


def remembering(*texts: str) -> SeenSecrets:
    seen = SeenSecrets()
    for text in texts:
        seen.add(text)
    return seen


class TestNames:
    @pytest.mark.parametrize("name", SECRET_KEYS)
    def test_secret(self, name: str) -> None:
        assert REDACTOR.is_secret_name(name)

    @pytest.mark.parametrize("name", INNOCENT_KEYS)
    def test_innocent(self, name: str) -> None:
        assert not REDACTOR.is_secret_name(name)

    def test_patterns_apply_to_names(self) -> None:
        redactor = Redactor(patterns=["(?i)^patient"])
        assert redactor.is_secret_name("patient_name")
        assert not redactor.is_secret_name("name_of_patient")

    def test_many_and_long_names(self) -> None:
        redactor = Redactor()
        assert not any(redactor.is_secret_name(f"name{number}") for number in range(5000))
        assert redactor.is_secret_name("password")
        assert not redactor.is_secret_name("x" * 1_000_000 + "password")


class TestText:
    @pytest.mark.parametrize(
        ("secret", "form"),
        [pytest.param(s, form, id=f"{s.name}-{n}") for s in SECRETS for n, form in enumerate(s.forms)],
    )
    def test_no_secret_comes_through(self, secret: Secret, form: str) -> None:
        seen = SeenSecrets()
        if secret.how == "seen":
            assert REDACTOR.text(secret.value, seen, secret.key) == MASK
        shown = REDACTOR.text(form, seen)
        assert secret.value not in shown
        assert MASK in shown
        assert REDACTOR.text(shown, seen) == shown

    @pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
    def test_all_of_a_value_under_its_name_is_masked(self, secret: Secret) -> None:
        seen = SeenSecrets()
        expected = MASK if secret.how != "shape" else REDACTOR.text(secret.value, SeenSecrets())
        assert REDACTOR.text(secret.value, seen, secret.key) == expected

    @pytest.mark.parametrize("text", INNOCENT)
    def test_ordinary_text_comes_through(self, text: str) -> None:
        assert masked(text) == text

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("password=hunter2 user=bob", "password=[redacted] user=bob"),
            ('{"api_key": "abcd1234", "n": 1}', '{"api_key": "[redacted]", "n": 1}'),
            ("{'token': b'abcd1234'}", "{'token': b'[redacted]'}"),
            ('{"a": "{\\"password\\": \\"x\\\\\\"y\\"}"}', '{"a": "{\\"password\\": \\"[redacted]\\"}"}'),
            ("postgres://u:hunter2@h:5432/db", "postgres://u:[redacted]@h:5432/db"),
            ("postgres://u:p@ss/w0rd@h:5432/db", "postgres://u:[redacted]@h:5432/db"),
            ("redis://:hunter2@h", "redis://:[redacted]@h"),
            ("https://0123456789abcdef0123@o1.example.com/4", "https://[redacted]@o1.example.com/4"),
            ("/cb?code=1&access_token=abc&state=2", "/cb?code=1&access_token=[redacted]&state=2"),
            ("GET /v1/x?key=AbCdEf0123456789xyz HTTP", "GET /v1/x?key=[redacted] HTTP"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic [redacted]"),
            ("sent Bearer abcdef123456 ok", "sent Bearer [redacted] ok"),
            ("sent Basic dXNlcjpwYXNz ok", "sent Basic [redacted] ok"),
            ("Cookie: a=b; c=d\nHost: x", "Cookie: [redacted]\nHost: x"),
            ("Server=s;Password=p;Database=d", "Server=s;Password=[redacted];Database=d"),
            ("run --password hunter2 --port 3", "run --password [redacted] --port 3"),
            ("run --api-key='a b' x", "run --api-key='[redacted]' x"),
            ("curl -u bob:hunter2 https://x.y", "curl -u bob:[redacted] https://x.y"),
            ("<password>hunter2</password>", "<password>[redacted]</password>"),
            ('<add key="ApiKey" value="abc"/>', '<add key="ApiKey" value="[redacted]"/>'),
            ("[('authorization', 'Bearer abcd')]", "[('authorization', 'Bearer [redacted]')]"),
            ("d['password'] = 'x'", "d['password'] = '[redacted]'"),
            ("password: str = 'x'", "password: str = '[redacted]'"),
            ("db:\n  password: hunter2\n  port: 1", "db:\n  password: [redacted]\n  port: 1"),
            ("password: swordfish, user: bob", "password: [redacted], user: bob"),
            ("the API key is abc123def456.", "the API key is [redacted]."),
            ('"api_keys": ["a1", "b2"], "n": 1', '"api_keys": [redacted], "n": 1'),
            ("A=1\\npassword=abc\\nUSER=x", "A=1\\npassword=[redacted]\\nUSER=x"),
            ("密码\uff1aabc123", "密码\uff1a[redacted]"),
            ('{\\"password\\": \\"abc', '{\\"password\\": \\"[redacted]'),
            ('{\\"password\\": \\"abc\nnext', '{\\"password\\": \\"[redacted]\nnext'),
            ("run --api-key 'a b' x", "run --api-key '[redacted]' x"),
            ("mysql://root:" + "y" * 70, "mysql://root:[redacted]"),
            ("the password is pa$$word!", "the password is [redacted]"),
            ("password=a,b;c&d e", "password=[redacted] e"),
            ("f(password=abc, user=bob)", "f(password=[redacted], user=bob)"),
            (f"{BEGIN}\nMIIa\n{END}", f"{BEGIN}[redacted]{END}"),
            (f"{BEGIN}[redacted]{END}", f"{BEGIN}[redacted]{END}"),
            (f"{BEGIN} and {END} are marks", f"{BEGIN}[redacted]{END} are marks"),
        ],
    )  # fmt: skip
    def test_the_rest_of_the_text_stays(self, text: str, expected: str) -> None:
        assert masked(text) == expected

    def test_each_text_of_a_list_under_a_secrets_name_is_remembered(self) -> None:
        seen = SeenSecrets()
        REDACTOR.text('{"auth": ["first-secret-1", {"note": "second-secret-2"}]}', seen)
        assert seen.mask("first-secret-1 second-secret-2") == "[redacted] [redacted]"

    def test_longer_secret_that_begins_like_one_that_was_seen(self) -> None:
        token = "gh" + "p_" + "a1B2c3D4e5" * 4
        assert REDACTOR.text(f"x {token} y", remembering(token[:25])) == "x [redacted] y"

    def test_what_was_found_is_masked_before_and_after(self) -> None:
        assert masked("abc123def then password=abc123def") == "[redacted] then password=[redacted]"

    def test_what_was_found_is_remembered(self) -> None:
        seen = SeenSecrets()
        REDACTOR.text("postgres://bob:hunter2x@db/app", seen)
        assert REDACTOR.text("tried hunter2x", seen) == "tried [redacted]"

    def test_escaped_and_quoted_secrets_are_remembered_as_they_are(self) -> None:
        seen = SeenSecrets()
        REDACTOR.text(r'{"password": "a\"b\\c d1"}', seen)
        REDACTOR.text("https://u:p%40ssw0rd@host/", seen)
        assert REDACTOR.text('a"b\\c d1 and p@ssw0rd', seen) == "[redacted] and [redacted]"

    def test_parts_of_a_value_under_a_secrets_name_are_remembered(self) -> None:
        seen = SeenSecrets()
        assert REDACTOR.text("postgres://bob:hunter2x@db/app", seen, "connection_string") == MASK
        assert REDACTOR.text("hunter2x", seen) == MASK

    def test_empty_text_under_a_secrets_name_is_no_secret(self) -> None:
        assert REDACTOR.text("", SeenSecrets(), "password") == ""

    @given(st.text(alphabet=st.sampled_from("pasword=:'\"\\ \n[]redct,;&?sk-1aA@/{}<>"), max_size=60))
    def test_masking_twice_is_masking_once(self, text: str) -> None:
        once = REDACTOR.text(text)
        assert REDACTOR.text(once) == once

    @given(
        st.lists(
            st.sampled_from(
                [*(form for secret in SECRETS[::7] for form in secret.forms[:4]), *INNOCENT[::5], MASK, " ", "="]
            ),
            max_size=5,
        )
    )
    def test_masking_a_mixture_twice_is_masking_it_once(self, parts: list[str]) -> None:
        once = REDACTOR.text(" ".join(parts))
        assert REDACTOR.text(once) == once


class TestPatternsAndHook:
    def test_patterns_mask_what_they_match(self) -> None:
        redactor = Redactor(patterns=[r"\bMRN-\d+\b", r"(?i)acme"])
        assert redactor.text("MRN-12345 at Acme") == "[redacted] at [redacted]"

    def test_patterns_leave_masks_alone(self) -> None:
        redactor = Redactor(patterns=[r"\w+"])
        assert redactor.text("a b") == "[redacted] [redacted]"
        assert redactor.text("[redacted] [redacted]") == "[redacted] [redacted]"

    def test_empty_matches_change_nothing(self) -> None:
        assert Redactor(patterns=["x*"]).text("axb") == "a[redacted]b"

    def test_matches_are_remembered(self) -> None:
        seen = SeenSecrets()
        Redactor(patterns=[r"MRN-\d+"]).text("MRN-12345", seen)
        assert seen.mask("a MRN-12345 b") == "a [redacted] b"

    def test_hook_is_told_text_and_key(self) -> None:
        calls: list[tuple[str, str | None]] = []

        def hook(text: str, key: str | None) -> str:
            calls.append((text, key))
            return text.upper()

        redactor = Redactor(hook=hook)
        assert redactor.text("password=hunter2 x", None, "note") == "PASSWORD=[REDACTED] X"
        assert calls == [("password=[redacted] x", "note")]

    @pytest.mark.parametrize("answer", [None, 7, b"text"])
    def test_hook_without_an_answer_masks_the_text(self, answer: Any) -> None:
        assert Redactor(hook=lambda _text, _key: answer).text("text") == MASK

    def test_hook_that_raises_masks_the_text(self) -> None:
        def hook(_text: str, _key: str | None) -> str:
            raise ValueError

        assert Redactor(hook=hook).text("text") == MASK

    def test_what_a_hook_brings_back_is_masked(self) -> None:
        seen = remembering("swordfish-9")
        assert Redactor(hook=lambda text, _key: text + " swordfish-9").text("a", seen) == "a [redacted]"


class TestSeenSecrets:
    def test_empty(self) -> None:
        seen = SeenSecrets()
        assert not seen.known
        assert seen.mask("text") == "text"

    @pytest.mark.parametrize(
        "text",
        ["", "abc12", "admin", "password", "Default", "changeme", "******", "${TOKEN}", MASK, "redacted", "xy" * 4097],
    )
    def test_what_tells_nothing_is_not_remembered(self, text: str) -> None:
        assert not remembering(text).known

    def test_short_secrets_are_masked_as_words(self) -> None:
        seen = remembering("hunter2")
        assert (
            seen.mask("hunter2, (hunter2) hunter23 xhunter2 hunter2_")
            == "[redacted], ([redacted]) hunter23 xhunter2 hunter2_"
        )

    def test_short_secrets_are_masked_after_escapes(self) -> None:
        seen = remembering("hunter2")
        assert (
            seen.mask("a\\nhunter2\\n%3Dhunter2 \\u000ahunter2") == "a\\n[redacted]\\n%3D[redacted] \\u000a[redacted]"
        )

    def test_long_secrets_are_masked_anywhere(self) -> None:
        assert remembering("swordfish1234").mask("xswordfish1234y") == "x[redacted]y"

    def test_secrets_within_secrets(self) -> None:
        assert remembering("abc123", "abc123-def456-ghi").mask("abc123-def456-ghi abc123") == "[redacted] [redacted]"

    def test_surrounding_space_is_no_part_of_a_secret(self) -> None:
        assert remembering(" hunter2\n").mask("hunter2") == MASK

    @given(st.text(min_size=6, max_size=40))
    def test_every_spelling_is_masked(self, secret: str) -> None:
        seen = remembering(secret)
        if not seen.known:
            return
        secret = secret.strip()
        for spelling in (
            secret,
            repr(secret),
            json.dumps(secret),
            json.dumps(secret, ensure_ascii=False),
            quote(secret, errors="replace"),
            quote(secret, safe="", errors="replace"),
            quote_plus(secret, errors="replace"),
        ):
            assert MASK in seen.mask(f"({spelling})")

    @given(st.text(alphabet="abcXYZ012+/é-", min_size=7, max_size=30), st.binary(max_size=4), st.binary(max_size=4))
    def test_base64_is_masked_wherever_it_begins(self, secret: str, before: bytes, after: bytes) -> None:
        seen = remembering(secret)
        if not seen.known:
            return
        data = before + secret.encode() + after
        for coded in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
            if len(coded) >= 12:
                assert MASK in seen.mask(coded)

    def test_no_bit_of_a_secret_is_left_in_base64(self) -> None:
        seen = remembering("swordfish1234")
        for before in (b"", b"u", b"us", b"use"):
            coded = base64.b64encode(before + b"swordfish1234" + b"-after-it").decode()
            shown = seen.mask(coded)
            head, tail = shown.split(MASK)
            assert coded.startswith(head)
            assert coded.endswith(tail)
            assert base64.b64decode(head[: len(head) // 4 * 4]) in before

    def test_at_most_a_thousand_are_remembered(self) -> None:
        seen = remembering(*(f"secret-number-{number:05}" for number in range(1001)))
        assert seen.mask("secret-number-00999") == MASK
        assert seen.mask("secret-number-01000") == "secret-number-01000"

    def test_threads_share_one(self) -> None:
        seen = SeenSecrets()
        names = [[f"secret-{worker}-{number:03}-x" for number in range(50)] for worker in range(4)]

        def work(mine: list[str]) -> None:
            for text in mine:
                seen.add(text)
                assert seen.mask(text) == MASK

        threads = [threading.Thread(target=work, args=(mine,)) for mine in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {seen.mask(text) for mine in names for text in mine} == {MASK}


@pytest.mark.parametrize(
    "part",
    [
        *("a", "=", "token=", "key=key", "password: ", f"{BEGIN}", f"{END}", "x://a:", "redis://u:p/", "sk-", "sk-a-"),
        *("hf_", "eyJaaaaaaaa.", "Bearer aaaaaaaa", " --token x", " -u a:", 'password="\\', "('token', 'a", "<token>"),
        *("?key=aaaaaaaaaaaaaaaa&", '"token": [', "token is ", "AKIA", "token=a(", "token=$a", "token=,,", MASK),
        *("密码:", "%41", "\\", "+/", "token: a b "),
    ],
)
def test_hostile_text_takes_linear_time(part: str) -> None:
    # With one quadratic search among them these texts would take minutes, and the run its time limit.
    text = (part * (100_000 // len(part) + 1))[:100_000]
    assert isinstance(REDACTOR.text(text), str)


class Login(NamedTuple):
    user: str
    password: str


@dataclass
class Settings:
    api_key: str
    model: str


class Slots:
    __slots__ = ("token",)

    def __init__(self) -> None:
        self.token = "slot-secret-1"


class Raising(dict[str, str]):
    def items(self) -> Any:
        raise AssertionError

    def __iter__(self) -> Any:
        raise AssertionError


class TestRemember:
    def remembered(self, value: object, **options: Any) -> SeenSecrets:
        seen = SeenSecrets()
        remember(value, REDACTOR, seen, **options)
        return seen

    @pytest.mark.parametrize(
        ("value", "secret"),
        [
            ({"api_key": "top-secret-1"}, "top-secret-1"),
            ({"a": [{"b": ({"password": "nested-secret-1"},)}]}, "nested-secret-1"),
            ({"password": b"bytes-secret-1"}, "bytes-secret-1"),
            ({"password": bytearray(b"bytes-secret-1")}, "bytes-secret-1"),
            ({"otp": 493817}, "493817"),
            ({"credentials": {"user": "alice-the-user", "data": ["deep-secret-1"]}}, "deep-secret-1"),
            ({"login": Login("bob", "tuple-secret-1")}, "tuple-secret-1"),
            ({"settings": Settings("object-secret-1", "gpt")}, "object-secret-1"),
            ({"settings": SimpleNamespace(token="space-secret-1")}, "space-secret-1"),
            ([Slots()], "slot-secret-1"),
            (Raising(password="subclass-secret-1"), "subclass-secret-1"),
            ([("Authorization", "Bearer pair-secret-1")], "Bearer pair-secret-1"),
            ({"dsn": "postgres://u:inner-secret-1@h/db"}, "inner-secret-1"),
        ],
    )
    def test_secrets_under_their_names(self, value: object, secret: str) -> None:
        assert self.remembered(value).mask(secret) == MASK

    @pytest.mark.parametrize(
        "value",
        [
            {"note": "ordinary text"},
            {"password": None, "token": True, "pin": 12345, "secret": 1.5},
            {"credentials": {"username": "alice-the-user", "host": "db.example.com", "expires": "2024-01-01"}},
            {"max_tokens": 409600},
        ],
    )
    def test_nothing_else(self, value: object) -> None:
        assert not self.remembered(value).known

    def test_the_value_itself_may_be_the_secret(self) -> None:
        assert self.remembered(["whole-secret-1"], secret=True).mask("whole-secret-1") == MASK

    def test_cycles(self) -> None:
        value: dict[str, Any] = {"password": "cyclic-secret-1"}
        value["self"] = value
        value["list"] = [value, value]
        assert self.remembered(value).mask("cyclic-secret-1") == MASK

    def test_only_so_many_items_are_looked_at(self) -> None:
        value = [*range(10), {"password": "distant-secret-1"}]
        assert not self.remembered(value, budget=12).known
        assert self.remembered(value, budget=13)

    @pytest.mark.parametrize("name", ZOO)
    def test_any_value_is_borne(self, name: str) -> None:
        self.remembered(ZOO[name]())
        self.remembered({"password": ZOO[name]()})

    @pytest.mark.parametrize("name", ONE_SHOT)
    def test_nothing_is_consumed(self, name: str) -> None:
        value = ZOO[name]()
        self.remembered({"password": value})
        assert not consumed(value)
