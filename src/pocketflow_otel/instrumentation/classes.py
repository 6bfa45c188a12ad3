"""What a PocketFlow class is: its kind, and what each of its methods stands for."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.capture.instances import attributes_reader

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: Final = {
    "Node": "",
    "BatchNode": "batch",
    "Flow": "flow",
    "BatchFlow": "batch_flow",
    "AsyncNode": "async",
    "AsyncBatchNode": "async_batch",
    "AsyncParallelBatchNode": "async_parallel_batch",
    "AsyncFlow": "async_flow",
    "AsyncBatchFlow": "async_batch_flow",
    "AsyncParallelBatchFlow": "async_parallel_batch_flow",
    "BaseNode": "",
}
"""PocketFlow's own classes, and how ``pocketflow.node.kind`` calls them; a plain node has no kind."""

_BATCH_NODES: Final = ("BatchNode", "AsyncBatchNode", "AsyncParallelBatchNode")


@dataclasses.dataclass(slots=True, eq=False, repr=False)  # each method that is made takes time at import
class ClassInfo:
    """What is known of one node or flow class.

    Attributes:
        name: The class's name.
        kind: The value of ``pocketflow.node.kind``; empty for a plain node.
        is_flow: Whether it orchestrates nodes.
        is_batch_flow: Whether it orchestrates them once for each of several params.
        is_async: Whether other nodes may run while one of its methods awaits.
        is_batch: Whether its ``_exec`` runs once for each item.
        repeats: Whether it does something once for each of several items or params.
        whole_batch: The classes whose ``_exec`` gets all items; further along the MRO it gets one.
        tries_wrapped: Whether ``exec`` has been wrapped along the MRO, to see each try.
        own_routing: Whether ``get_next_node`` is the user's.
        goes_straight: Whether nothing but PocketFlow's own code runs between two nodes of a flow.
        attributes: Reads an instance's attributes without running its code.
        is_node: Whether it is a PocketFlow class at all; a mixin may be used elsewhere too.
    """

    name: str
    kind: str
    is_flow: bool
    is_batch_flow: bool
    is_async: bool
    is_batch: bool
    repeats: bool
    whole_batch: frozenset[type]
    own_routing: bool
    goes_straight: bool
    is_node: bool
    attributes: Callable[[object], dict[str, Any]]
    tries_wrapped: bool = False


class Classes:
    """Looks classes up, holding none of them alive: programs define classes in functions, again and again.

    Attributes:
        known: What is known of the classes looked up, by their identity; each for as long as its class lives.
    """

    def __init__(self) -> None:
        self._roots: list[type] = []
        self.known: dict[int, ClassInfo] = {}
        self._alive: dict[int, weakref.ref[type]] = {}

    def add_library(self, base: type) -> None:
        """Learns one copy of PocketFlow by its root; its other classes may be yet to be made."""
        self._roots.append(base)

    def info(self, cls: type) -> ClassInfo:
        """What is known of a class; remembered for as long as it lives."""
        info = self.known.get(id(cls))
        if info is None:
            key = id(cls)
            info = self.known[key] = self._look_at(cls)
            self._alive[key] = weakref.ref(cls, lambda _: self._forget(key))
        return info

    def _forget(self, key: int) -> None:
        self.known.pop(key, None)
        self._alive.pop(key, None)

    def _look_at(self, cls: type) -> ClassInfo:
        mro = type.mro(cls)
        own = next(filter(self._is_library, mro), None)
        library_name = own.__name__ if own is not None else ""
        loops = [index for index, base in enumerate(mro) if self._is_library(base) and base.__name__ in _BATCH_NODES]
        is_flow = library_name.endswith("Flow")
        return ClassInfo(
            name=safe_class_name(cls),
            kind=KINDS.get(library_name, ""),
            is_flow=is_flow,
            is_batch_flow=is_flow and "Batch" in library_name,
            is_async=library_name.startswith("Async"),
            is_batch=bool(loops),
            repeats=bool(loops) or (is_flow and "Batch" in library_name),
            whole_batch=frozenset(mro[: loops[0] + 1]) if loops else frozenset(),
            own_routing=self._overrides(mro, ("get_next_node",)),
            goes_straight=not self._overrides(mro, ("get_next_node", "_orch", "_orch_async")),
            is_node=own is not None,
            attributes=attributes_reader(cls),
        )

    def _overrides(self, mro: list[type], names: tuple[str, ...]) -> bool:
        """Whether one of a flow's methods is the user's."""
        definers = (next((base for base in mro if name in base.__dict__), None) for name in names)
        return any(definer is not None and not self._is_library(definer) for definer in definers)

    def _is_library(self, cls: type) -> bool:
        # A user's class may be called Node as well; PocketFlow's own stand in the root's module.
        if cls.__name__ not in KINDS:
            return False
        return any(cls.__module__ == root.__module__ and root in type.mro(cls) for root in self._roots)


def walk_subclasses(base: type) -> list[type]:
    """All classes below one, each once, parents first."""
    found: dict[type, None] = {}
    waiting = [base]
    while waiting:
        subclasses: list[type] = type.__subclasses__(waiting.pop(0))
        for cls in subclasses:
            if cls not in found:
                found[cls] = None
                waiting.append(cls)
    return list(found)


def safe_class_name(cls: type) -> str:
    """A class's name, whatever its metaclass says."""
    name: Any = type.__dict__["__name__"].__get__(cls)
    return str(name).encode("utf-8", "backslashreplace").decode()
