"""Small programs that have one value somewhere: in the store, in params, returned by a method, in an exception…"""

import dataclasses
import re
import warnings
from collections.abc import Callable
from typing import Any

from pocketflow import AsyncBatchFlow, AsyncBatchNode, AsyncFlow, AsyncNode, BatchFlow, BatchNode, Flow, Node

_ADDRESS = re.compile(r"0x[0-9a-f]+|line \d+")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """All that a program did, as far as it can tell itself.

    Attributes:
        calls: The methods that were called, with what they were given.
        ended: What ``run`` returned or raised.
        store: What the store held in the end, in order.
        warned: Warnings that were given.
    """

    calls: tuple[Any, ...]
    ended: str
    store: tuple[Any, ...]
    warned: tuple[str, ...]


class Program:
    """A program under way.

    Args:
        value: The value it is about.
        is_async: Whether its flows and nodes are.

    Attributes:
        store: What it runs on.
    """

    def __init__(self, value: Any, is_async: bool) -> None:
        self.value = value
        self.store: Any = {"before": 1}
        self.calls: list[Any] = []
        self._is_async = is_async

    def is_it(self, other: Any) -> str:
        """Says whether something is the value, without asking it anything."""
        if other is self.value:
            return "the value"
        kind = type(other)
        return repr(other) if kind in (str, bool, type(None)) else f"<{type.__dict__['__name__'].__get__(kind)}>"

    def node(self, *, batch: bool = False, **attributes: Any) -> Any:
        """A node with these attributes; functions among them that are named like methods are called as those are."""
        return self._made(BatchStep if batch else Step, attributes)

    def flow(self, start: Any, *, batch: bool = False, **attributes: Any) -> Any:
        """A flow with these attributes, as with `node`."""
        return self._made(BatchWhole if batch else Whole, attributes | {"start_node": start})

    def _made(self, kind: type, attributes: dict[str, Any]) -> Any:
        made = (ASYNC[kind] if self._is_async else kind)()
        made.program = self
        made.functions = {name: attributes.pop(name) for name in METHODS if name in attributes}
        for name, value in attributes.items():
            setattr(made, name, value)
        return made

    def called(self, node: Any, method: str, *arguments: Any) -> Any:
        """Does what a method of a node is there for."""
        self.calls.append((method, *map(self.is_it, arguments)))
        function = node.functions.get(method)
        if function is not None:
            return function(node, *arguments)
        if method == "exec_fallback":
            raise arguments[-1]
        # A flow hands its last action on.
        return arguments[-1] if method == "post" and "start_node" in vars(node) else None

    def run(self, runnable: Any) -> Outcome:
        """Runs a flow or a node to its end, whatever that is."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                if self._is_async:
                    result = _result_of(runnable.run_async(self.store))
                else:
                    result = runnable.run(self.store)
                ended = f"returned {self.is_it(result)}"
            except BaseException as error:
                ended = f"raised {self._raised(error)}"
        texts = tuple(_ADDRESS.sub("", str(warning.message)) for warning in warned)
        return Outcome(tuple(self.calls), ended, self._held(), texts)

    def _raised(self, error: BaseException) -> str:
        if error is self.value:
            return "the value"
        arguments = BaseException.args.__get__(error)
        cause = "" if error.__cause__ is None else f" from {self._raised(error.__cause__)}"
        return f"{type(error).__name__}({', '.join(map(self.is_it, arguments))}){cause}"

    def _held(self) -> tuple[Any, ...]:
        if type(self.store) is not dict:
            return ()
        return tuple((self.is_it(key), self.is_it(value)) for key, value in self.store.items())


def _result_of(coroutine: Any) -> Any:
    """Runs a coroutine that never has to wait. An event loop prints the exceptions of its tasks."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it does wait")


METHODS = ("prep", "exec", "exec_fallback", "post")


