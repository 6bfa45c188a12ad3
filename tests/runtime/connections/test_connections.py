"""Connections: what their settings may say, when they are opened, and that all are closed."""

import asyncio
import os
import subprocess
import sys
import threading
from importlib.metadata import EntryPoint

import httpx
import openai
import pytest
from pydantic import SecretStr

from corpora.secrets import SECRETS
from fixtures.loopback import Reply, over_http
from instrumentation.leaks import leaks
from pocketflow_otel.runtime.connections import families as families_module
from pocketflow_otel.runtime.connections.errors import ConnectionFailed, UnknownConnection
from pocketflow_otel.runtime.connections.families import Families, Family
from pocketflow_otel.runtime.connections.opened import Connections
from pocketflow_otel.runtime.connections.settings import check_settings
from pocketflow_otel.runtime.documents.model import Part
from pocketflow_otel.runtime.secrets import Environment, Secrets


class NoteSettings(Part):
    """Settings of the family that these tests install."""

    key: SecretStr
    place: str = "here"
    number: int = 1


class Note:
    """Notes what is done with it."""

    def __init__(self, settings, base):
        self.settings = settings
        self.base = base
        self.closed = 0
        OPENED.append(self)
        if settings.place == "nowhere":
            raise OSError(f"no {settings.place} with {settings.key.get_secret_value()}")

    def close(self):
        self.closed += 1
        CLOSED.append(self)
        if self.settings.place == "sticky":
            raise OSError(f"it sticks, {self.settings.key.get_secret_value()}")


class NoteWithLoop(Note):
    async def aclose(self):
        await asyncio.sleep(0)
        self.close()


OPENED = []
CLOSED = []
FAMILY = Family("note", "Notes.", NoteSettings, Note)
LOOP_FAMILY = Family("loop", "Notes in a loop.", NoteSettings, NoteWithLoop)
NO_FAMILY = object()


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    group = families_module.ENTRY_POINTS
    here = {"note": "FAMILY", "loop": "LOOP_FAMILY", "wrong": "NO_FAMILY", "absent": "NOTHING"}
    entries = {name: EntryPoint(name, f"{__name__}:{value}", group) for name, value in here.items()}
    monkeypatch.setattr(families_module, "_installed", lambda: entries)
    OPENED.clear()
    CLOSED.clear()


def connections(definitions, environ=None, **others):
    secrets = Secrets()
    return Connections(
        definitions, Families(), Environment(environ or {"KEY": "swordfish-9"}, secrets), secrets, **others
    )


def note(**settings):
    return {"key": "${env.KEY}", **settings}


@pytest.mark.parametrize(
    ("name", "settings", "path", "said", "near"),
    [
        ("opnai.main", {}, (), "no family of connections 'opnai'; there are absent, duckdb, http", "openai"),
        ("absent.a", {}, (), "can't be imported: AttributeError", None),
        ("wrong.a", {}, (), "is no Family", None),
        ("note.a", {}, (), "the field 'key' is missing", None),
        ("note.a", note(plase="x"), ("plase",), "no field here; there are key, place, number", "place"),
        ("note.a", note(number="x"), ("number",), "expected a whole number", None),
        ("note.a", note(place="${"), ("place",), "a name was expected", None),
        ("note.a", note(place="${fetch.url}"), ("place",), "refer to env and inputs only", None),
        ("note.a", note(place="${enw.URL}"), ("place",), "refer to env and inputs only", "env"),
        ("note.a", {"key": "swordfish-9"}, ("key",), "give it as ${env.NOTE_KEY}", None),
        ("note.a", {"key": "${env.KEY ?? 'swordfish-9'}"}, ("key",), "a secret has no place in a document", None),
        ("note.a", note(place="https://ada:swordfish-9@h/"), ("place",), "is, or holds, a secret", None),
        ("note.a", note(place="https://ada:swordfish-9@${env.HOST}/"), ("place",), "beside its references", None),
        ("http.a", {"headers": {"X-Api-Key": "swordfish-9"}}, ("headers", "X-Api-Key"), "holds, a secret", None),
        ("http.a", {"basic": {"user": "ada", "password": "swordfish-9"}}, ("basic", "password"), "no place", None),
        ("http.a", {"basic": {"user": "a", "passwort": "${env.P}"}}, ("basic", "passwort"), "no field", "password"),
        ("http.a", {"base_url": "ftp://x"}, ("base_url",), "expected http://HOST", None),
        ("openai.a", {"api_key": "${env.K}", "timeout": -1}, ("timeout",), "more than 0", None),
    ],
)
def test_what_is_wrong_with_settings_is_told_before_anything_runs(name, settings, path, said, near):
    ((at, sentence, nearest),) = check_settings(name, settings)
    assert (at, nearest) == (path, near)
    assert said in sentence
    assert "swordfish" not in sentence


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("note.a", note(number="${inputs.n}", place="in ${env.HOME}")),
        ("http.a", {}),
        ("http.a", {"headers": {"Authorization": "Bearer ${env.TOKEN}", "Accept": "text/html"}}),
        ("http.a", {"base_url": "https://${env.USER}:${env.PW}@h/", "verify": False, "timeout": 3}),
        ("openai.a", {"base_url": "http://127.0.0.1:8000/v1"}),
    ],
)
def test_settings_that_are_right_give_no_complaint(name, settings):
    assert check_settings(name, settings) == []


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_no_message_holds_a_secret(secret):
    messages = [str(found) for found in check_settings("note.a", {"key": secret.value, "number": secret.value})]
    opened = connections(
        {
            "note.nowhere": note(place="nowhere"),
            "note.wrong": note(number="${env.KEY}"),
            "note.missing": note(place="${inputs.x}"),
            "note.sticky": note(place="sticky"),
        },
        {"KEY": secret.value},
    )
    for name in ("nowhere", "wrong", "missing"):
        with pytest.raises(ConnectionFailed) as caught:
            opened.get(f"@note.{name}")
        messages.append(str(caught.value))
        assert caught.value.__cause__ is None
    opened.get("@note.sticky")
    messages += opened.close()
    assert len(messages) >= 5
    assert leaks({"messages": "\n".join(messages).encode()}, secret.value) == {}


