"""What documents of tests of ends name as types."""

import asyncio
from typing import Any

import pocketflow

from runtime.running.things import Large


class Replacement(pocketflow.Node):
    def post(self, shared, prep_res, exec_res):
        shared["text"] = "instead"


def begin_long() -> object:
    """Gives a coroutine, and is no coroutine function."""
    return asyncio.sleep(60)


async def make_large_async() -> Large:
    return Large()


class Held:
    """Clients of connections that nodes were given."""

    clients: list[Any] = []


def hold_connection(reference: str, context) -> None:
    Held.clients.append(context.connection(reference).client)


def connections_open() -> list[bool]:
    return [not client.is_closed for client in Held.clients]


class Deletes(pocketflow.Node):
    def prep(self, shared):
        del shared["lang"]
