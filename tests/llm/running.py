"""Runs programs described in `llm.flows` with the vendors' clients."""

import asyncio
import itertools
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Any, Final

from fixtures.llm_vendors import Vendor, VendorServer, async_call, async_client, call, client, directive
from llm.flows import Ask, Flow, Node, Step
from llm.journal import Answer, FailedError, Journal, Place
from llm.members import CLASSES
from pocketflow_otel import carry

_labels: Final = itertools.count()


class Program:
    """A program while it runs once.

    Args:
        plan: Its description.
        server: What its clients call.
        clients: The synchronous clients.
    """

    def __init__(self, plan: Flow, server: VendorServer, clients: dict[Vendor, Any]) -> None:
        self.journal = Journal()
        self._plan = plan
        self._server = server
        self._clients = clients
        self._async_clients: dict[Vendor, Any] = {}

    def run(self) -> None:
        """Runs it to its end, be it by an error."""
        root = self.built(self._plan)
        root.set_params({"at": ()})
        with warnings.catch_warnings():
            # PocketFlow's, of actions that lead nowhere.
            warnings.simplefilter("ignore")
            try:
                asyncio.run(self._run_async(root)) if self._plan.kind.startswith("Async") else root.run({})
            except FailedError:
                pass

    async def _run_async(self, root: Any) -> None:
        async with AsyncExitStack() as stack:
            for vendor in self._clients:
                self._async_clients[vendor] = await stack.enter_async_context(
                    async_client(vendor, self._server, max_retries=1)
                )
            await root.run_async({})

    def built(self, plan: Node | Flow) -> Any:
        """The node or flow of a description."""
        made = CLASSES[plan.kind]()
        made.plan, made.program, made.name = plan, self, plan.name
        if isinstance(plan, Node):
            made.max_retries = plan.max_retries
            return made
        members = [self.built(member) for member in plan.members]
        made.start(members[0])
        for one, following in itertools.pairwise(members):
            one.next(following)
        for member, described in zip(members, plan.members, strict=True):
            if isinstance(described, Node) and described.back:
                member.next(members[0], "back")
        return made

    # Calls.

    def take(self, step: Step, at: Place) -> list[Answer]:
        """Makes the calls of a step."""
        if step.manner != "threads":
            return [self._ask(ask, at) for ask in step.asks]
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(carry(self._ask), step.asks, itertools.repeat(at)))

    async def take_async(self, step: Step, at: Place) -> list[Answer]:
        """Makes the calls of a step of an async method."""
        if step.manner == "gather":
            return await asyncio.gather(*(self._ask_async(ask, at) for ask in step.asks))
        if step.manner == "threads":
            return await asyncio.gather(*(asyncio.to_thread(self._ask, ask, at) for ask in step.asks))
        if step.manner == "blocking":
            return [self._ask(ask, at) for ask in step.asks]
        return [await self._ask_async(ask, at) for ask in step.asks]

    def _ask(self, ask: Ask, at: Place) -> Answer:
        label = self._labelled(at)
        try:
            return Answer(label, call(ask.vendor, self._clients[ask.vendor], _prompt(ask, label), **_options(ask)))
        except Exception as error:
            if ask.error is None or not ask.lasting:
                raise  # nobody asked for it
            return Answer(label, None, error)

    async def _ask_async(self, ask: Ask, at: Place) -> Answer:
        label, asked = self._labelled(at), self._async_clients[ask.vendor]
        try:
            return Answer(label, await async_call(ask.vendor, asked, _prompt(ask, label), **_options(ask)))
        except Exception as error:
            if ask.error is None or not ask.lasting:
                raise  # nobody asked for it
            return Answer(label, None, error)

    def _labelled(self, at: Place) -> str:
        label = f"call-{next(_labels)}"
        self.journal.made[label] = at
        return label


def sync_clients(server: VendorServer, stack: ExitStack) -> dict[Vendor, Any]:
    """A client of each vendor, which tries twice, until a stack of contexts is closed."""
    vendors: tuple[Vendor, ...] = ("openai", "anthropic", "google")
    return {vendor: stack.enter_context(client(vendor, server, max_retries=1)) for vendor in vendors}


def _prompt(ask: Ask, label: str) -> str:
    times = None if ask.lasting or ask.error is None else 1
    return directive(usage=ask.usage, label=label, error=ask.error, times=times, reports_usage=ask.tells_usage)


def _options(ask: Ask) -> dict[str, Any]:
    return {
        "model": ask.model,
        "operation": ask.operation,
        "stream": ask.stream,
        "include_usage": ask.include_usage,
    }