class _Methods:
    program: Program

    def prep(self, shared: Any) -> Any:
        return self.program.called(self, "prep", shared)

    def exec(self, prepared: Any) -> Any:
        return self.program.called(self, "exec", prepared)

    def exec_fallback(self, prepared: Any, error: Exception) -> Any:
        return self.program.called(self, "exec_fallback", prepared, error)

    def post(self, shared: Any, prepared: Any, result: Any) -> Any:
        return self.program.called(self, "post", shared, prepared, result)


class _AsyncMethods:
    program: Program

    async def prep_async(self, shared: Any) -> Any:
        return self.program.called(self, "prep", shared)

    async def exec_async(self, prepared: Any) -> Any:
        return self.program.called(self, "exec", prepared)

    async def exec_fallback_async(self, prepared: Any, error: Exception) -> Any:
        return self.program.called(self, "exec_fallback", prepared, error)

    async def post_async(self, shared: Any, prepared: Any, result: Any) -> Any:
        return self.program.called(self, "post", shared, prepared, result)


class Step(_Methods, Node): ...


class BatchStep(_Methods, BatchNode): ...


class Whole(_Methods, Flow): ...


class BatchWhole(_Methods, BatchFlow): ...


class AsyncStep(_AsyncMethods, AsyncNode): ...


class AsyncBatchStep(_AsyncMethods, AsyncBatchNode): ...


class AsyncWhole(_AsyncMethods, AsyncFlow): ...


class AsyncBatchWhole(_AsyncMethods, AsyncBatchFlow): ...


ASYNC = {Step: AsyncStep, BatchStep: AsyncBatchStep, Whole: AsyncWhole, BatchWhole: AsyncBatchWhole}


def _assigning(key: Any, value: Any) -> Callable[..., Any]:
    def post(node: Any, shared: Any, prepared: Any, result: Any) -> None:
        shared[key] = value

    return post


def added(program: Program) -> Any:
    return program.flow(program.node(post=_assigning("key", program.value)))


def replaced(program: Program) -> Any:
    program.store["key"] = "old"
    first = program.node(post=_assigning("key", program.value))
    first >> program.node(post=_assigning("key", "new"))
    return program.flow(first)


def removed(program: Program) -> Any:
    program.store["key"] = program.value
    return program.flow(program.node(post=lambda node, shared, *_: shared.__delitem__("key")))


def kept(program: Program) -> Any:
    program.store["key"] = program.value
    return program.flow(program.node(post=_assigning("other", 1)))


def nested(program: Program) -> Any:
    first = program.node(
        post=_assigning("key", {"in": [program.value, (program.value,)], "and": {"in": program.value}})
    )
    first >> program.node(post=lambda node, shared, *_: shared["key"]["in"].append(program.value))
    return program.flow(program.flow(first))


def alias(program: Program) -> Any:
    program.store["key"] = program.value
    return program.flow(program.node(post=lambda node, shared, *_: shared.__setitem__("alias", shared["key"])))


def store_key(program: Program) -> Any:
    first = program.node(post=_assigning(program.value, 1))
    second = program.node(post=_assigning(program.value, 2))
    first >> second >> program.node(post=lambda node, shared, *_: shared.__delitem__(program.value))
    return program.flow(first)


def params(program: Program) -> Any:
    node = program.node(prep=lambda node, shared: node.params["key"])
    flow = program.flow(node)
    flow.set_params({"key": program.value})
    return flow


def all_params(program: Program) -> Any:
    node = program.node(prep=lambda node, shared: node.params)
    node.set_params(program.value)
    return node


def batch_flow_params(program: Program) -> Any:
    node = program.node(prep=lambda node, shared: node.params["key"])
    return program.flow(node, prep=lambda flow, shared: [{"key": program.value}, {"key": program.value}], batch=True)


def prep_result(program: Program) -> Any:
    node = program.node(prep=lambda node, shared: program.value, exec=lambda node, prepared: 1, post=lambda *_: None)
    return program.flow(node, prep=lambda flow, shared: program.value, post=lambda *_: None)


