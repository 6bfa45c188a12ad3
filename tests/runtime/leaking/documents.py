"""Documents that put a secret wherever one may come from, and whose nodes show it in every way."""

from typing import Any

from runtime.leaking.refusing import Refusing

HERE = "runtime.leaking.careless"


def connections(secret: str, servers: Refusing) -> dict[str, Any]:
    """Connections of every family; the secret is a reference."""
    user = {"host": "127.0.0.1", "user": "ada", "password": secret, "timeout": 5}
    http = f"http://{servers.http}"
    return {
        "http.headers": {"base_url": http, "headers": {"X-Api-Key": secret, "Cookie": f"sid={secret}"}},
        "http.bearer": {"base_url": http, "bearer": secret},
        "http.basic": {"base_url": http, "basic": {"user": "ada", "password": secret}},
        "http.url": {"base_url": f"http://ada:{secret}@{servers.http}"},
        "http.wrong": {"base_url": secret},
        "openai.main": {"base_url": f"{http}/v1", "api_key": secret, "headers": {"X-Also": secret}},
        "openai.wrong": {"base_url": secret, "api_key": secret},
        "postgres.main": {**user, "port": servers.postgres, "database": secret, "tls": "disable"},
        "postgres.wrong": {**user, "port": 1, "database": secret, "tls_authorities": secret, "tls": "verify-full"},
        "mysql.main": {**user, "port": servers.mysql, "database": secret},
        "mysql.wrong": {**user, "port": 1, "database": secret},
        "sqlite.wrong": {"path": f"nowhere/{secret}/x.sqlite"},
        "duckdb.wrong": {"path": f"nowhere/{secret}/x.duckdb"},
    }


def refused_nodes(secret: str, servers: Refusing) -> dict[str, Any]:
    """Nodes that servers refuse, or that can't reach one, and say so."""

    def request(connection: str, **config: Any) -> dict[str, Any]:
        return {"type": "http.request", "with": {"url": "/login", "connection": connection, **config}}

    def query(connection: str) -> dict[str, Any]:
        return {"type": "sql.query", "with": {"sql": "SELECT 1", "connection": connection}}

    def chat(connection: str) -> dict[str, Any]:
        return {"type": "llm.chat", "with": {"connection": connection, "model": "m", "prompt": f"say {secret}"}}

    return {
        "headers": request("@http.headers", headers={"X-More": secret}, params={"key": secret}),
        "bearer": request("@http.bearer", json={"secret": secret}),
        "basic": request("@http.basic"),
        "by_url": request("@http.url"),
        "by_wrong": request("@http.wrong"),
        "userinfo": {"type": "http.request", "with": {"url": f"http://ada:{secret}@{servers.http}/?token={secret}"}},
        "nowhere": {"type": "http.request", "with": {"url": f"http://127.0.0.1:{secret}/"}},
        "chat": chat("@openai.main"),
        "chat_wrong": chat("@openai.wrong"),
        **{f"query_{each}": query(f"@{each}.wrong") for each in ("sqlite", "duckdb", "postgres", "mysql")},
        "query_pg": query("@postgres.main"),
        "query_my": query("@mysql.main"),
    }


def quoting_nodes(secret: str) -> dict[str, Any]:
    """Nodes that fail with errors that quote what they were given."""
    return {
        "file": {"type": "file.read", "with": {"path": f"nowhere/{secret}"}},
        "refused": {"type": f"{HERE}:refuse", "with": {"secret": secret}},
        "refused_input": {"type": f"{HERE}:refuse", "with": {"secret": "${inputs.given}"}},
        "misfit": {"type": "http.request", "with": {"url": "http://127.0.0.1:1", "max_bytes": secret}},
        "no_list": {"type": "map", "with": {"over": secret, "do": {"x": {"type": "template", "with": {"text": "x"}}}}},
    }


def showing_nodes(secret: str) -> dict[str, Any]:
    """Nodes that succeed, and show it."""
    return {
        "shown": {"type": f"{HERE}:show", "with": {"secret": secret}},
        "in_loop": {"type": f"{HERE}:show_in_loop", "with": {"secret": "${inputs.given}"}},
        "kept": {"type": f"{HERE}:Keeps", "with": {"secret": secret}, "reads": {"seen": secret}},
        "stored": {"type": "set", "with": {"values": {"key": secret, "held": [f"in {secret}"]}}},
        "text": {"type": "template", "with": {"text": f"<{secret}>"}},
        "shout": {"type": "template", "with": {"text": "${inputs.nested.inside[0]}"}, "action": secret},
        "query": {
            "type": "sql.query",
            "with": {"sql": "SELECT $s AS s", "parameters": {"s": secret}, "tables": {}, "fetch": 5},
        },
        "each": {
            "type": "map",
            "with": {
                "over": [secret, "${shown.secret}"],
                "do": {"one": {"type": f"{HERE}:show", "with": {"secret": "${item}"}}},
            },
        },
    }


def document(secret: str, servers: Refusing | None, *, fails: bool) -> dict[str, Any]:
    """A document.

    Args:
        secret: A reference to the secret.
        servers: Who refuses it; without them there are no connections.
        fails: Whether its run fails at the end; else it is degraded, for much in it does.
    """
    failing = quoting_nodes(secret) | (refused_nodes(secret, servers) if servers else {})
    said = {"type": "template", "with": {"text": "it said: ${error.message}"}}
    nodes = {node: {**spec, "on_error": f"after_{node}", "retry": {"tries": 2}} for node, spec in failing.items()}
    nodes |= showing_nodes(secret)
    if fails:
        nodes["done"] = {"type": "template", "with": {"text": "x"}, "undo": "back"}
        nodes["last"] = {"type": f"{HERE}:refuse", "with": {"secret": secret}, "needs": [*nodes]}
        nodes["back"] = {"type": f"{HERE}:refuse", "with": {"secret": secret}}
    return {
        "workflow": "careless",
        "inputs": {"given": {"type": "text", "secret": True}, "nested": {"type": "object", "secret": True}},
        "connections": connections(secret, servers) if servers else {},
        "nodes": nodes | {f"after_{node}": said for node in failing},
        "outputs": {"all": ["${shown}", "${kept}", "${text}", "${each}", "${refused}"], "secret": secret},
    }
