"""What happens in a program, written down as it happens: what a trace of it has to show.

Nothing here knows of tracing. `instrumentation.narrated` is a PocketFlow that tells all it does. Programs whose classes
do without PocketFlow's own methods say so with the same functions.
"""

import contextlib
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

CURRENT: ContextVar["Happening | None"] = ContextVar("happening", default=None)

KINDS = {
    "BatchNode": "batch",
    "Flow": "flow",
    "BatchFlow": "batch_flow",
    "AsyncNode": "async",
    "AsyncBatchNode": "async_batch",
    "AsyncParallelBatchNode": "async_parallel_batch",
    "AsyncFlow": "async_flow",
    "AsyncBatchFlow": "async_batch_flow",
    "AsyncParallelBatchFlow": "async_parallel_batch_flow",
}


class Happening:
    """Something that began and ended.

    Attributes:
        span: The name its span has to have; None for a round of a flow that goes only once.
        subject: The node or flow it happens to.
        around: What it is part of.
        told: The attributes its span has to have.
        error: What it raised.
        raised_here: Whether nothing inside had raised that before.
    """

    @property
    def is_visit(self) -> bool:
        """Whether it is a node's visit or a flow's run."""
        return self.span is not None and self.span.startswith("invoke")

    def __init__(self, span: str | None, subject: Any, around: "Happening | None", **told: Any) -> None:
        self.span = span
        self.subject = subject
        self.around = around
        self.told = told
        self.error: BaseException | None = None
        self.raised_here = False
        self.raised_inside: list[BaseException] = []
        self.rounds = 0
        self.failed = 0
        self.tries = 0
        self.fallback = False
        self.size: int | None = None
        self.exec_ran = False
        self.previous: str | None = None
        self.names: dict[str, str] = {}
        self.visits: dict[str, int] = {}


class Story:
    """All that happened, in its order.

    Attributes:
        events: What began and ended.
    """

    def __init__(self, counts_on_node: bool) -> None:
        self.counts_on_node = counts_on_node
        self.events: list[tuple[str, Happening]] = []


_story = Story(counts_on_node=False)


@contextlib.contextmanager
def telling(*, counts_on_node: bool) -> Iterator[Story]:
    """Begins a new story.

    Args:
        counts_on_node: Whether an `AsyncNode` counts its tries in ``self.cur_retry``, which parallel items share.
    """
    global _story  # noqa: PLW0603 - methods of nodes have no other way to it
    _story = Story(counts_on_node)
    yield _story


@contextlib.contextmanager
def _happening(happening: Happening) -> Iterator[Happening]:
    story = _story
    story.events.append(("begin", happening))
    token = CURRENT.set(happening)
    try:
        yield happening
    except BaseException as error:
        happening.error = error
        happening.raised_here = not any(error is other for other in happening.raised_inside)
        if happening.around is not None and (happening.span is not None or not happening.raised_here):
            happening.around.raised_inside.append(error)
        raise
    finally:
        CURRENT.reset(token)
        story.events.append(("end", happening))


def _names(flow: Any) -> dict[str, str]:
    """The names of a flow's nodes by label, breadth first."""
    names: dict[str, str] = {}
    used: list[str] = []
    waiting = deque([flow.start_node])
    while waiting:
        node = waiting.popleft()
        if node is None or node.label in names:
            continue
        own = _own_name(node)
        used.append(own)
        names[node.label] = own if used.count(own) == 1 else f"{own}#{used.count(own)}"
        waiting.extend(node.successors.values())
    return names


def _own_name(node: Any) -> str:
    return node.__dict__.get("name") or type(node).__name__


def _library_classes(node: Any) -> list[type]:
    return [base for base in type(node).__mro__ if base.__module__ == "instrumentation.narrated"]


def _is(node: Any, name: str) -> bool:
    return name in [base.__name__ for base in _library_classes(node)]


def _kind(node: Any) -> str | None:
    return KINDS.get(_library_classes(node)[0].__name__)


def _routes_itself(flow: Any) -> bool:
    return next(base for base in type(flow).__mro__ if "get_next_node" in vars(base)).__name__ != "Flow"


