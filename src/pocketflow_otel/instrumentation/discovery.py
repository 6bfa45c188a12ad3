"""Finds PocketFlow: the installed package, and copies of its hundred lines under any module name.

"Just copy the source" is how PocketFlow's README offers it, so what counts is the classes a module defines. Modules
that are loaded already are looked at; those imported later are recognised by their source as they are found, and
looked at once they have run. A program's own file may hold them too: nobody is told when that has run, so there its
classes are watched as they are made.
"""

from __future__ import annotations

import builtins
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

from pocketflow_otel.guard import guard

if TYPE_CHECKING:
    import importlib.machinery
    from collections.abc import Callable, Iterator, Sequence
    from importlib.abc import Loader

_LARGEST_COPY_BYTES: Final = 256 * 1024
_STDLIB: Final = str(Path(os.__file__).parent)
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

    Args:
        modules: Names of modules that hold a PocketFlow, whatever their source looks like.
        found: Called with the root class of each PocketFlow.
    """

    def __init__(self, modules: Sequence[str], found: Callable[[type], None]) -> None:
        self._modules = frozenset(modules)
        self._found = found
        self._main = _ClassWatch(found)

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
                        spec.loader = cast("Loader", _TellingLoader(spec.loader, self._found, self._main))
                except Exception:  # noqa: BLE001 - the guard decides
                    guard.caught(f"looking at module {name}")
                return spec
        return None

    def install(self) -> None:
        """Puts this finder first, and watches the program's own file if that is still to run and holds a PocketFlow."""
        sys.meta_path.insert(0, self)
        script = _script_to_come()
        if script is not None and _looks_like_pocketflow(script):
            self._main.install()

    def remove(self) -> None:
        """Takes this finder out."""
        self._main.remove()
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def _source_looks_like_pocketflow(spec: importlib.machinery.ModuleSpec) -> bool:
    origin = spec.origin
    if not spec.has_location or not isinstance(origin, str) or not origin.endswith(".py"):
        return False
    if origin.startswith(_STDLIB) and "site-packages" not in origin:
        return False
    return _looks_like_pocketflow(origin)


def _looks_like_pocketflow(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            source = file.read(_LARGEST_COPY_BYTES)
    except (OSError, ValueError):
        return False
    return all(mark in source for mark in _SOURCE_MARKS)


def _script_to_come() -> str | None:
    """The program's file, while the interpreter is starting and has not run it yet."""
    if getattr(sys.modules.get("__main__"), "__spec__", None) is not None or hasattr(
        sys.modules["__main__"], "__file__"
    ):
        return None
    return next((argument for argument in sys.orig_argv[1:] if argument.endswith(".py")), None)


class _ClassWatch:
    """Watches classes being made until there is a PocketFlow among them."""

    def __init__(self, found: Callable[[type], None]) -> None:
        self._found = found
        self._make_class: Any = None

    def install(self) -> None:
        """Begins to watch."""
        if self._make_class is not None:
            return
        self._make_class = make_class = builtins.__build_class__

        def watched(*args: Any, **kwargs: Any) -> Any:
            cls = make_class(*args, **kwargs)
            self._look_at(cls)
            return cls

        self._watched = watched
        builtins.__build_class__ = watched

    def remove(self) -> None:
        """Stops watching."""
        if self._make_class is not None and builtins.__build_class__ is self._watched:
            builtins.__build_class__ = self._make_class
            self._make_class = None

    def _look_at(self, cls: Any) -> None:
        try:
            if isinstance(cls, type) and cls.__name__ == "Flow":
                for base in type.mro(cls):
                    if base.__name__ == "BaseNode" and base_node_of(_module_with(base, cls)) is base:
                        self.remove()
                        self._found(base)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught("looking at a class")


def _module_with(base: type, flow: type) -> ModuleType:
    module = ModuleType("classes")
    module.__dict__.update(BaseNode=base, Flow=flow)
    return module


class _TellingLoader:
    """Runs a module with its own loader, puts that loader back, and tells of the PocketFlow in it."""

    def __init__(self, loader: Any, found: Callable[[type], None], main: _ClassWatch) -> None:
        self._loader = loader
        self._found = found
        self._main = main

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def get_code(self, name: str) -> Any:
        """The module's code, for ``python -m`` to run as ``__main__`` by itself."""
        self._main.install()
        return self._loader.get_code(name)

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