def test_a_connection_is_opened_when_first_asked_for_and_once_for_all(tmp_path):
    opened = connections(
        {"note.a": note(place="${inputs.where}"), "note.b": note()}, inputs={"where": "X"}, base=tmp_path
    )
    assert OPENED == []
    start, found = threading.Barrier(8), []

    def ask():
        start.wait()
        found.append(opened.get("@note.a"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == len(OPENED) == 1
    assert (found[0].settings.place, found[0].settings.key.get_secret_value()) == ("X", "swordfish-9")
    assert found[0].base == tmp_path


def test_what_failed_to_open_is_tried_again():
    where = {"where": "nowhere"}
    opened = connections({"note.a": note(place="${inputs.where}")}, inputs=where)
    with pytest.raises(ConnectionFailed, match=r"@note.a: it can't be opened: OSError: no nowhere"):
        opened.get("@note.a")
    with pytest.raises(ConnectionFailed):
        opened.get("@note.a")
    assert len(OPENED) == 2


def test_a_variable_that_is_not_set_is_told_with_the_field():
    with pytest.raises(ConnectionFailed, match=r"@note.a: key: env.KEE has no value.*did you mean 'KEY'"):
        connections({"note.a": {"key": "${env.KEE}"}}).get("@note.a")


@pytest.mark.parametrize(
    ("reference", "said"),
    [("@note.b", "did you mean '@note.a'"), ("note.a", "expected @family.alias"), ("@x", "there are: @note.a")],
)
def test_a_connection_that_is_not_defined_is_told_with_those_that_are(reference, said):
    with pytest.raises(UnknownConnection, match=said):
        connections({"note.a": note()}).get(reference)


def test_all_are_closed_the_last_first_even_if_one_fails():
    opened = connections({"note.a": note(), "note.b": note(place="sticky"), "note.c": note()})
    first, second, third = (opened.get(f"@note.{name}") for name in "abc")
    assert opened.close() == ["@note.b: it can't be closed: OSError: it sticks, [redacted]"]
    assert [third, second, first] == CLOSED
    assert opened.close() == []
    with pytest.raises(ConnectionFailed, match="closed its connections"):
        opened.get("@note.a")


def test_what_is_being_opened_while_others_are_closed_is_closed_too(monkeypatch):
    entered, go = threading.Event(), threading.Event()

    class Slow(Note):
        def __init__(self, settings, base):
            entered.set()
            assert go.wait(10)
            super().__init__(settings, base)

    monkeypatch.setitem(families_module._installed(), "slow", EntryPoint("slow", "x:y", "g"))
    monkeypatch.setattr(families_module, "_loaded", lambda _: Family("slow", "Slow.", NoteSettings, Slow))
    opened = connections({"slow.a": note()})
    opening = threading.Thread(target=opened.get, args=["@slow.a"])
    opening.start()
    assert entered.wait(10)
    closing = threading.Thread(target=opened.close)
    closing.start()
    go.set()
    opening.join()
    closing.join()
    assert [each.closed for each in OPENED] == [1]


async def test_in_an_event_loop_what_can_be_closed_there_is():
    opened = connections({"note.a": note(), "loop.b": note(place="sticky")})
    opened.get("@note.a"), opened.get("@loop.b")
    assert await opened.aclose() == ["@loop.b: it can't be closed: OSError: it sticks, [redacted]"]
    assert [each.closed for each in CLOSED] == [1, 1]


def answering(seen):
    def answer(posted):
        seen.append(posted)
        return Reply(200, b"{}")

    return answer


async def test_http_sends_what_the_connection_says():
    seen = []
    with over_http(answering(seen)) as place:
        url = f"http://{place}"
        opened = connections(
            {
                "http.bearer": {"base_url": url, "bearer": "${env.KEY}", "headers": {"X-From": "ada"}},
                "http.basic": {"base_url": url, "basic": {"user": "ada", "password": "${env.KEY}"}},
            }
        )
        bearer, basic = opened.get("@http.bearer"), opened.get("@http.basic")
        assert isinstance(bearer.client, httpx.Client)
        bearer.client.post("/x")
        await bearer.async_client.post("/y")
        await basic.async_client.post("/z")
        assert await opened.aclose() == []
        assert bearer.client.is_closed
        assert bearer.async_client.is_closed
    headers = [{name.lower(): value for name, value in posted.headers.items()} for posted in seen]
    assert [each["authorization"] for each in headers] == [
        "Bearer swordfish-9",
        "Bearer swordfish-9",
        "Basic YWRhOnN3b3JkZmlzaC05",
    ]
    assert headers[0]["x-from"] == "ada"


def test_http_trusts_the_authorities_of_a_file_which_has_to_be_there(tmp_path):
    with pytest.raises(ConnectionFailed, match="there is no file"):
        connections({"http.a": {"verify": "ca.pem"}}, base=tmp_path).get("@http.a")


async def test_openai_gives_clients_that_try_nothing_again():
    opened = connections({"openai.a": {"base_url": "http://127.0.0.1:9/v1", "api_key": "${env.KEY}", "project": "p"}})
    connection = opened.get("@openai.a")
    assert isinstance(connection.client, openai.OpenAI)
    assert isinstance(connection.async_client, openai.AsyncOpenAI)
    for client in (connection.client, connection.async_client):
        assert (client.api_key, client.project, client.max_retries) == ("swordfish-9", "p", 0)
        assert str(client.base_url) == "http://127.0.0.1:9/v1/"
    assert await opened.aclose() == []
    assert connection.client.is_closed()
    assert connection.async_client.is_closed()


@pytest.mark.parametrize("name", ["http.a", "openai.a"])
@pytest.mark.parametrize("kind", ["client", "async_client"])
def test_threads_that_ask_at_once_share_a_client(name, kind):
    connection = connections({name: {"base_url": "http://127.0.0.1:9/v1"}}).get(f"@{name}")
    at_once, given = threading.Barrier(8), []

    def ask():
        at_once.wait()
        given.append(getattr(connection, kind))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in given}) == 1
    connection.close()


def test_openai_takes_no_key_from_the_environment_by_itself(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "swordfish-9")
    opened = connections({"openai.a": {"base_url": "http://127.0.0.1:9/v1"}})
    assert opened.get("@openai.a").client.api_key == "none"
    assert opened.close() == []


PLUG_IN = """
from pocketflow_otel.runtime.connections.families import Family
from pocketflow_otel.runtime.documents.model import Part

class Settings(Part):
    place: str = "here"

FAMILY = Family("shelf", "A shelf.", Settings, print)
"""


def test_an_installed_package_adds_a_family(tmp_path):
    (tmp_path / "shelves.py").write_text(PLUG_IN)
    (tmp_path / "shelves-1.0.dist-info").mkdir()
    (tmp_path / "shelves-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shelves\nVersion: 1.0\n")
    entries = "[pocketflow_otel.connections]\nshelf = shelves:FAMILY\n"
    (tmp_path / "shelves-1.0.dist-info" / "entry_points.txt").write_text(entries)
    program = (
        "from pocketflow_otel.runtime.connections.families import Families\n"
        "families = Families()\n"
        "print('shelf' in families.names(), families.get('shelf').summary)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert ran.stdout == "True A shelf.\n"
