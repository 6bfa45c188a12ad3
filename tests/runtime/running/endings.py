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
    """Connections that nodes were given."""

    connections: list[Any] = []


def hold_connection(reference: str, context) -> None:
    Held.connections.append(context.connection(reference))


def connections_open() -> list[bool]:
    return [not each.client.is_closed for each in Held.connections]
