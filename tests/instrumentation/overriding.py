"""Classes that do themselves what PocketFlow's methods do, with or without calling ``super()``."""

import asyncio
import contextlib
import copy
from types import ModuleType
from typing import Any

from instrumentation.programs import Flow, Node


def overrides(world: Any, spec: Node | Flow, style: str, home: list[type]) -> dict[str, Any]:
    """The methods of a class in a style that does, or adds to, what PocketFlow does.

    Args:
        world: What the methods of the program share.
        spec: The node or flow.
        style: Its style, or that of its mixin.
        home: Will hold the class that the methods are in.
    """
    label = spec.label
    is_async = spec.kind.startswith("Async")
    suffix = "_async" if is_async else ""

    def calling_super(name: str) -> dict[str, Any]:
        around = world.orchestrating if name.startswith("_orch") else world.visiting

        def method(self: Any, *args: Any) -> Any:
            with around(self):
                world.called(label, name)
                result = getattr(super(home[0], self), name)(*args)
                world.called(label, f"{name} called super")
                return world.returned(self, result)

        async def async_method(self: Any, *args: Any) -> Any:
            with around(self):
                world.called(label, name)
                result = await getattr(super(home[0], self), name)(*args)
                world.called(label, f"{name} called super")
                return world.returned(self, result)

        return {name: async_method if is_async else method}

    match style:
        case "run_super":
            return calling_super(f"_run{suffix}")
        case "orch_super":
            return calling_super(f"_orch{suffix}")
        case "run_alone" if isinstance(spec, Node):
            return _node_run_alone(world, label, is_async=is_async)
        case "run_alone":
            return _flow_run_alone(world, spec)
        case "orch_alone":
            return _orch_alone(world, label, world.library, is_async=is_async)
        case "exec_super":
            return {"_exec": _exec_super(world, label, home, is_async=is_async)}
        case "exec_alone":
            return {"_exec": _exec_alone(world, label, is_async=is_async, is_batch="Batch" in spec.kind)}
        case "promise":

            def _run_async(self: Any, shared: Any) -> Any:
                try:
                    world.called(label, "_run_async, which is no coroutine function")
                except Exception:
                    with world.visiting(self):
                        raise
                return super(home[0], self)._run_async(shared)

            return {"_run_async": _run_async}
        case "routing":

            def get_next_node(self: Any, curr: Any, action: Any) -> Any:
                world.called(label, "get_next_node", action)
                return super(home[0], self).get_next_node(curr, action)

            return {"get_next_node": get_next_node}
    return {}


def _node_run_alone(world: Any, label: str, *, is_async: bool) -> dict[str, Any]:
    def _run(self: Any, shared: Any) -> Any:
        with world.visiting(self):
            world.called(label, "_run")
            prepared = self.prep(shared)
            return world.returned(self, self.post(shared, prepared, self._exec(prepared)))

    async def _run_async(self: Any, shared: Any) -> Any:
        with world.visiting(self):
            world.called(label, "_run_async")
            prepared = await self.prep_async(shared)
            return world.returned(self, await self.post_async(shared, prepared, await self._exec(prepared)))

    return {"_run_async": _run_async} if is_async else {"_run": _run}


def _flow_run_alone(world: Any, spec: Flow) -> dict[str, Any]:
    is_batch = "Batch" in spec.kind

    def _run(self: Any, shared: Any) -> Any:
        with world.visiting(self):
            world.called(spec.label, "_run")
            rounds = self.prep(shared)
            if not is_batch:
                return world.returned(self, self.post(shared, rounds, self._orch(shared)))
            for params in rounds:
                self._orch(shared, {**self.params, **params})
            return world.returned(self, self.post(shared, rounds, None))

    async def _run_async(self: Any, shared: Any) -> Any:
        with world.visiting(self):
            world.called(spec.label, "_run_async")
            rounds = await self.prep_async(shared)
            if not is_batch:
                result = await self._orch_async(shared)
                return world.returned(self, await self.post_async(shared, rounds, result))
            async with asyncio.TaskGroup() as group:
                for params in rounds:
                    group.create_task(self._orch_async(shared, {**self.params, **params}))
            return world.returned(self, await self.post_async(shared, rounds, None))

    return {"_run_async": _run_async} if spec.kind.startswith("Async") else {"_run": _run}


def _orch_alone(world: Any, label: str, library: ModuleType, *, is_async: bool) -> dict[str, Any]:
    def _orch(self: Any, shared: Any, params: Any = None) -> Any:
        with world.orchestrating(self):
            world.called(label, "_orch", params)
            current, last_action = copy.copy(self.start_node), None
            while current:
                current.set_params(params or {})
                last_action = current._run(shared)
                current = copy.copy(self.get_next_node(current, last_action))
            return last_action

    async def _orch_async(self: Any, shared: Any, params: Any = None) -> Any:
        with world.orchestrating(self):
            world.called(label, "_orch_async", params)
            current, last_action = copy.copy(self.start_node), None
            while current:
                current.set_params(params or {})
                run = current._run_async if isinstance(current, library.AsyncNode) else current._run
                last_action = run(shared)
                last_action = await last_action if isinstance(current, library.AsyncNode) else last_action
                current = copy.copy(self.get_next_node(current, last_action))
            return last_action

    return {"_orch_async": _orch_async} if is_async else {"_orch": _orch}


def _exec_super(world: Any, label: str, home: list[type], *, is_async: bool) -> Any:
    def _exec(self: Any, prep_res: Any) -> Any:
        world.exec_began(prep_res)
        world.called(label, "_exec")
        return super(home[0], self)._exec(prep_res)

    async def _exec_async(self: Any, prep_res: Any) -> Any:
        world.exec_began(prep_res)
        world.called(label, "_exec")
        return await super(home[0], self)._exec(prep_res)

    return _exec_async if is_async else _exec


def _exec_alone(world: Any, label: str, *, is_async: bool, is_batch: bool) -> Any:
    # A batch node that does without PocketFlow's loop has no items and no tries that anybody could tell.
    trying = world.trying if not is_batch else lambda _: contextlib.nullcontext()

    def _exec(self: Any, prep_res: Any) -> Any:
        world.exec_began(prep_res)
        world.called(label, "_exec")
        with trying(self):
            return [self.exec(item) for item in prep_res] if is_batch else self.exec(prep_res)

    async def _exec_async(self: Any, prep_res: Any) -> Any:
        world.exec_began(prep_res)
        world.called(label, "_exec")
        with trying(self):
            if is_batch:
                return [await self.exec_async(item) for item in prep_res]
            return await self.exec_async(prep_res)

    return _exec_async if is_async else _exec
