"""When a node of a flow by data may begin."""

from collections.abc import Iterator

from runtime.reference.expressions import heads
from runtime.reference.model import Flow, Groups, Settled, each


def dependencies(flow: Flow, name: str) -> tuple[set[str], set[str]]:
    """What a node waits for in its flow: the nodes that have to succeed, and those that only have to be over."""
    spec = flow.do[name]
    found: dict[bool, set[str]] = {False: set(spec.get("needs", [])), True: set()}
    for head, optional in heads(spec):
        if head in flow.scheduled:
            found[optional].add(head)
    return found[False], found[True] - found[False]


def readiness(flow: Flow, name: str, settled: dict[str, Settled]) -> str:
    """Whether a node can begin (`ready`), can never begin (`skip`), or neither yet (`wait`)."""
    hard, soft = dependencies(flow, name)
    join = flow.do[name].get("join", "all")
    succeeded = {one for one in hard if one in settled and settled[one].succeeded}
    open_ = hard - settled.keys()
    if join == "all":
        reached, lost = succeeded == hard, len(succeeded) + len(open_) < len(hard)
    elif join == "any":
        reached, lost = bool(succeeded) and not open_, not succeeded and not open_
    else:
        count = 1 if join == "first" else join
        reached, lost = len(succeeded) >= count, len(succeeded) + len(open_) < count
    if lost:
        return "skip"
    return "ready" if reached and soft <= settled.keys() else "wait"


def groups(flow: Flow, name: str, settled: dict[str, Settled]) -> Iterator[Groups]:
    """What has to be over before any visit in a node that is ready."""
    hard, soft = dependencies(flow, name)
    join = flow.do[name].get("join", "all")
    if join in ("all", "any"):
        hard, soft = set(), hard | soft
    if hard:
        yield Groups(1 if join == "first" else join, tuple(hard), settled)
    for one in soft:
        yield from each(settled[one].visits)
