"""A PocketFlow that tells all it does to `instrumentation.narration`; else it does what the release does."""

import asyncio
import copy
import time
import warnings

from instrumentation.narration import (
    counts_on_node,
    exec_began,
    executing,
    orchestrating,
    returned,
    trying,
    visiting,
)


class BaseNode:
    def __init__(self):
        self.params, self.successors = {}, {}

    def set_params(self, params):
        self.params = params

    def next(self, node, action="default"):
        if action in self.successors:
            warnings.warn(f"Overwriting successor for action '{action}'")
        self.successors[action] = node
        return node

    def prep(self, shared): ...

    def exec(self, prep_res): ...

    def post(self, shared, prep_res, exec_res): ...

    def _exec(self, prep_res):
        with executing(self):
            return self.exec(prep_res)

    def _run(self, shared):
        with visiting(self):
            prepared = self.prep(shared)
            return returned(self, self.post(shared, prepared, self._exec(prepared)))

    def run(self, shared):
        if self.successors:
            warnings.warn("Node won't run successors. Use Flow.")
        return self._run(shared)


class Node(BaseNode):
    def __init__(self, max_retries=1, wait=0):
        super().__init__()
        self.max_retries, self.wait = max_retries, wait

    def exec_fallback(self, prep_res, exc):
        raise exc

    def _exec(self, prep_res):
        with executing(self) as trial:
            for self.cur_retry in range(self.max_retries):
                try:
                    with trying(self):
                        return self.exec(prep_res)
                except Exception as error:
                    if self.cur_retry == self.max_retries - 1:
                        result = self.exec_fallback(prep_res, error)
                        trial.fallback = True
                        return result
                    if self.wait > 0:
                        time.sleep(self.wait)
        return None


class BatchNode(Node):
    def _exec(self, items):
        exec_began(items)
        return [super(BatchNode, self)._exec(item) for item in (items or [])]


class Flow(BaseNode):
    def __init__(self, start=None):
        super().__init__()
        self.start_node = start

    def get_next_node(self, curr, action):
        following = curr.successors.get(action or "default")
        if not following and curr.successors:
            warnings.warn(f"Flow ends: '{action}' not found in {list(curr.successors)}")
        return following

    def _orch(self, shared, params=None):
        with orchestrating(self):
            current, params, last_action = copy.copy(self.start_node), params or {**self.params}, None
            while current:
                current.set_params(params)
                last_action = current._run(shared)
                current = copy.copy(self.get_next_node(current, last_action))
            return last_action

    def _run(self, shared):
        with visiting(self):
            prepared = self.prep(shared)
            return returned(self, self.post(shared, prepared, self._orch(shared)))

    def post(self, shared, prep_res, exec_res):
        return exec_res


class BatchFlow(Flow):
    def _run(self, shared):
        with visiting(self):
            rounds = self.prep(shared) or []
            for params in rounds:
                self._orch(shared, {**self.params, **params})
            return returned(self, self.post(shared, rounds, None))


class AsyncNode(Node):
    async def prep_async(self, shared): ...

    async def exec_async(self, prep_res): ...

    async def exec_fallback_async(self, prep_res, exc):
        raise exc

    async def post_async(self, shared, prep_res, exec_res): ...

    async def _exec(self, prep_res):
        with executing(self) as trial:
            for number in range(self.max_retries):
                if counts_on_node():
                    self.cur_retry = number
                try:
                    with trying(self):
                        return await self.exec_async(prep_res)
                except Exception as error:
                    if (self.cur_retry if counts_on_node() else number) == self.max_retries - 1:
                        result = await self.exec_fallback_async(prep_res, error)
                        trial.fallback = True
                        return result
                    if self.wait > 0:
                        await asyncio.sleep(self.wait)
        return None

    async def run_async(self, shared):
        if self.successors:
            warnings.warn("Node won't run successors. Use AsyncFlow.")
        return await self._run_async(shared)

    async def _run_async(self, shared):
        with visiting(self):
            prepared = await self.prep_async(shared)
            return returned(self, await self.post_async(shared, prepared, await self._exec(prepared)))

    def _run(self, shared):
        with visiting(self):
            raise RuntimeError("Use run_async.")


class AsyncBatchNode(AsyncNode, BatchNode):
    async def _exec(self, items):
        exec_began(items)
        return [await super(AsyncBatchNode, self)._exec(item) for item in items]


class AsyncParallelBatchNode(AsyncNode, BatchNode):
    async def _exec(self, items):
        exec_began(items)
        return await asyncio.gather(*(super(AsyncParallelBatchNode, self)._exec(item) for item in items))


class AsyncFlow(Flow, AsyncNode):
    async def _orch_async(self, shared, params=None):
        with orchestrating(self):
            current, params, last_action = copy.copy(self.start_node), params or {**self.params}, None
            while current:
                current.set_params(params)
                if isinstance(current, AsyncNode):
                    last_action = await current._run_async(shared)
                else:
                    last_action = current._run(shared)
                current = copy.copy(self.get_next_node(current, last_action))
            return last_action

    async def _run_async(self, shared):
        with visiting(self):
            prepared = await self.prep_async(shared)
            return returned(self, await self.post_async(shared, prepared, await self._orch_async(shared)))

    async def post_async(self, shared, prep_res, exec_res):
        return exec_res


class AsyncBatchFlow(AsyncFlow, BatchFlow):
    async def _run_async(self, shared):
        with visiting(self):
            rounds = await self.prep_async(shared) or []
            for params in rounds:
                await self._orch_async(shared, {**self.params, **params})
            return returned(self, await self.post_async(shared, rounds, None))


class AsyncParallelBatchFlow(AsyncFlow, BatchFlow):
    async def _run_async(self, shared):
        with visiting(self):
            rounds = await self.prep_async(shared) or []
            await asyncio.gather(*(self._orch_async(shared, {**self.params, **params}) for params in rounds))
            return returned(self, await self.post_async(shared, rounds, None))
