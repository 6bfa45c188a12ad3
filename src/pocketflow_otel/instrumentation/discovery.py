"""Finds PocketFlow: the installed package, and copies of its hundred lines under any module name.

"Just copy the source" is how PocketFlow's README offers it, so what counts is the classes a module defines. Modules that
are loaded already are looked at; those imported later are recognised by their source as they are found, and looked at
once they have run.
"""

from __future__ import annotations

import importlib.machinery
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final

from pocketflow_otel.guard import guard

_LARGEST_COPY_BYTES: Final = 256 * 1024
_STDLIB: Final = sysconfig.get_path("stdlib")
_SOURCE_MARKS: Final = (b"class BaseNode", b"class Flow", b"def _orch")


def base_node_of(module: ModuleType) -> type | None:
    """The root of PocketFlow's classes in a module, or None if the module does not hold a PocketFlow.

    The module that defines the classes counts, and one that imported both; they lead to the same class.
    """
    names = module.__dict__ if isinstance(module, ModuleType) else {}
    base, flow = names.get("BaseNode"), names.get("Flow")
    if not (isinstance(base, type) and isinstance(flow, type)) or base not in type.mro(flow):
        return None
    return base if {"_run", "_exec"} <= base.__dict__.keys() and "_orch" in flow.__dict__ else None


def loaded_copies() -> Iterator[type]:
    """The root class of each PocketFlow among the modules loaded now."""
    found: set[type] = set()
    for module in list(sys.modules.values()):
        base = base_node_of(module)
        if base is not None and base not in found:
            found.add(base)
            yield base


class CopyFinder:
    """A meta path finder that says when a module holding a PocketFlow has been imported.

    It asks the finders after it and hands on what they found. Only a module that looks like a PocketFlow gets a loader
    of ours around its own, so that no other import runs through our code.
    """

    def __init__(self, modules: Sequence[str], found: Callable[[type], None]) -> None:
        self._modules = frozenset(modules)
        self._found = found

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds a module as the finders after this one do."""
        finders = sys.meta_path
        for finder in finders[finders.index(self) + 1 :] if self in finders else ():
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                try:
                    if spec.loader is not None and (name in self._modules or _source_looks_like_pocketflow(spec)):
                        spec.loader = _TellingLoader(spec.loader, self._found)
                except Exception:  # noqa: BLE001 - the guard decides
                    guard.caught(f"looking at module {name}")
                return spec
        return None

    def install(self) -> None:
        """Puts this finder first."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Takes this finder out."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def _source_looks_like_pocketflow(spec: importlib.machinery.ModuleSpec) -> bool:
    origin = spec.origin
    if not spec.has_location or not isinstance(origin, str) or not origin.endswith(".py"):
        return False
    if origin.startswith(_STDLIB) and "site-packages" not in origin:
        return False
    try:
        with open(origin, "rb") as file:
            source = file.read(_LARGEST_COPY_BYTES)
    except OSError:
        return False
    return all(mark in source for mark in _SOURCE_MARKS)


class _TellingLoader:
    """Runs a module with its own loader, puts that loader back, and tells of the PocketFlow in it."""

    def __init__(self, loader: Any, found: Callable[[type], None]) -> None:
        self._loader = loader
        self._found = found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Creates the module as its own loader does."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module as its own loader does."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        try:
            base = base_node_of(sys.modules.get(module.__name__, module))
            if base is not None:
                self._found(base)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught(f"instrumenting module {module.__name__}")
