"""Descriptions of PocketFlow programs that call models, and strategies that draw them.

A description is plain data; `llm.running` makes nodes and flows of it.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from hypothesis import strategies as st

from fixtures.llm_vendors import APIS, Operation, Vendor
from pocketflow_otel.llm.usage import Usage

# A few that are alike, for what tells calls apart by their counts must not confuse them.
_USAGES: Final = (
    Usage(input_tokens=12, output_tokens=3),
    Usage(input_tokens=12, output_tokens=3),
    Usage(input_tokens=120, output_tokens=30, cached_input_tokens=20, cache_write_tokens=5, reasoning_tokens=7),
    Usage(input_tokens=12, output_tokens=30, cached_input_tokens=12, reasoning_tokens=30),
    Usage(input_tokens=1),
)
_MODELS: Final[dict[Vendor, tuple[str, ...]]] = {
    "openai": ("gpt-4o-mini", "gpt-4o"),
    "anthropic": ("claude-imaginary",),
    "google": ("gemini-2.5-flash",),
}
# Each vendor and operation has models of its own: without ids, calls of one model at once could pass for the same.
_EMBEDDING_MODELS: Final[dict[Vendor, tuple[str, ...]]] = {
    "openai": ("embedding-imaginary",),
    "google": ("gemini-embedding-imaginary",),
}
_WAYS: Final = [(api.vendor, api.operation, stream) for api in APIS for stream in (False, True)
                if api.delta or not stream]  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """A call of a model.

    Attributes:
        vendor: Whose client makes it.
        operation: What it does.
        model: The model asked.
        usage: What it uses.
        stream: Whether its answer comes in events, of which the program keeps the text.
        include_usage: Whether a stream's usage is asked for.
        tells_usage: Whether the server tells the usage at all.
        error: The HTTP status that the first request meets.
        lasting: Whether every further request meets it as well: then the client gives up.
    """

    vendor: Vendor = "openai"
    operation: Operation = "chat"
    model: str = "gpt-4o-mini"
    usage: Usage = _USAGES[0]
    stream: bool = False
    include_usage: bool = True
    tells_usage: bool = True
    error: int | None = None
    lasting: bool = False


@dataclass(frozen=True)
class Step:
    """What one method does: its calls, and how it ends.

    Attributes:
        asks: The calls.
        manner: ``turns``, ``threads``, or in async methods ``gather`` or ``blocking``.
        raises: Whether it raises after its calls; one whose client gave up does in any case where it is a try.
    """

    asks: tuple[Ask, ...] = ()
    manner: str = "turns"
    raises: bool = False


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes:
        kind: The class of PocketFlow it is of.
        name: Its name, which no other part of the program has.
        prep: What ``prep`` does.
        tries: What ``exec`` does, one try after the other; an item begins with the try of its number.
        fallback: What ``exec_fallback`` does; None where it is not defined.
        post: What ``post`` does.
        max_retries: How often it may try.
        items: How many items a batch node has.
        returns: What ``exec`` makes of the responses: the ``first``, a ``list``, a ``dict`` or ``texts``.
        stores: What ``post`` stores of all responses of the visit: the ``same``, a ``dump``, the ``bare`` usage, or the
            ``usage`` of those alone that ``exec`` returned; None to store none.
        inner: A flow that ``exec`` runs before its calls, on a store of its own.
        back: How often it goes back to where the flow starts.
    """

    kind: str
    name: str = ""
    prep: Step = Step()
    tries: tuple[Step, ...] = (Step(),)
    fallback: Step | None = None
    post: Step = Step()
    max_retries: int = 1
    items: int = 2
    returns: str = "texts"
    stores: str | None = None
    inner: "Flow | None" = None
    back: int = 0


@dataclass(frozen=True)
class Flow:
    """A flow.

    Attributes:
        kind: The class of PocketFlow it is of.
        name: Its name, which no other part of the program has.
        members: Its nodes, visited in this order.
        rounds: How many rounds a batch flow has.
        prep: What ``prep`` does.
        post: What ``post`` does.
    """

    kind: str
    members: "tuple[Node | Flow, ...]"
    name: str = ""
    rounds: int = 2
    prep: Step = Step()
    post: Step = Step()


