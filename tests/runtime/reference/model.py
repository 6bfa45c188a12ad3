"""What the reference interpreter works on, and what it tells of a run."""

import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runtime.reference.expressions import MissingValue

HOLDERS = ("map", "parallel", "workflow")

Identity = tuple[str, tuple[Any, ...], int]  # of a visit: the node, the items around it, which of its visits


@dataclass(frozen=True)
class Workflow:
    """A document, and those that it names, by their paths from its folder."""

    document: dict[str, Any]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def saved(self, folder: Path) -> Path:
        """Writes all of them; gives the path of the first."""
        for path, document in {**self.files, "workflow.json": self.document}.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(document))
        return folder / "workflow.json"


class Stop(Exception):
    """The run, or the body that it happens in, ends."""

    def __init__(self, node: str, type: str) -> None:
        super().__init__(node, type)
        self.node, self.type = node, type


class Failure(Stop):
    """A node failed."""


class Limit(Stop):
    """A node or a document was visited too often: the run ends, whatever nodes around it say of failures."""


class TimedOut(Stop):
    """A node that holds nodes is given up: whatever is inside ends, and then it fails."""


@dataclass
class Settled:
    succeeded: bool
    visits: frozenset[Identity]


@dataclass(frozen=True)
class Groups:
    """Before a visit may begin, all visits in at least `count` of these nodes have ended, as those that succeed.

    Which other nodes succeed is known once all of them are settled.
    """

    count: int
    nodes: tuple[str, ...]
    settled: dict[str, Settled]

    @property
    def groups(self) -> list[frozenset[Identity]]:
        known = [self.settled[node] for node in self.nodes if node in self.settled]
        return [one.visits for one in known if one.succeeded]


def each(identities: Iterable[Identity]) -> Iterator[Groups]:
    """All of these have ended."""
    for identity in identities:
        yield Groups(1, ("",), {"": Settled(True, frozenset({identity}))})


@dataclass
class Visit:
    """A visit of a node that has code: how often the code is called in it, and what has to be over before."""

    identity: Identity
    calls: int
    succeeds: bool
    after: tuple[Groups, ...]
    certain: bool = True


@dataclass
class Entry:
    """What is to be told of a visit, or of a node that was skipped.

    Attributes:
        node: With the nodes around it.
        status: As in a result.
        output: What it gave.
        certain: Whether it had to come to it.
        unrouted: The status that it had before its action led nowhere, which it keeps where the run has ended before.
    """

    node: str
    status: str
    output: Any = None
    certain: bool = True
    unrouted: str | None = None


@dataclass
class Undone:
    """A run of an undo node, and what it was told: what its node gave, and which one failed."""

    node: str
    at: tuple[Any, ...]
    gave: Any
    because: str
    succeeds: bool
    certain: bool = True


@dataclass
class Done:
    """A visit that may have to be undone."""

    undo: str | None
    output: Any
    scope: "Scope"
    inner: list["Done"]


@dataclass
class Flow:
    """Nodes and what orders them."""

    do: dict[str, dict[str, Any]]
    edges: list[dict[str, str]] = field(default_factory=list)
    start: str | None = None

    def __post_init__(self) -> None:
        called = {spec.get(role) for spec in self.do.values() for role in ("on_error", "undo")}
        self.scheduled = [name for name in self.do if name not in called]

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> "Flow":
        return cls(document["nodes"], document.get("edges", []), document.get("start"))

    @classmethod
    def of_body(cls, config: dict[str, Any]) -> "Flow":
        return cls(config["do"], config.get("edges", []), config.get("start"))


def other_document(workflow: Workflow, folder: str, path: str) -> tuple[dict[str, Any], str]:
    """The document that one in a folder names, and the folder of that."""
    path = posixpath.normpath(posixpath.join(folder, path))
    return workflow.files[path], posixpath.dirname(path)


def nested(workflow: Workflow) -> Iterator[tuple[str, dict[str, Any], Flow]]:
    """All nodes by their paths, with the flows that they stand in; a document's as often as it is named."""
    waiting = [("", "", Flow.of_document(workflow.document))]
    while waiting:
        prefix, folder, flow = waiting.pop()
        for name, spec in flow.do.items():
            yield prefix + name, spec, flow
            if spec["type"] in HOLDERS:
                inside = f"{prefix}{name}."
                if "path" in spec["with"]:
                    document, inner_folder = other_document(workflow, folder, spec["with"]["path"])
                    waiting.append((inside, inner_folder, Flow.of_document(document)))
                else:
                    waiting.append((inside, folder, Flow.of_body(spec["with"])))


@dataclass
class Home:
    """One run of a document.

    Attributes:
        document: The document.
        folder: Where it stands, and paths in it begin.
        around: Of a document that is a node of another: that one's.
        visits: How many visits there were in it, and in documents inside it.
    """

    document: dict[str, Any]
    folder: str = ""
    around: "Home | None" = None
    visits: int = 0

    @property
    def retry(self) -> dict[str, Any] | None:
        return self.document.get("defaults", {}).get("retry")


@dataclass
class Scope:
    """What can be seen from inside a flow."""

    flow: Flow
    home: Home
    names: dict[str, Any]
    store: dict[str, Any]
    prefix: str = ""
    at: tuple[Any, ...] = ()
    outer: "Scope | None" = None
    outputs: dict[str, Any] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    visited: Counter[str] = field(default_factory=Counter)

    def __call__(self, head: str) -> Any:
        if head == "store":
            return self.whole_store()
        if head in self.names:
            return self.names[head]
        if head in self.outputs:
            return self.outputs[head]
        if self.outer is None:
            raise MissingValue(head)
        return self.outer(head)

    def whole_store(self) -> dict[str, Any]:
        return {**(self.outer.whole_store() if self.outer else {}), **self.store}

    def with_names(self, **names: Any) -> "Scope":
        """The same scope, as one node sees it."""
        return replace(self, names={**self.names, **names})