@contextlib.contextmanager
def visiting(node: Any) -> Iterator[None]:
    """Tells of a node's visit or a flow's run, which may be part of one that has been told of."""
    around = CURRENT.get()
    if around is not None and around.subject is node:
        yield
        return
    is_flow = _is(node, "Flow")
    round_ = around if around is not None and around.span in (None, "iteration") else None
    run = round_.around if round_ is not None else None
    name = run.names[node.label] if run is not None else _own_name(node)
    visit = Happening(f"invoke_{'workflow' if is_flow else 'node'} {name}", node, around)
    if run is not None:
        run.visits[node.label] = visit.told["pocketflow.node.visit"] = run.visits.get(node.label, 0) + 1
        if round_.previous is not None:
            visit.told["graph.node.parent_id"] = round_.previous
    elif not is_flow:
        visit.told["pocketflow.node.visit"] = 1
    if (kind := _kind(node)) and (run is not None or kind != "flow"):
        visit.told["pocketflow.node.kind"] = kind
    if is_flow:
        visit.names = _names(node)
    try:
        with _happening(visit):
            yield
    finally:
        _end_of_visit(visit, node)
        if run is not None and visit.error is None:
            _tell_routing(visit, node, run)
            round_.previous = name


def returned(node: Any, action: Any) -> Any:
    """Notes the action that a visit came to."""
    visit = CURRENT.get()
    if visit is not None and visit.subject is node and visit.is_visit:
        visit.told["pocketflow.action"] = action or "default"
    return action


def _end_of_visit(visit: Happening, node: Any) -> None:
    if visit.error is not None:
        visit.told.pop("pocketflow.action", None)
    counts: dict[str, int] = {}
    if _is(node, "Flow"):
        counts["pocketflow.flow.visits"] = sum(visit.visits.values())
        if _is(node, "BatchFlow"):
            counts |= {"pocketflow.batch.size": visit.rounds, "pocketflow.batch.failed": visit.failed}
    elif _is(node, "BatchNode"):
        size = visit.rounds if visit.size is None else visit.size
        counts |= {"pocketflow.batch.size": size, "pocketflow.batch.failed": visit.failed}
        if node.max_retries != 1:
            visit.told["pocketflow.max_retries"] = node.max_retries
    elif visit.exec_ran:
        visit.told |= _tries(visit, node)
    visit.told |= {name: count for name, count in counts.items() if count}


def _tell_routing(visit: Happening, node: Any, run: Happening) -> None:
    action = visit.told["pocketflow.action"]
    if _routes_itself(run.subject) or not isinstance(action, str | int | float):
        return
    if action not in node.successors:
        if node.successors:
            visit.told["pocketflow.action.unrouted"] = True
    elif node.successors[action] is not None:
        visit.told["pocketflow.node.next"] = run.names[node.successors[action].label]


def _tries(trial: Happening, node: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    allowed = getattr(node, "max_retries", 1)
    if allowed != 1:
        told["pocketflow.max_retries"] = allowed
        if trial.tries != 1 and (trial.tries or allowed <= 0):
            told["pocketflow.attempts"] = trial.tries
    if trial.fallback:
        told["pocketflow.fallback"] = True
    return told


@contextlib.contextmanager
def orchestrating(flow: Any) -> Iterator[None]:
    """Tells of a flow going from node to node."""
    run = CURRENT.get()
    if run is None or run.span in (None, "iteration"):
        yield  # part of a round that has been told of
        return
    is_batch = _is(flow, "BatchFlow")
    told = {"pocketflow.batch.index": run.rounds} if is_batch else {}
    round_ = Happening("iteration" if is_batch else None, flow, run, **told)
    run.rounds += 1
    try:
        with _happening(round_):
            yield
    finally:
        run.failed += round_.error is not None


@contextlib.contextmanager
def executing(node: Any) -> Iterator[Happening]:
    """Tells of a node's ``_exec``, or of one item of a batch node."""
    around = CURRENT.get()
    assert around is not None
    around.exec_ran = True
    if not _is(node, "BatchNode"):
        yield around
        return
    item = Happening("item", node, around, **{"pocketflow.batch.index": around.rounds})
    around.rounds += 1
    try:
        with _happening(item):
            yield item
    finally:
        item.told |= _tries(item, node)
        around.failed += item.error is not None


@contextlib.contextmanager
def trying(node: Any) -> Iterator[None]:
    """Tells of one try of ``exec``."""
    trial = CURRENT.get()
    assert trial is not None
    trial.exec_ran = True
    if getattr(node, "max_retries", 1) <= 1:
        yield
        return
    trial.tries += 1
    told = {"pocketflow.attempt.number": trial.tries, "pocketflow.max_retries": node.max_retries}
    with _happening(Happening("attempt", node, trial, **told)):
        yield


def counts_on_node() -> bool:
    """Whether an `AsyncNode` counts its tries on itself, in the story being told."""
    return _story.counts_on_node


def exec_began(prep_res: Any) -> None:
    """Notes that a node's ``_exec`` has what ``prep`` returned, and how many items that is if it tells."""
    visit = CURRENT.get()
    assert visit is not None
    visit.exec_ran = True
    if isinstance(prep_res, list | tuple):
        visit.size = len(prep_res)