def named(part: Any, name: str = "r") -> Any:
    """The same part of a program, with a name for each part of it that no other has."""
    if isinstance(part, Flow):
        members = tuple(named(member, f"{name}.{number}") for number, member in enumerate(part.members))
        return replace(part, name=name, members=members)
    return replace(part, name=name, inner=named(part.inner, f"{name}.i") if part.inner is not None else None)


def _one_in(number: int) -> st.SearchStrategy[bool]:
    return st.sampled_from((False,) * (number - 1) + (True,))


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """Calls of any vendor, of which most succeed."""
    vendor, operation, stream = draw(st.sampled_from(_WAYS))
    # The official instrumentation logs an error of its own of a stream of Anthropic's that tells no usage.
    silent = not (vendor == "anthropic" and stream) and draw(_one_in(6))
    return Ask(
        vendor=vendor,
        operation=operation,
        model=draw(st.sampled_from((_EMBEDDING_MODELS if operation == "embeddings" else _MODELS)[vendor])),
        usage=draw(st.sampled_from(_USAGES)),
        stream=stream,
        include_usage=not draw(_one_in(3)),
        tells_usage=not silent,
        error=draw(st.sampled_from((None, None, None, None, 429, 500))),
        lasting=draw(st.booleans()),
    )


@st.composite
def steps(draw: st.DrawFn, *, most: int, raising: bool = False) -> Step:
    """Steps with a number of calls."""
    return Step(
        asks=tuple(draw(st.lists(asks(), max_size=most))),
        manner=draw(st.sampled_from(("turns", "turns", "threads", "gather", "gather", "blocking"))),
        raises=raising and draw(_one_in(3)),
    )


_SYNC_NODES: Final = ("Node", "Node", "BatchNode")
_ASYNC_NODES: Final = (*_SYNC_NODES, "AsyncNode", "AsyncNode", "AsyncBatchNode", "AsyncParallelBatchNode")
_SYNC_FLOWS: Final = ("Flow", "BatchFlow")
_ASYNC_FLOWS: Final = ("AsyncFlow", "AsyncFlow", "AsyncBatchFlow", "AsyncParallelBatchFlow")


@st.composite
def nodes(draw: st.DrawFn, *, kinds: tuple[str, ...], parallel: bool, nests: bool) -> Node:
    """Nodes of some kinds.

    Args:
        kinds: The kinds.
        parallel: Whether other nodes run in the same time: then it does not raise, for that would leave the others
            running, nor store anything, for another's visit may be taken to have stored it.
        nests: Whether its ``exec`` may run a flow.
    """
    kind = draw(st.sampled_from(kinds))
    must_return = parallel or "Parallel" in kind
    quiet = st.just(Step()) if draw(st.booleans()) else steps(most=1)
    return Node(
        kind=kind,
        prep=draw(quiet),
        tries=tuple(draw(st.lists(steps(most=3, raising=True), min_size=1, max_size=3))),
        fallback=draw(steps(most=1)) if must_return or draw(st.booleans()) else None,
        post=draw(quiet),
        max_retries=draw(st.sampled_from((1, 2, 3))),
        items=draw(st.sampled_from((2, 1, 3, 0))),
        returns=draw(st.sampled_from(("first", "list", "dict", "texts"))),
        stores=None if parallel else draw(st.sampled_from((None, "same", "dump", "usage", "bare"))),
        inner=draw(flows(kinds=_kinds_within(kind), depth=0)) if nests and draw(_one_in(6)) else None,
        back=draw(st.sampled_from((0, 0, 0, 1))),
    )


def _kinds_within(kind: str) -> tuple[str, ...]:
    return _ASYNC_FLOWS if kind.startswith("Async") else _SYNC_FLOWS


