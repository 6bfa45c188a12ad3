"""Clients for one server: one for threads and one for an event loop, each made when first asked for."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable


class _Closed(Protocol):
    def close(self) -> object: ...


Client = TypeVar("Client", bound=_Closed)
AsyncClient = TypeVar("AsyncClient")


class Clients(ABC, Generic[Client, AsyncClient]):
    """The base of connections that are a client library's clients."""

    def __init__(self) -> None:
        # Threads may ask at once, and a client too many would never be closed.
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._async_client: AsyncClient | None = None

    @abstractmethod
    def _make(self) -> Client:
        """Makes the client for threads."""

    @abstractmethod
    def _make_async(self) -> AsyncClient:
        """Makes the client for an event loop."""

    @abstractmethod
    def _end(self, client: AsyncClient) -> Awaitable[object]:
        """Closes that for an event loop."""

    @property
    def client(self) -> Client:
        """A client for threads."""
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    @property
    def async_client(self) -> AsyncClient:
        """A client for one event loop."""
        with self._lock:
            if self._async_client is None:
                self._async_client = self._make_async()
            return self._async_client

    def close(self) -> None:
        """Closes the client for threads; the other one's connections end with their event loop."""
        if self._client is not None:
            self._client.close()

    async def aclose(self) -> None:
        """Closes both clients."""
        self.close()
        if self._async_client is not None:
            await self._end(self._async_client)
