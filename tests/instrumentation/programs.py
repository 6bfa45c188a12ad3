"""Descriptions of PocketFlow programs, and strategies that draw them.

A description is plain data; `instrumentation.building` makes classes and objects of it. What a program does depends
only on how often each of its methods has been called, so two runs of one description do the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

NODE_KINDS = ("BaseNode", "Node", "BatchNode", "AsyncNode", "AsyncBatchNode", "AsyncParallelBatchNode")
FLOW_KINDS = ("Flow", "BatchFlow", "AsyncFlow", "AsyncBatchFlow", "AsyncParallelBatchFlow")

ACTIONS = (None, "", False, "default", "again", "next", "fail", 0, 3, True)
"""What ``post`` may return; the last ones are odd, but PocketFlow takes them."""

STEPS = ("error", "chained", "while_handling", "same_again", "cancelled", "interrupt", "exit")
"""Ways in which a method may raise."""


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        kind: The class of PocketFlow it has.
        class_name: Its class's name.
        name: Its instance attribute ``name``, if it has one.
        max_retries: How often it may try.
        prep: What each call of ``prep`` does: an empty text returns, another is one of `STEPS`. Later calls return.
        exec: Likewise.
        post: Likewise.
        fallback: What ``exec_fallback`` does: not defined, returns, raises, or has a wrong signature.
        actions: What ``post`` returns, call by call; after these an action nobody routes.
        items: For batch nodes, what ``prep`` returns: a kind of iterable, and how many items.
        style: How its class is written.
        awaits: How often each of its async methods lets others run.
        inner: A flow that ``exec`` runs on a store of its own.
        catches: Whether ``exec`` catches what that flow raises.
    """

    kind: str = "Node"
    class_name: str = "Ask"
    name: str | None = None
    max_retries: int = 1
    prep: tuple[str, ...] = ()
    exec: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    fallback: str = "default"
    actions: tuple[Any, ...] = (None,)
    items: tuple[str, int] = ("list", 2)
    style: str = "plain"
    awaits: int = 0
    inner: "Flow | None" = None
    catches: bool = False
    label: str = ""


@dataclass(frozen=True)
class Again:
    """A node or flow that stands elsewhere as well: the same object."""

    number: int = 0
    label: str = ""