@st.composite
def flows(draw: st.DrawFn, *, kinds: tuple[str, ...], depth: int, parallel: bool = False) -> Flow:
    """Flows of some kinds, with flows in them to a depth."""
    kind = draw(st.sampled_from(kinds))
    runs_async = kind.startswith("Async")
    parallel = parallel or "Parallel" in kind
    node = nodes(kinds=_ASYNC_NODES if runs_async else _SYNC_NODES, parallel=parallel, nests=depth > 0)
    member: st.SearchStrategy[Any] = node
    if depth > 0:
        kinds_inside = (*_SYNC_FLOWS, *_ASYNC_FLOWS) if runs_async else _SYNC_FLOWS
        member = st.one_of(node, node, node, flows(kinds=kinds_inside, depth=depth - 1, parallel=parallel))
    return Flow(
        kind=kind,
        members=tuple(draw(st.lists(member, min_size=1, max_size=2 + depth))),
        rounds=draw(st.sampled_from((2, 1, 3))),
        prep=draw(st.just(Step()) | steps(most=1)),
        post=draw(st.just(Step()) | steps(most=1)),
    )


_CHAT: Final = Ask()
_SILENT: Final = Ask(stream=True, include_usage=False)
_EMBED: Final = Ask(operation="embeddings", model="embedding-imaginary")
_GOOGLE_EMBED: Final = Ask(vendor="google", operation="embeddings", model="gemini-embedding-imaginary")
_CLAUDE: Final = Ask(vendor="anthropic", model="claude-imaginary")
_GEMINI: Final = Ask(vendor="google", model="gemini-2.5-flash", stream=True)

ALIKE: Final = named(
    Flow(
        "AsyncFlow",
        (
            Node("AsyncNode", tries=(Step((_CHAT, _CHAT, _CLAUDE, _GEMINI, _EMBED), "gather"),), returns="list"),
            Node("AsyncNode", tries=(Step((_SILENT, _SILENT, _GOOGLE_EMBED, _GOOGLE_EMBED), "threads"),)),
            Node("Node", tries=(Step((_EMBED, _EMBED, _CLAUDE)),), returns="dict", stores="usage", back=1),
            Node("BatchNode", tries=(Step((_EMBED, _CHAT)),), returns="list", stores="usage", items=3),
            Node("AsyncParallelBatchNode", tries=(Step((_CHAT, _CLAUDE), "gather"),), returns="list", stores="dump"),
        ),
    )
)
"""Calls that hardly anything tells apart: at once, in turn, in visit after visit; some of which tell no usage."""

IN_VAIN: Final = named(
    Flow(
        "BatchFlow",
        (
            Node(
                "Node",
                tries=(Step((_CHAT, _SILENT), raises=True), Step((_CLAUDE,), raises=True), Step((_CHAT,))),
                max_retries=2,
                fallback=Step((_GEMINI,)),
                inner=Flow("Flow", (Node("Node", tries=(Step((_CHAT,), raises=True), Step((_CHAT,))), max_retries=2),)),
            ),
            Node(
                "Node",
                tries=(Step(),),
                max_retries=2,
                fallback=Step(),
                inner=Flow("Flow", (Node("Node", tries=(Step((_CHAT,), raises=True),), max_retries=2),)),
            ),
        ),
    )
)
"""Tries that fail after their calls, within tries that fail."""


def programs() -> st.SearchStrategy[Flow]:
    """Whole programs."""
    return flows(kinds=(*_SYNC_FLOWS, *_ASYNC_FLOWS), depth=1).map(named)


def programs_that_tell() -> st.SearchStrategy[Flow]:
    """Whole programs whose results tell apart calls that nobody else knows of: a bare usage may be of any."""
    return programs().map(_telling)


def _telling(part: Any) -> Any:
    if isinstance(part, Flow):
        return replace(part, members=tuple(_telling(member) for member in part.members))
    stores = "usage" if part.stores == "bare" else part.stores
    return replace(part, stores=stores, inner=_telling(part.inner) if part.inner is not None else None)
