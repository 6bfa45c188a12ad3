"""Puts hooks around PocketFlow's methods where classes define them, and takes them away again without a trace.

One table says which methods are hooked. Present classes are found by walking down from PocketFlow's root class, future
ones by ``__init_subclass__``. A class's ``__dict__`` keeps its keys and their order: only values are exchanged, and put
back. Instances are never touched: ``copy.copy`` runs before each visit.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

import wrapt

from pocketflow_otel.instrumentation.classes import walk_subclasses
from pocketflow_otel.guard import guard

Hook = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]
"""Called instead of a method: (method as bound, instance, arguments, keyword arguments)."""

HookFactory = Callable[[type, Any], Hook]
"""Makes the hook of one method of one class: (class that defines it, what the class holds)."""

_lock: Final = threading.Lock()


class _BoundPatch(wrapt.BoundFunctionWrapper):  # type: ignore[misc]
    """A hooked method of an instance or class; pickled by name, as the plain one is."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        patch = self._self_parent
        owner = self._self_instance if self._self_instance is not None else patch._self_patched_class
        return getattr, (owner, patch._self_patched_name)


class Patch(wrapt.FunctionWrapper):  # type: ignore[misc]
    """A hooked method as it stands in its class; what it replaced is its ``__wrapped__``."""

    __bound_function_wrapper__ = _BoundPatch


def patch_method(cls: type, name: str, factory: HookFactory) -> None:
    """Hooks one method where a class defines it; does nothing if it is hooked or not callable."""
    with _lock:
        original = cls.__dict__.get(name)
        if original is None or isinstance(original, Patch):
            return
        if not (callable(original) or isinstance(original, staticmethod | classmethod)):
            return
        patch = Patch(original, factory(cls, original))
        patch._self_patched_class, patch._self_patched_name = cls, name  # noqa: SLF001 - wrapt keeps _self_ attributes on the wrapper
        type.__setattr__(cls, name, patch)


class ClassPatcher:
    """Hooks all classes below a root, now and as they are defined.

    Args:
        hooks: The patch table: a factory for each method name hooked wherever it is defined.
        all_names: Every method name that may carry a hook, to take away.
    """

    def __init__(self, hooks: Mapping[str, HookFactory], all_names: frozenset[str]) -> None:
        self._hooks = hooks
        self._all_names = all_names
        self._roots: list[type] = []
        self._mixins: weakref.WeakSet[type] = weakref.WeakSet()

    def patch_tree(self, root: type) -> None:
        """Hooks a root class of PocketFlow and everything below it, now and later."""
        if root in self._roots:
            return
        self._roots.append(root)
        for cls in (root, *walk_subclasses(root)):
            self._patch_class(cls)
        if "__init_subclass__" not in root.__dict__:
            _watch_subclasses(root, self._patch_class)

    def unpatch(self) -> None:
        """Puts every class back as it was."""
        for root in self._roots:
            for cls in (root, *walk_subclasses(root)):
                _restore(cls, self._all_names)
        for mixin in self._mixins:
            _restore(mixin, self._all_names)
        self._roots.clear()
        self._mixins.clear()

    def patch_method(self, cls: type, name: str, factory: HookFactory) -> None:
        """Hooks one method where a class defines it, and remembers classes that no walk from a root would reach."""
        patch_method(cls, name, factory)
        if not any(root in type.mro(cls) for root in self._roots):
            self._mixins.add(cls)

    def _patch_class(self, cls: type) -> None:
        # A mixin that is no node may define a hooked method as well.
        for base in type.mro(cls):
            if base is object:
                continue
            for name, factory in self._hooks.items():
                if name in base.__dict__:
                    self.patch_method(base, name, factory)
        # A class that has its own __init_subclass__ may not call ours.
        own = cls.__dict__.get("__init_subclass__")
        if own is not None and not isinstance(own, _SubclassWatch):
            _watch_subclasses(cls, self._patch_class)


class _SubclassWatch(classmethod):  # type: ignore[type-arg]
    """Our ``__init_subclass__``; holds what it stands in for."""

    original: Any = None


def _watch_subclasses(cls: type, patch_class: Callable[[type], None]) -> None:
    original = cls.__dict__.get("__init_subclass__")

    def __init_subclass__(subclass: type, **kwargs: Any) -> None:  # noqa: N807
        if original is not None:
            original.__get__(None, subclass)(**kwargs)
        else:
            super(cls, subclass).__init_subclass__(**kwargs)
        try:
            patch_class(subclass)
        except Exception:  # noqa: BLE001 - the guard decides
            guard.caught(f"instrumenting class {subclass!r}")

    watch = _SubclassWatch(__init_subclass__)
    watch.original = original
    type.__setattr__(cls, "__init_subclass__", watch)


def _restore(cls: type, names: frozenset[str]) -> None:
    for name in names:
        patch = cls.__dict__.get(name)
        if isinstance(patch, Patch):
            type.__setattr__(cls, name, patch.__wrapped__)
    watch = cls.__dict__.get("__init_subclass__")
    if isinstance(watch, _SubclassWatch):
        if watch.original is None:
            type.__delattr__(cls, "__init_subclass__")
        else:
            type.__setattr__(cls, "__init_subclass__", watch.original)
