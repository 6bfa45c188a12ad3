"""The connections of a run: each is opened when first asked for, and all are closed at its end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.runtime.connections.errors import ConnectionFailed, UnknownConnection
from pocketflow_otel.runtime.documents.faults import nearest
from pocketflow_otel.runtime.expressions.errors import MissingValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.runtime.connections.families import Families
    from pocketflow_otel.runtime.secrets import Environment, Secrets

_CLOSED: Final = "the run has closed its connections"


class Connections:
    """The connections that a document defines. Threads may share them.

    Args:
        definitions: Settings by ``family.alias``, references unresolved.
        families: The families there are.
        environment: What ``${env.X}`` gives.
        secrets: Where secrets are told.
        inputs: What ``${inputs.x}`` gives.
        base: The folder at which relative paths begin.
    """

    def __init__(
        self,
        definitions: Mapping[str, Mapping[str, Any]],
        families: Families,
        environment: Environment,
        secrets: Secrets,
        *,
        inputs: Mapping[str, Any] | None = None,
        base: Path | None = None,
    ) -> None:
        self._definitions = definitions
        self._families = families
        self._known: dict[str, Any] = {"env": environment, "inputs": dict(inputs or {})}
        self._secrets = secrets
        self._base = Path.cwd() if base is None else base
        # One lock each: what takes long to open keeps only those waiting who want the same.
        self._locks = {name: threading.Lock() for name in definitions}
        self._opened: dict[str, Any] = {}
        self._closed = False

    def get(self, reference: str) -> Any:
        """What a connection's family gives, opened once for all who ask. What failed to open is tried again.

        Args:
            reference: ``@family.alias``.

        Raises:
            UnknownConnection: The document defines no such connection.
            ConnectionFailed: It can't be opened; or the run has closed its connections.
        """
        name = self._name(reference)
        with self._locks[name]:
            if self._closed:
                raise ConnectionFailed(f"@{name}: {_CLOSED}")
            if name not in self._opened:
                self._opened[name] = self._open(name)
            return self._opened[name]

    @property
    def is_used(self) -> bool:
        """Whether any is open."""
        return bool(self._opened)

    def close(self) -> list[str]:
        """Closes all that were opened, the last one first.

        Returns:
            What went wrong, a sentence each; the others are closed all the same.
        """
        problems = []
        for name, opened in self._taken():
            try:
                opened.close()
            except Exception as error:  # noqa: BLE001 - a family's code, and others wait to be closed
                problems.append(self._problem(name, error))
        return problems

    async def aclose(self) -> list[str]:
        """As `close`, for a run in an event loop: what was used in it is closed in it."""
        problems = []
        for name, opened in self._taken():
            try:
                if hasattr(opened, "aclose"):
                    await opened.aclose()
                else:
                    opened.close()
            except Exception as error:  # noqa: BLE001 - likewise
                problems.append(self._problem(name, error))
        return problems

    def _name(self, reference: str) -> str:
        name = reference.removeprefix("@")
        if name == reference:
            raise UnknownConnection(f"expected @family.alias as a connection, not {self._secrets.mask(reference)!r}")
        if name not in self._definitions:
            there = ", ".join(f"@{each}" for each in self._definitions) or "none"
            near = nearest(name, self._definitions)
            raise UnknownConnection(
                f"there is no connection {reference!r} in the document; there are: {there}",
                f"@{near}" if near else None,
            )
        return name

    def _open(self, name: str) -> Any:
        from pocketflow_otel.runtime.connections.settings import resolved

        family = self._families.get(name.partition(".")[0])
        settings = resolved(name, family, self._definitions[name], self._lookup, self._secrets)
        try:
            return family.open(settings, self._base)
        except Exception as error:  # noqa: BLE001 - a family's code; what it says may hold a secret
            raise ConnectionFailed(self._secrets.mask(f"@{name}: it can't be opened: {_said(error)}")) from None

    def _lookup(self, head: str) -> Any:
        if head not in self._known:
            raise MissingValue(f"{head!r} means nothing in settings of connections: env and inputs do")
        return self._known[head]

    def _taken(self) -> list[tuple[str, Any]]:
        self._closed = True
        for lock in self._locks.values():
            with lock:  # whoever is opening one at this moment comes first; nobody comes after
                pass
        taken = [*reversed(self._opened.items())]
        self._opened.clear()
        return taken

    def _problem(self, name: str, error: Exception) -> str:
        return self._secrets.mask(f"@{name}: it can't be closed: {_said(error)}")


def _said(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
