"""Makes classes and objects of a description."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from instrumentation.overriding import overrides
from instrumentation.programs import Again, Flow, Node

_FUEL = 60


class OutOfFuelError(Exception):
    """The program has run for long enough."""


class AbortError(BaseException):
    """What an async program raises where another would exit: event loops do not survive that in a defined way."""


class World:
    """What the methods of one run of a program share.

    Args:
        library: The PocketFlow they use.
        is_async: Whether the program is: then it raises nothing that stops an event loop, and no exception twice.

    Attributes:
        log: What was called, in order.
    """

    def __init__(self, library: ModuleType, *, is_async: bool) -> None:
        self.library = library
        self._is_async = is_async
        self.log: list[tuple[Any, ...]] = []
        self._calls: Counter[tuple[str, str]] = Counter()
        self._fuel = _FUEL
        self._same = ValueError("the same again")
        nothing: Any = lambda *_: contextlib.nullcontext()
        self.visiting = getattr(library, "visiting", nothing)
        self.orchestrating = getattr(library, "orchestrating", nothing)
        self.exec_began = getattr(library, "exec_began", nothing)
        self.trying = getattr(library, "trying", nothing)
        self.returned = getattr(library, "returned", lambda _, action: action)

    def called(self, label: str, method: str, *told: Any) -> int:
        """Notes a call, and returns how many there were before it."""
        self.log.append((label, method, *told))
        self._fuel -= 1
        if self._fuel < 0:
            raise OutOfFuelError
        number = self._calls[label, method]
        self._calls[label, method] += 1
        return number

    def step(self, script: tuple[str, ...], number: int, message: str) -> None:
        """Raises, where the script says so."""
        what = script[number] if number < len(script) else ""
        match what:
            case "error":
                raise ValueError(message)
            case "chained":
                try:
                    raise KeyError(message)
                except KeyError as error:
                    raise RuntimeError(message) from error
            case "while_handling":
                try:
                    raise KeyError(message)
                except KeyError:
                    raise LookupError(message)
            case "same_again":
                raise ValueError(message) if self._is_async else self._same
            case "cancelled":
                raise asyncio.CancelledError
            case "interrupt":
                raise AbortError("interrupt") if self._is_async else KeyboardInterrupt
            case "exit":
                raise AbortError("exit") if self._is_async else SystemExit(3)


async def pause(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def _as_async(function: Callable[..., Any], awaits: int) -> Callable[..., Awaitable[Any]]:
    async def method(*args: Any) -> Any:
        await pause(awaits)
        result = function(*args)
        await pause(awaits)
        return result

    return method


def _items(spec: Node) -> Any:
    kind, number = spec.items
    items = [f"item {index}" for index in range(number)]
    return {"list": items, "tuple": tuple(items), "generator": (item for item in items), "none": None}[kind]


class Builder:
    """Builds the classes and objects of a program.

    Args:
        world: What its methods share.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._built: list[Any] = []

    def build(self, spec: Node | Flow | Again) -> Any:
        """A node or flow, with all that is in it."""
        if isinstance(spec, Again):
            return self._built[spec.number % len(self._built)] if self._built else None
        if isinstance(spec, Flow):
            return self._finished(self._flow(spec), spec)
        node = self._class(spec, self._node_methods(spec))()
        if spec.kind != "BaseNode":
            node.max_retries = spec.max_retries
        return self._finished(node, spec)

    def _finished(self, node: Any, spec: Node | Flow) -> Any:
        node.label = spec.label
        if spec.name is not None:
            node.name = spec.name
        self._built.append(node)
        return node

    def _flow(self, spec: Flow) -> Any:
        members = [member for part in spec.members if (member := self.build(part)) is not None]
        for start, action, end in spec.edges:
            if start < len(members):
                members[start].next(members[end] if end is not None and end < len(members) else None, action)
        return self._class(spec, self._flow_methods(spec))(start=members[0] if members else None)

    def _class(self, spec: Node | Flow, methods: dict[str, Any]) -> type:
        base = getattr(self.world.library, spec.kind)
        # A method that calls super() needs the class that it will be in.
        home: list[type] = []
        if spec.style == "mixin":
            return type(spec.class_name, (type("Mixin", (), methods), base), {})
        if spec.style == "run_mixin":
            home.append(type("Mixin", (), overrides(self.world, spec, "run_super", home)))
            return type(spec.class_name, (home[0], base), methods)
        cls = type(spec.class_name, (base,), {**methods, **overrides(self.world, spec, spec.style, home)})
        home.append(cls)
        return cls

    # What user classes define.

    def _node_methods(self, spec: Node) -> dict[str, Any]:
        world, label = self.world, spec.label
        is_async, is_batch = spec.kind.startswith("Async"), "Batch" in spec.kind
        inner = self.build(spec.inner) if spec.inner is not None else None
        inner_is_async = spec.inner is not None and spec.inner.kind.startswith("Async")

        def prep(self: Any, shared: Any) -> Any:
            number = world.called(label, "prep", dict(self.params))
            print(f"{label} prep {number}")
            shared[f"{label} prep"] = number
            world.step(spec.prep, number, f"{label} prep {number}")
            return _items(spec) if is_batch else f"prepared {number}"

        def execute(prep_res: Any) -> Any:
            number = world.called(label, "exec", prep_res)
            world.step(spec.exec, number, f"{label} exec {number}")
            return f"executed {number}"

        def run_inner() -> None:
            if inner is not None and not inner_is_async:
                with contextlib.suppress(*((Exception,) if spec.catches else ())):
                    inner.run({})

        def exec_(self: Any, prep_res: Any) -> Any:
            world.called(label, "exec's params", dict(self.params))
            run_inner()
            return execute(prep_res)

        def post(self: Any, shared: Any, prep_res: Any, exec_res: Any) -> Any:
            number = world.called(label, "post", type(prep_res).__name__, exec_res, dict(self.params))
            print(f"{label} post {number}\nand more", end="")
            shared.setdefault("order", []).append(label)
            shared.pop(f"{label} prep", None)
            world.step(spec.post, number, f"{label} post {number}")
            return spec.actions[number] if number < len(spec.actions) else "done"

        def exec_fallback(self: Any, prep_res: Any, exc: Exception) -> Any:
            world.called(label, "exec_fallback", prep_res, type(exc).__name__, str(exc))
            if spec.fallback == "raises":
                raise OSError(f"{label} fallback")
            return "fallen back"

        if not is_async:
            methods = {"prep": prep, "exec": exec_, "post": post}
            if spec.style in ("static", "class_method"):
                methods["exec"] = staticmethod(execute)
            if spec.style == "class_method":
                methods["exec"] = classmethod(lambda _, prep_res: execute(prep_res))
            if spec.fallback == "wrong_signature":
                methods["exec_fallback"] = lambda self: None
            elif spec.fallback != "default" and spec.kind != "BaseNode":
                methods["exec_fallback"] = exec_fallback
            return methods

        async def exec_async(self: Any, prep_res: Any) -> Any:
            world.called(label, "exec's params", dict(self.params))
            await pause(spec.awaits)
            if inner is not None and inner_is_async:
                with contextlib.suppress(*((Exception,) if spec.catches else ())):
                    await inner.run_async({})
            run_inner()
            result = execute(prep_res)
            await pause(spec.awaits)
            return result

        methods = {
            "prep_async": _as_async(prep, spec.awaits),
            "exec_async": exec_async,
            "post_async": _as_async(post, spec.awaits),
        }
        if spec.style == "static":
            methods["exec_async"] = staticmethod(_as_async(execute, spec.awaits))
        elif spec.style == "class_method":
            methods["exec_async"] = classmethod(_as_async(lambda _, prep_res: execute(prep_res), spec.awaits))
        elif spec.style == "promise":

            def promised(self: Any, prep_res: Any) -> Awaitable[Any]:
                world.called(label, "exec_async, which is no coroutine function")
                return exec_async(self, prep_res)

            methods["exec_async"] = promised
        if spec.fallback == "wrong_signature":
            methods["exec_fallback_async"] = lambda self: None
        elif spec.fallback != "default":
            methods["exec_fallback_async"] = _as_async(exec_fallback, spec.awaits)
        return methods

    def _flow_methods(self, spec: Flow) -> dict[str, Any]:
        world, label = self.world, spec.label

        def prep(self: Any, shared: Any) -> Any:
            number = world.called(label, "prep", dict(self.params))
            shared[f"{label} began"] = number
            world.step(spec.prep, number, f"{label} prep {number}")
            return [{label: index} for index in range(spec.rounds)] if "Batch" in spec.kind else None

        def post(self: Any, shared: Any, prep_res: Any, exec_res: Any) -> Any:
            number = world.called(label, "post", prep_res, exec_res)
            print(f"{label} post")
            shared[f"{label} began"] = None
            world.step(spec.post, number, f"{label} post {number}")
            if not spec.actions:
                return exec_res
            return spec.actions[number] if number < len(spec.actions) else "done"

        if not spec.kind.startswith("Async"):
            return {"prep": prep, "post": post}
        # A flow that is async is run by its sync methods where it stands in one that is not.
        return {
            "prep": prep,
            "post": post,
            "prep_async": _as_async(prep, spec.awaits),
            "post_async": _as_async(post, spec.awaits),
        }