@dataclass(frozen=True)
class Flow:
    """A flow.

    Attributes:
        kind: The class of PocketFlow it has.
        class_name: Its class's name.
        name: Its instance attribute ``name``, if it has one.
        members: Its nodes, the first of which is where it starts; none for an empty flow.
        edges: (node, action, node or None), by their places among the members.
        rounds: For batch flows, how many params ``prep`` returns.
        prep: As for nodes.
        post: As for nodes.
        actions: What ``post`` returns, call by call; empty for the action of its last node.
        style: How its class is written.
        awaits: How often each of its async methods lets others run.
    """

    kind: str = "Flow"
    class_name: str = "Chat"
    name: str | None = None
    members: tuple["Node | Flow | Again", ...] = ()
    edges: tuple[tuple[int, str, int | None], ...] = ()
    rounds: int = 2
    prep: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    actions: tuple[Any, ...] = ()
    style: str = "plain"
    awaits: int = 0
    label: str = ""


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        root: What it runs.
        params: The params of the root.
        cancel_after: After how many rounds of the event loop an async program is cancelled.
        late: Whether its classes are defined as it runs, and not before.
    """

    root: Node | Flow
    params: dict[str, Any] = field(default_factory=dict)
    cancel_after: int | None = None
    late: bool = True

    @property
    def is_async(self) -> bool:
        """Whether it is run by ``run_async``."""
        return self.root.kind.startswith("Async")


def everything_in(part: Node | Flow | Again) -> Iterator[Node | Flow | Again]:
    """A part of a program and all parts of it."""
    yield part
    if isinstance(part, Flow):
        for member in part.members:
            yield from everything_in(member)
    elif isinstance(part, Node) and part.inner is not None:
        yield from everything_in(part.inner)


def labelled(part: Any, label: str = "r") -> Any:
    """The same part, with a label for each of its parts that no other has."""
    if isinstance(part, Flow):
        members = tuple(labelled(member, f"{label}.{number}") for number, member in enumerate(part.members))
        return replace(part, label=label, members=members)
    if isinstance(part, Node) and part.inner is not None:
        return replace(part, label=label, inner=labelled(part.inner, f"{label}.i"))
    return replace(part, label=label)


_OVERRIDES = ("run_super", "run_alone", "run_mixin", "exec_super", "exec_alone")
_SYNC_STYLES = ("plain", *_OVERRIDES, "static", "class_method", "mixin")
_FLOW_STYLES = ("plain", "run_super", "run_alone", "orch_super", "orch_alone", "run_mixin", "routing")


def _one_in(number: int) -> st.SearchStrategy[bool]:
    return st.sampled_from((False,) * (number - 1) + (True,))


@st.composite
def _scripts(draw: st.DrawFn, *, most: int, one_in: int) -> tuple[str, ...]:
    # Most calls return: a program that fails at once shows little.
    if not draw(_one_in(one_in)):
        return ()
    step = st.sampled_from(("", "", "", *STEPS[:4], *STEPS[:4], *STEPS))
    return tuple(draw(st.lists(step, min_size=1, max_size=most)))


_names = st.sampled_from((None, None, "Ask", "look it up"))
_actions = st.lists(st.sampled_from(ACTIONS), max_size=3).map(tuple)
_items = st.tuples(
    st.sampled_from(("list", "list", "list", "tuple", "generator", "none")), st.sampled_from((2, 1, 3, 0))
)


@st.composite
def nodes(draw: st.DrawFn, *, depth: int, kinds: tuple[str, ...] = NODE_KINDS) -> Node:
    """Nodes of any kind."""
    kind = draw(st.sampled_from(kinds))
    styles = (*_SYNC_STYLES, "promise") if kind.startswith("Async") else _SYNC_STYLES
    inner = draw(flows(depth=0)) if depth > 0 and draw(_one_in(10)) else None
    return Node(
        kind=kind,
        class_name=draw(st.sampled_from(("Ask", "Search"))),
        name=draw(_names),
        max_retries=draw(st.sampled_from((1, 1, 2, 3, 0))),
        prep=draw(_scripts(most=2, one_in=20)),
        exec=draw(_scripts(most=4, one_in=3)),
        post=draw(_scripts(most=2, one_in=20)),
        fallback=draw(st.sampled_from(("default", "default", "returns", "raises", "wrong_signature"))),
        actions=draw(_actions),
        items=draw(_items),
        style=draw(st.sampled_from(styles)),
        awaits=draw(st.integers(0, 2)),
        inner=inner,
        catches=draw(st.booleans()),
    )


@st.composite
def flows(draw: st.DrawFn, *, depth: int, kinds: tuple[str, ...] = FLOW_KINDS) -> Flow:
    """Flows of any kind, with flows in them to a depth."""
    kind = draw(st.sampled_from(kinds))
    # In a flow that is not async an async node is an error, which is worth a try now and then.
    sync_only = not kind.startswith("Async") and not draw(_one_in(20))
    node_kinds = NODE_KINDS[:3] if sync_only else NODE_KINDS
    flow_kinds = FLOW_KINDS[:2] if sync_only else FLOW_KINDS
    node, again = nodes(depth=depth, kinds=node_kinds), st.builds(Again, number=st.integers(0, 5))
    choices = [node, node, node, again, flows(depth=depth - 1, kinds=flow_kinds)] if depth > 0 else [node]
    member: st.SearchStrategy[Any] = st.sampled_from(choices).flatmap(lambda choice: choice)
    empty = draw(_one_in(15))
    members = () if empty else tuple(draw(st.lists(member, min_size=1, max_size=4)))
    edges: list[Any] = []
    if members:
        place = st.integers(0, len(members) - 1)
        to = st.sampled_from((*range(len(members)), None))
        edge = st.tuples(place, st.sampled_from(("default", "again", "next", "fail")), to)
        chain = [(number, "default", number + 1) for number in range(len(members) - 1)]
        edges = [*chain, *draw(st.lists(edge, max_size=4))]
    return Flow(
        kind=kind,
        class_name=draw(st.sampled_from(("Chat", "Ask"))),
        name=draw(_names),
        members=members,
        edges=tuple(edges),
        rounds=draw(st.sampled_from((2, 1, 3, 0))),
        prep=draw(_scripts(most=1, one_in=25)),
        post=draw(_scripts(most=1, one_in=25)),
        actions=draw(_actions),
        style=draw(st.sampled_from(_FLOW_STYLES)),
        awaits=draw(st.integers(0, 2)),
    )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs: a flow nearly always, now and then a node that runs by itself."""
    root = draw(nodes(depth=1) if draw(_one_in(10)) else flows(depth=2))
    return Program(
        root=labelled(root),
        params=draw(st.sampled_from(({}, {"top": 1}))),
        cancel_after=draw(st.integers(0, 30)) if draw(_one_in(6)) else None,
        late=draw(st.booleans()),
    )
