"""``http.request``: real requests to servers on this machine, and what is said where they fail."""

import asyncio
import json
import socket
import ssl
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from backends.servers import free_port, wait_until
from fixtures.certificates import self_signed
from pocketflow_otel.runtime.connections.http import HttpConnection, HttpSettings
from pocketflow_otel.runtime.nodes.http.errors import HttpError, HttpStatusError
from pocketflow_otel.runtime.nodes.http_request import NODE_TYPE
from runtime.nodes.context import Alone, result_of
from runtime.nodes.serving import Answer, serving


def echo(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
    told = {"method": request.command, "path": request.path, "headers": dict(request.headers), "body": body.decode()}
    return 200, {"Content-Type": "application/json; charset=utf-8", "X-Served": "yes"}, json.dumps(told).encode()


@pytest.fixture
def there() -> Iterator[str]:
    with serving(echo) as host:
        yield f"http://{host}"


async def test_what_came_back_is_given_with_where_from_and_how_long_it_took(context: Alone, there: str) -> None:
    answer = await result_of(NODE_TYPE, context, url=f"{there}/a", params={"q": "x y", "n": [1, 2]}, headers={"A": "b"})
    assert answer["status"] == 200
    assert answer["headers"]["x-served"] == "yes"
    assert answer["url"] == f"{there}/a?q=x+y&n=1&n=2"
    assert 0 < answer["seconds"] < 60
    assert answer["body"]["method"] == "GET"
    assert answer["body"]["path"] == "/a?q=x+y&n=1&n=2"
    assert answer["body"]["headers"]["A"] == "b"


@pytest.mark.parametrize(
    ("config", "kind", "body"),
    [
        ({"json": {"a": [None, "é"]}}, "application/json", '{"a":[null,"é"]}'),
        ({"json": None}, "application/json", "null"),
        ({"form": {"a": "x y", "b": [1, 2]}}, "application/x-www-form-urlencoded", "a=x+y&b=1&b=2"),
        ({"text": "plain"}, None, "plain"),
        ({"bytes": b"raw"}, None, "raw"),
    ],
)
async def test_a_body_is_sent_as_it_was_given(
    context: Alone, there: str, config: dict[str, Any], kind: str | None, body: str
) -> None:
    answer = await result_of(NODE_TYPE, context, url=there, method="post", **config)
    assert answer["body"]["method"] == "POST"
    assert answer["body"]["headers"].get("Content-Type") == kind
    assert answer["body"]["body"] == body


@pytest.mark.parametrize(
    ("kind", "content", "read", "body"),
    [
        ("application/problem+json", b'{"a": 1}', "auto", {"a": 1}),
        ("application/json", b"", "auto", None),
        ("text/html; charset=latin-1", b"\xe9", "auto", "é"),
        ("application/atom+xml", b"<a/>", "auto", "<a/>"),
        ("image/png", b"\x89PNG", "auto", b"\x89PNG"),
        ("text/plain", b"[1]", "json", [1]),
        ("application/json", b"[1]", "text", "[1]"),
        ("application/json", b"[1]", "bytes", b"[1]"),
    ],
)
async def test_a_body_is_read_as_its_type_says_unless_told_otherwise(
    context: Alone, kind: str, content: bytes, read: str, body: object
) -> None:
    with serving(lambda *_: (200, {"Content-Type": kind}, content)) as host:
        assert (await result_of(NODE_TYPE, context, url=f"http://{host}", read=read))["body"] == body


async def test_a_status_that_was_not_expected_is_an_error_with_the_beginning_of_the_body(context: Alone) -> None:
    context.secrets = ("k-123456",)
    with serving(lambda *_: (404, {}, b"no such item\n for k-123456" + b"." * 5000)) as host:
        with pytest.raises(HttpStatusError) as caught:
            await result_of(NODE_TYPE, context, url=f"http://u:pw@{host}/a?api_key=k-123456")
        assert caught.value.status == 404
        said = str(caught.value)
        assert said.startswith(f"GET http://{host}/a: answered 404 Not Found: no such item for ***....")
        assert len(said) < 700
        for expect in (404, "4xx", [200, "4xx"]):
            assert (await result_of(NODE_TYPE, context, url=f"http://{host}/a", expect=expect))["status"] == 404
        with pytest.raises(HttpStatusError):
            await result_of(NODE_TYPE, context, url=f"http://{host}/a", expect=[403, "5xx"])


async def test_no_credentials_of_a_url_are_shown(context: Alone, there: str) -> None:
    with_credentials = there.replace("//", "//user:hunter2@")
    answer = await result_of(NODE_TYPE, context, url=f"{with_credentials}/a?token=t0psecret&q=1#part")
    assert answer["body"]["headers"]["Authorization"].startswith("Basic ")
    assert answer["body"]["path"] == "/a?token=t0psecret&q=1"
    assert not {"user", "hunter2", "t0psecret"} & set(answer["url"].replace("@", "/").split("/"))
    assert "t0psecret" not in answer["url"]
    assert "hunter2" not in answer["url"]
    assert "q=1" in answer["url"]


async def test_a_body_that_is_too_large_is_not_fetched(context: Alone) -> None:
    bomb = zlib.compress(b"\0" * 3_000_000)
    with serving(lambda *_: (200, {"Content-Encoding": "deflate"}, bomb)) as host:
        with pytest.raises(HttpError, match="the body is larger than 1,000,000 bytes, which is as much as max_bytes"):
            await result_of(NODE_TYPE, context, url=f"http://{host}", max_bytes=1_000_000)
        answer = await result_of(NODE_TYPE, context, url=f"http://{host}", max_bytes=3_000_000, read="bytes")
        assert len(answer["body"]) == 3_000_000


async def test_a_body_that_is_not_what_it_is_read_as_is_an_error(context: Alone) -> None:
    with serving(lambda *_: (200, {"Content-Type": "application/json"}, b"<html>oops")) as host:
        with pytest.raises(HttpError, match=r"GET http://.*: the body is not JSON: .*; it begins with '<html>oops'"):
            await result_of(NODE_TYPE, context, url=f"http://{host}")
    with serving(lambda *_: (200, {"Content-Encoding": "gzip"}, b"not gzip")) as host:
        with pytest.raises(HttpError, match="the body is not compressed as its header says"):
            await result_of(NODE_TYPE, context, url=f"http://{host}")


async def test_redirections_are_followed_as_far_as_is_said(context: Alone) -> None:
    def hop(request: BaseHTTPRequestHandler, _: bytes) -> Answer:
        left = int(request.path.removeprefix("/"))
        return (302, {"Location": f"/{left - 1}"}, b"") if left else (200, {}, b"here")

    with serving(hop) as host:
        answer = await result_of(NODE_TYPE, context, url=f"http://{host}/3", redirects=3)
        assert (answer["body"], answer["url"]) == ("here", f"http://{host}/0")
        with pytest.raises(HttpError, match="redirected more than 2 times"):
            await result_of(NODE_TYPE, context, url=f"http://{host}/3", redirects=2)
        answer = await result_of(NODE_TYPE, context, url=f"http://{host}/3", redirects=0, expect=302)
        assert answer["headers"]["location"] == "/2"


@pytest.mark.parametrize("access", [{"bearer": "b" * 9}, {"basic": {"user": "u", "password": "t0psecret"}}])
async def test_what_gives_access_does_not_go_along_to_another_server(
    context: Alone, there: str, access: dict[str, Any]
) -> None:
    with serving(lambda *_: (307, {"Location": f"{there}/b"}, b"")) as host:
        settings = {"base_url": f"http://{host}", "headers": {"X-Tenant": "t"}, **access}
        connection = HttpConnection(HttpSettings.model_validate(settings), context.base)
        context.connections = {"@http.api": connection}
        headers = {"X-Api-Key": "k", "Cookie": "session=1", "X-Trace": "1"}
        answer = await result_of(NODE_TYPE, context, connection="@http.api", url="/a", headers=headers)
        await connection.aclose()
    sent = {name.lower() for name in answer["body"]["headers"]}
    assert answer["url"] == f"{there}/b"
    assert not {"authorization", "x-tenant", "x-api-key", "cookie"} & sent
    assert "x-trace" in sent


async def test_a_connection_brings_its_base_and_headers_and_keeps_them_to_itself(context: Alone, there: str) -> None:
    settings = HttpSettings.model_validate({"base_url": f"{there}/v1", "bearer": "t0psecret"})
    connection = HttpConnection(settings, context.base)
    context.connections = {"@http.api": connection}
    answer = await result_of(NODE_TYPE, context, connection="@http.api", url="items")
    assert answer["body"]["path"] == "/v1/items"
    assert answer["body"]["headers"]["Authorization"] == "Bearer t0psecret"
    with pytest.raises(HttpError) as caught:
        await result_of(NODE_TYPE, context, connection="@http.api", url="http://elsewhere.example/items")
    assert str(caught.value) == (
        f"url 'http://elsewhere.example/items': @http.api is for {there}/v1/: its credentials stay there"
    )
    await connection.aclose()


async def test_who_can_not_be_reached_is_told_in_a_sentence(context: Alone, there: str, tmp_path: Path) -> None:
    port = free_port()

    async def said(url: str, **config: Any) -> tuple[str, str]:
        with pytest.raises(HttpError) as caught:
            await result_of(NODE_TYPE, context, url=url, **config)
        return type(caught.value).__name__, str(caught.value)

    assert await said(f"http://u:p@127.0.0.1:{port}/a?key=1") == (
        "HttpConnectionError",
        f"GET http://127.0.0.1:{port}/a: nothing listens at 127.0.0.1:{port}",
    )
    assert await said("http://no-such-host.invalid/") == (
        "HttpConnectionError",
        "GET http://no-such-host.invalid/: the host 'no-such-host.invalid' is not known",
    )
    assert await said("ftp://a/b") == (
        "HttpError",
        "url 'ftp://a/b': expected http://HOST or https://HOST, or a connection with a base_url",
    )
    assert (await said("/items"))[1].startswith("url '/items': expected http://HOST")
    assert (await said("http://u:secret@a:b/"))[1].startswith("url 'http://a:b/': ")
    assert (await said("http://a/", headers={"A": "é€"}))[1].startswith("GET http://a/: it can't be sent: ")
    text = f"GET {there}: a header has characters that no header may have"
    assert await said(there, headers={"A": "hunter2\nB: c"}) == ("HttpConnectionError", text)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*self_signed(tmp_path))
    with serving(echo, tls) as host:
        kind, text = await said(f"https://{host}/")
        assert kind == "HttpConnectionError"
        assert text.startswith(f"GET https://{host}/: the certificate of {host} is not trusted: self")
    with serving(echo) as host:
        assert (await said(f"https://{host}/"))[1].startswith(f"GET https://{host}/: no TLS with {host}: ")


async def test_an_answer_that_does_not_come_in_time_is_an_error(context: Alone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(HttpError, match=r"GET .*: no complete answer within 0\.2 s"):
            await result_of(NODE_TYPE, context, url=url, timeout=0.2)


async def test_an_answer_that_breaks_off_is_an_error(context: Alone) -> None:
    with serving(lambda *_: (200, {"Content-Length": "100"}, b"short")) as host:
        with pytest.raises(HttpError, match=f"the connection to {host} broke before the answer was complete"):
            await result_of(NODE_TYPE, context, url=f"http://{host}")


async def test_cancelling_closes_the_connection(context: Alone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        task = asyncio.ensure_future(result_of(NODE_TYPE, context, url=url))
        connection, _ = await asyncio.to_thread(silent.accept)
        with connection:
            connection.settimeout(20)
            await asyncio.to_thread(connection.recv, 10_000)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            wait_until(lambda: connection.recv(1) == b"")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"json": 1, "text": "x"}, "expected one body, not json and text"),
        ({"expect": "20x"}, "expect"),
        ({"expect": 99}, "expect"),
        ({"method": "GET /"}, "method"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_what_can_be_told_before_it_is_sent(config: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NODE_TYPE.config.model_validate({"url": "http://a", **config})
