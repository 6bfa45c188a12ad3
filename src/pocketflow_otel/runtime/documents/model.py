"""The parts of a document, one model each. What a field may hold is said here once: for checks, editors and readers."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
CONNECTION_PATTERN: Final = r"^[a-z][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]{0,63}$"
RESERVED_NAMES: Final = frozenset({"inputs", "env", "run", "store", "error", "output", "index", "continue", "end"})
"""Names with a meaning of their own in references and edges: no node or item is called so."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
ConnectionName = Annotated[str, StringConstraints(pattern=CONNECTION_PATTERN)]
ConditionText = Annotated[str, StringConstraints(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
Parallel = Annotated[int, Field(ge=1, le=1000)]


class Part(BaseModel):
    """A part of a document: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Input(Part):
    """A value that a run is given.

    Attributes:
        type: Which kind of value it is; texts from a command line are turned into it.
        description: What it is for.
        default: What it is where none is given; without one it has to be given.
        choices: The only values it may have.
        secret: Whether it is masked wherever it is shown.
    """

    type: Literal["text", "integer", "number", "boolean", "list", "object", "any"] = "any"
    description: str = ""
    default: Any = None
    choices: list[Any] | None = None
    secret: bool = False

    @property
    def is_required(self) -> bool:
        """Whether a run has to give it."""
        return "default" not in self.model_fields_set


class Retry(Part):
    """When a node that fails is tried again.

    Attributes:
        tries: How often it is tried at most, the first time included.
        wait: Seconds before the second try.
        backoff: By what the wait is multiplied after each further try.
        max_wait: Seconds that a wait takes at most.
        on: Names of the errors that are worth another try, their bases' names too; all where there are none. What reads
            the document as YAML 1.1 takes it for true, unless it stands in quotes.
    """

    tries: Annotated[int, Field(ge=1, le=1000)]
    wait: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 0.0
    backoff: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = 1.0
    max_wait: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 3600.0
    on: list[str] = []


class Node(Part):
    """A node.

    Attributes:
        type: A node type: one that comes along or is installed, or ``module:Class`` or ``module:function``.
        description: What it does, for people.
        with_: What its type is given; references in it are resolved before each run of the node.
        when: A condition; where it is false, the node is skipped.
        needs: Nodes that come before it, besides those that it refers to. By data only.
        join: How many of the nodes before it have to succeed: all, any (once all are settled), first, or so many.
        reads: For PocketFlow classes: key as the class reads it, to the key of the store, or a reference.
        writes: For PocketFlow classes: key as the class writes it, to the key of the store.
        action: A template of the action, for types that choose none themselves; ``${output…}`` is the node's output.
        retry: When it is tried again.
        timeout: Seconds that a try may take.
        on_error: ``continue``, or the node that takes over, where it fails.
        fallback: With ``on_error: continue``, its output where it failed.
        undo: The node that takes back what it did, where the run fails later.
        priority: Among nodes that are ready, greater ones go first.
        visits: How often it may run in one run of its flow.
    """

    type: str
    description: str = ""
    with_: dict[str, Any] = Field(default={}, alias="with")
    when: ConditionText | None = None
    needs: list[Name] = []
    join: Literal["all", "any", "first"] | Annotated[int, Field(ge=1)] = "all"
    reads: dict[str, Any] = {}
    writes: dict[str, str] = {}
    action: str | None = None
    retry: Retry | None = None
    timeout: Seconds | None = None
    on_error: Name | None = None
    fallback: Any = None
    undo: Name | None = None
    priority: int = 0
    visits: Annotated[int, Field(ge=1)] | None = None


class Edge(Part):
    """Where an action leads.

    Attributes:
        from_: The node that chooses it.
        action: The action.
        to: The node that follows; ``end`` where none does.
    """

    from_: Name = Field(alias="from")
    action: str = "default"
    to: Name


class Limits(Part):
    """What a run may take.

    Attributes:
        visits: Runs of nodes.
        seconds: Seconds from its start.
        tokens: Tokens of models.
        usd: US dollars that models cost.
        parallel: Nodes at once.
    """

    visits: Annotated[int, Field(ge=1)] | None = None
    seconds: Seconds | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None
    usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    parallel: Parallel = 8


class Defaults(Part):
    """What holds for all nodes that do not say otherwise.

    Attributes:
        retry: As of a node.
        timeout: As of a node.
    """

    retry: Retry | None = None
    timeout: Seconds | None = None


Nodes = dict[Name, Node]


class Document(Part):
    """A workflow.

    Attributes:
        workflow: Its name.
        description: What it does.
        inputs: What a run is given.
        connections: Ways to outside systems by ``family.alias``; nodes name them ``@family.alias``.
        limits: What a run may take.
        defaults: What holds for all nodes.
        start: By action: the node to begin with; the first one where it is not said.
        nodes: The nodes by name, in order.
        edges: Which node follows which action. With edges nodes are ordered by action, without by data.
        outputs: What a run gives back: templates by name. Without them, what the nodes give that no other node uses.
    """

    workflow: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    description: str = ""
    inputs: dict[Name, Input] = {}
    connections: dict[ConnectionName, dict[str, Any]] = {}
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    start: Name | None = None
    nodes: Annotated[Nodes, Field(min_length=1)]
    edges: list[Edge] = []
    outputs: dict[Name, Any] = {}


class MapConfig(Part):
    """Runs nodes for each item of a list.

    Attributes:
        over: The list, or a reference to one.
        as_: What an item is called inside; its number is ``index``.
        parallel: How many items at once.
        on_error: Whether an item that fails ends the map, or leaves null in its place.
        do: The nodes.
        edges: As of a document.
        start: As of a document.
        output: A template of what an item gives; without it, what each node that no other uses gives, by name.
    """

    over: Any = Field(examples=[["a", "b"]])
    as_: Name = Field(default="item", alias="as")
    parallel: Parallel = 1
    on_error: Literal["stop", "continue"] = "stop"
    do: Annotated[Nodes, Field(min_length=1)]
    edges: list[Edge] = []
    start: Name | None = None
    output: Any = None


class ParallelConfig(Part):
    """Runs nodes side by side.

    Attributes:
        do: The nodes.
        output: A template of what the group gives; without it, what each node that no other uses gives, by name.
    """

    do: Annotated[Nodes, Field(min_length=1)]
    output: Any = None


class WorkflowConfig(Part):
    """Runs a workflow as a node: another document, or nodes in place.

    Attributes:
        path: The other document; a relative path begins at this document's folder.
        inputs: What the other document is given.
        do: The nodes, in place.
        edges: As of a document.
        start: As of a document.
        output: A template of what it gives; a document gives its outputs.
    """

    path: str | None = None
    inputs: dict[Name, Any] = {}
    do: Nodes = {}
    edges: list[Edge] = []
    start: Name | None = None
    output: Any = None


BODIES: Final[dict[str, type[MapConfig | ParallelConfig | WorkflowConfig]]] = {
    "map": MapConfig,
    "parallel": ParallelConfig,
    "workflow": WorkflowConfig,
}
"""The types whose nodes hold nodes."""
