"""TLS as the standard variables have it: whom to trust, and who we are."""

import ssl
from pathlib import Path

import grpc
import pytest
import requests

from fixtures.certificates import self_signed
from pocketflow_otel.sending.answers import Accepted, Unreachable
from pocketflow_otel.sending.destination import resolve
from pocketflow_otel.sending.messages import request_of
from sending.scripted import GRPC, HTTP, JSON, over_grpc, over_http

PROTOCOLS = (HTTP, JSON, GRPC)


@pytest.fixture(scope="module")
def identity(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for this machine that only it vouches for, and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


def serving(protocol, identity, *, asks_who: bool):
    certificate, key = identity
    if protocol != GRPC:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if asks_who:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificate)
        return over_http(tls=context)
    pair = (key.read_bytes(), certificate.read_bytes())
    roots = certificate.read_bytes() if asks_who else None
    return over_grpc(credentials=grpc.ssl_server_credentials([pair], roots, asks_who))


def send(server, protocol, **files):
    environ = {f"OTEL_EXPORTER_OTLP_{name}": str(path) for name, path in files.items()}
    transport = resolve(server.endpoint, protocol, environ=environ).connect()
    try:
        return transport.send(request_of([]))
    finally:
        transport.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_is_trusted_gets_spans_and_no_other(protocol, identity, monkeypatch):
    # Many machines have it set for all programs.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", requests.certs.where())
    with serving(protocol, identity, asks_who=False) as server:
        assert send(server, protocol, CERTIFICATE=identity[0]) == Accepted()
        refused = send(server, protocol)
    assert isinstance(refused, Unreachable)
    assert "CERTIFICATE_VERIFY_FAILED" in refused.reason
    assert len(server.requests) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_asks_who_we_are_is_told(protocol, identity):
    certificate, key = identity
    with serving(protocol, identity, asks_who=True) as server:
        known = send(server, protocol, CERTIFICATE=certificate, CLIENT_CERTIFICATE=certificate, CLIENT_KEY=key)
        unknown = send(server, protocol, CERTIFICATE=certificate)
    assert known == Accepted()
    assert not isinstance(unknown, Accepted)
    assert len(server.requests) == 1
