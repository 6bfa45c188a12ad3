"""What a node type is: a function with a model of its configuration, a PocketFlow class, or a holder of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pocketflow_otel.visiting import Paused

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from pocketflow_otel.runtime.registry.shapes import Shape


class Context(Protocol):
    """What a node's code may know of, and ask from, the run it belongs to.

    Attributes:
        run_id: The run.
        workflow: The workflow's name.
        node: The node; of a node inside others, ``outer.inner``.
        visit: Which run of the node this is in the workflow's, from 1.
        attempt: Which try, from 1.
        key: The same for every try of one visit, and for no other: for systems that know idempotency keys.
        base: The folder of the document: relative paths begin here.
        allow_shell: Whether commands may be run.
        decisions: What people have decided beforehand, by node.
        may_ask: Whether a person may be waited for.
    """

    run_id: str
    workflow: str
    node: str
    visit: int
    attempt: int
    key: str
    base: Path
    allow_shell: bool
    decisions: Mapping[str, str]
    may_ask: bool

    @property
    def artifacts(self) -> Path:
        """The run's folder for files that stay; made when first asked for."""

    @property
    def working(self) -> Path:
        """The run's folder for files that go when it succeeds; made when first asked for."""

    @property
    def cancelled(self) -> bool:
        """Whether the run wants to end: work that takes long looks here now and then."""

    def wait(self, seconds: float) -> bool:
        """Waits, but not longer than the run goes on; whether it has been cancelled."""

    def connection(self, reference: str) -> Any:
        """What ``@family.alias`` stands for, opened; the run closes it."""

    def count(self, **counts: float) -> None:
        """Adds to what the node is said to have done: ``rows_read=10``."""

    def progress(self, done: int, total: int | None = None, unit: str = "items") -> None:
        """Tells how far the node has come."""

    def chunk(self, text: str) -> None:
        """Tells a piece of an output that is still being made."""

    def mask(self, text: str) -> str:
        """The text without the run's secrets."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a node gives, where it says more than a value.

    Attributes:
        body: The value.
        action: The action it chose.
        meta: What else is known of it, as JSON values.
    """

    body: Any
    action: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


class Waiting(Paused):
    """A node waits for what the run cannot bring about, such as a person: the run ends, waiting.

    Args:
        reason: What is waited for, and what to do about it.
    """


Call = Callable[[Any, Context], Any]
"""Takes the checked configuration and the context, and returns a value or an `Output`, or a coroutine of one.

A coroutine function runs in the run's event loop, any other function in a thread. A coroutine that a function returns
is awaited in the event loop."""


Finding = tuple[tuple[str | int, ...], str] | tuple[tuple[str | int, ...], str, int]
"""What a type finds wrong: as of `FunctionType.check`."""


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A node type that is a function.

    Attributes:
        name: What documents call it.
        summary: What it does, in a sentence.
        config: What ``with`` holds. Its docstring's ``Attributes`` and its fields' descriptions are its documentation.
        call: Does it.
        actions: The actions it chooses among; empty where it chooses none.
        output: What it gives, in a few words.
        permission: What the run has to allow for it: ``shell``.
        check: Looks at ``with`` as the document has it, references unresolved; gives what is wrong: the path in
            ``with``, a sentence and, if it is about a part of a text, the character at which that begins, from 0.
        writes_store: Whether what it gives, an object, is also written to the run's store, key by key.
        expressions: Where in ``with`` conditions or expressions stand, as paths; ``*`` stands for every key or index
            there: ``("cases", "*", "when")``. `expressions.config.parse_config` reads them together with the
            references, and hands ``call`` a `Bound` for each.
        gives: What is known of what it gives, for references to be checked when a document is loaded: a `Shape`, or a
            function that tells it by ``with`` as the document has it. None where nothing is known.
        functions: Fields of ``with`` that name a function as ``module:function``. A document is refused where there is
            none; their modules are imported for that.
    """

    name: str
    summary: str
    config: type[BaseModel]
    call: Call
    actions: tuple[str, ...] = ()
    output: str = ""
    permission: Literal["shell"] | None = None
    check: Callable[[Mapping[str, Any]], Sequence[Finding]] | None = None
    writes_store: bool = False
    expressions: tuple[tuple[str, ...], ...] = ()
    gives: Shape | Callable[[Mapping[str, Any]], Shape | None] | None = None
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassType:
    """A node type that is a PocketFlow class, or a function that makes such a node.

    Attributes:
        name: What documents call it.
        summary: What it does, in a sentence.
        config: What ``with`` holds: the arguments of its constructor.
        make: Makes a node of checked arguments: ``make(**signatures.arguments(config))``.
    """

    name: str
    summary: str
    config: type[BaseModel]
    make: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class HolderType:
    """A node type whose nodes hold nodes.

    Attributes:
        name: What documents call it.
        summary: What it does, in a sentence.
        config: What ``with`` holds.
        output: What it gives, in a few words.
    """

    name: str
    summary: str
    config: type[BaseModel]
    output: str


NodeType = FunctionType | ClassType | HolderType
