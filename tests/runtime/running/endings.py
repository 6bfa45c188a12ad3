"""What documents of tests of ends name as types."""

import asyncio

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