def exec_result(program: Program) -> Any:
    node = program.node(exec=lambda node, prepared: program.value, post=lambda *_: None)
    return program.flow(node, post=lambda *_: None)


def batch_items(program: Program) -> Any:
    items = [program.value, 1, program.value]
    node = program.node(prep=lambda *_: items, exec=lambda node, item: item, post=lambda *_: None, batch=True)
    return program.flow(node)


def failing_batch_item(program: Program) -> Any:
    def exec(node: Any, item: Any) -> Any:
        raise ValueError("no")

    node = program.node(
        prep=lambda *_: (program.value,), exec=exec, exec_fallback=lambda node, item, _: item, batch=True
    )
    return program.flow(node)


def action(program: Program) -> Any:
    first = program.node(post=lambda *_: program.value)
    first >> program.node(post=lambda *_: None)
    return program.flow(first)


def last_action(program: Program) -> Any:
    return program.flow(program.node(post=lambda *_: program.value))


def flow_action(program: Program) -> Any:
    return program.flow(program.flow(program.node(), post=lambda *_: program.value))


def routed_action(program: Program) -> Any:
    first = program.node(post=lambda *_: program.value)
    first.next(program.node(post=lambda *_: None), program.value)
    return program.flow(first)


def exception_argument(program: Program) -> Any:
    def exec(node: Any, prepared: Any) -> Any:
        raise ValueError(program.value)

    return program.flow(program.node(exec=exec, max_retries=2))


def exception_arguments(program: Program) -> Any:
    def exec(node: Any, prepared: Any) -> Any:
        raise KeyError("message", program.value)

    return program.flow(program.flow(program.node(prep=exec)))


def exception_cause(program: Program) -> Any:
    def exec(node: Any, prepared: Any) -> Any:
        raise RuntimeError("message") from ValueError(program.value)

    return program.flow(program.node(exec=exec))


def exception(program: Program) -> Any:
    def exec(node: Any, prepared: Any) -> Any:
        raise program.value

    return program.flow(program.node(exec=exec, max_retries=2))


def handled_exception(program: Program) -> Any:
    def exec(node: Any, prepared: Any) -> Any:
        raise ValueError(program.value)

    return program.flow(program.node(exec=exec, max_retries=2, exec_fallback=lambda *_: "made up"))


def node_name(program: Program) -> Any:
    return program.flow(program.node(post=lambda *_: None, name=program.value))


def flow_name(program: Program) -> Any:
    flow = program.flow(program.node())
    flow.name = program.value
    return flow


def node_attribute(program: Program) -> Any:
    return program.flow(program.node(post=lambda node, *_: node.held, held=program.value))


def max_retries(program: Program) -> Any:
    return program.flow(program.node(exec=lambda *_: 1, max_retries=program.value))


def class_attribute(program: Program) -> Any:
    node = program.node()
    node.__class__ = type("Held", (type(node),), {"name": program.value, "held": program.value})
    return program.flow(node)


def whole_store(program: Program) -> Any:
    program.store = program.value
    first = program.node(prep=lambda *_: None)
    first >> program.flow(program.node(post=lambda *_: None))
    return program.flow(first)


def store_of_a_node(program: Program) -> Any:
    program.store = program.value
    return program.node(post=lambda *_: None)


POSITIONS: dict[str, Callable[[Program], Any]] = {
    function.__name__.replace("_", " "): function
    for function in (
        added,
        replaced,
        removed,
        kept,
        nested,
        alias,
        store_key,
        params,
        all_params,
        batch_flow_params,
        prep_result,
        exec_result,
        batch_items,
        failing_batch_item,
        action,
        last_action,
        flow_action,
        routed_action,
        exception_argument,
        exception_arguments,
        exception_cause,
        exception,
        handled_exception,
        node_name,
        flow_name,
        node_attribute,
        max_retries,
        class_attribute,
        whole_store,
        store_of_a_node,
    )
}
"""Programs by where they have the value: each takes a `Program` and returns the flow or node to run."""
