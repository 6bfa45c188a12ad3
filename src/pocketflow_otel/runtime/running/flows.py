"""Documents as PocketFlow has them: flows and nodes, which anyone's hooks trace as those of any other program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow import AsyncNode, BaseNode, BatchFlow, Flow, Node

from pocketflow_otel.runtime.documents.model import MapConfig
from pocketflow_otel.runtime.registry.node_types import ClassType
from pocketflow_otel.runtime.running.giving import publish
from pocketflow_otel.runtime.running.holding import hold
from pocketflow_otel.runtime.running.taking import inputs_of
from pocketflow_otel.runtime.running.tries import limited, limited_async, repeated, repeated_async

if TYPE_CHECKING:
    from pocketflow_otel.runtime.planning import PlannedNode, PlannedScope
    from pocketflow_otel.runtime.running.frames import Frame
    from pocketflow_otel.runtime.running.steps import Step


class _Copied:
    """Copied as `copy.copy` does, which is made at every visit, in a third of the time."""

    def __copy__(self) -> Any:
        kind = type(self)
        made = kind.__new__(kind)
        made.__dict__.update(self.__dict__)
        return made


class FunctionNode(_Copied, Node):  # type: ignore[misc]  # PocketFlow has no types
    """A node whose type is a function."""

    step: Step

    def prep(self, shared: Any) -> Any:  # noqa: ARG002 - the step knows its store
        """What the function is given."""
        return inputs_of(self.step)

    def _exec(self, prep_res: Any) -> Any:
        return repeated(self.step, lambda: limited(self.step, self.exec, prep_res))

    def exec(self, prep_res: Any) -> Any:  # noqa: ARG002 - the step keeps what was checked
        """Calls the function."""
        return self.step.call()

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> str | None:  # noqa: ARG002 - PocketFlow's signature
        """Hands on what the function gave."""
        return publish(self.step, shared, exec_res)


class AsyncFunctionNode(_Copied, AsyncNode):  # type: ignore[misc]  # PocketFlow has no types
    """A node whose type is a coroutine function."""

    step: Step

    async def prep_async(self, shared: Any) -> Any:  # noqa: ARG002 - the step knows its store
        """What the function is given."""
        return inputs_of(self.step)

    async def _exec(self, prep_res: Any) -> Any:
        return await repeated_async(self.step, lambda: limited_async(self.step, self.exec_async(prep_res)))

    async def exec_async(self, prep_res: Any) -> Any:  # noqa: ARG002 - the step keeps what was checked
        """Calls the function."""
        return await self.step.call_async()

    async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> str | None:  # noqa: ARG002 - likewise
        """Hands on what the function gave."""
        return publish(self.step, shared, exec_res)


class _OrderedByData:
    """A flow in which data decides what is next, whatever action a node chooses."""

    def get_next_node(self, curr: Any, action: Any) -> None:
        """No node is next by its action."""


class Orchestrated(Flow):  # type: ignore[misc]  # PocketFlow has no types
    """A flow whose nodes are run by frames.

    Attributes:
        frames: The frames that it runs, by the identity of their stores.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[int, Frame] = {}

    def _orch(self, shared: Any, params: Any = None) -> str | None:  # noqa: ARG002 - frames know their variables
        return self.frames[id(shared)].orchestrate()


class Holder(Orchestrated):
    """A node that holds nodes, and runs them once."""

    step: Step

    def _run(self, shared: Any) -> str | None:
        self.frames = {}
        return hold(self.step, self, shared)


class MapHolder(Holder, BatchFlow):  # type: ignore[misc]  # PocketFlow has no types
    """A node that holds nodes, and runs them for each item."""


class DataWorkflow(_OrderedByData, Orchestrated):
    """A document whose nodes are ordered by data."""


class DataHolder(_OrderedByData, Holder):
    """A holder whose nodes are ordered by data."""


class DataMapHolder(_OrderedByData, MapHolder):
    """A map whose nodes are ordered by data."""


def workflow(name: str, scope: PlannedScope, prototypes: dict[str, BaseNode]) -> Orchestrated:
    """Makes the flow of a document, and all nodes in it.

    Args:
        name: The workflow's name.
        scope: The nodes.
        prototypes: Is given the nodes by path: a visit runs a copy of one.
    """
    flow = Orchestrated() if scope.by_action else DataWorkflow()
    flow.name = name
    _fill(flow, scope, prototypes)
    return flow


def _fill(flow: Orchestrated, scope: PlannedScope, prototypes: dict[str, BaseNode]) -> None:
    nodes = {name: _node(planned, prototypes) for name, planned in scope.nodes.items()}
    for name, node in nodes.items():
        planned = scope.nodes[name]
        prototypes[planned.path] = node
        if scope.by_action:
            for action, to in scope.routes.get(name, {}).items():
                node.successors[action] = None if to is None else nodes[to]
        else:
            node.successors.update({after: nodes[after] for after in planned.dependents})
    if scope.by_action:
        flow.start_node = nodes[scope.start]
    else:
        flow.start_nodes = [nodes[name] for name in scope.scheduled if not scope.nodes[name].waits.all]


def _node(planned: PlannedNode, prototypes: dict[str, BaseNode]) -> Any:
    node: Any
    if planned.body is not None:
        node = _holder(planned, prototypes)
    elif isinstance(planned.type, ClassType):
        node = _stand_in(planned.type)
    else:
        retry = planned.retry
        kind = AsyncFunctionNode if planned.is_async else FunctionNode
        node = kind(max_retries=retry.tries if retry else 1, wait=retry.wait if retry else 0)
    node.name = planned.name
    return node


def _holder(planned: PlannedNode, prototypes: dict[str, BaseNode]) -> Holder:
    if planned.body is None:
        raise AssertionError(planned.path)
    (scope,) = planned.body.scopes
    if isinstance(planned.body.config, MapConfig):
        flow: Holder = MapHolder() if scope.by_action else DataMapHolder()
    else:
        flow = Holder() if scope.by_action else DataHolder()
    _fill(flow, scope, prototypes)
    return flow


def _stand_in(kind: ClassType) -> Any:
    """What stands for a node of the user's in the flow's graph until it is made: its class tells what it is."""
    made: Any = kind.make
    is_class = isinstance(made, type) and issubclass(made, BaseNode)
    node = BaseNode.__new__(made) if is_class else BaseNode()
    node.params, node.successors = {}, {}
    return node
