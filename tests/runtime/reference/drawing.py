"""Values, references and conditions of random documents."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

LITERALS = ("0", "7", '"x"', "null", "[1,2]")

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Known:
    """What can be referred to, where in it there is something, and whether it may be missing."""

    name: str
    paths: tuple[str, ...]
    lists: tuple[str, ...] = ()
    may_miss: bool = False
    kind: str = "item"

    @property
    def is_node(self) -> bool:
        return self.kind != "item"


INPUTS = Known("inputs", (".number", ".list[1]"))


@dataclass
class Place:
    """Where a node stands.

    Attributes:
        known: What it can refer to there.
        at: What tells one run of the flow from another: the items around it, the nodes that hold its document.
        items: References to those of the items that it can see.
        depth: How many flows it is inside of.
        keys: The store's keys in sight that nobody writes meanwhile.
        folder: Its document's folder.
    """

    known: list[Known]
    at: list[str] = field(default_factory=list)
    items: tuple[str, ...] = ()
    depth: int = 1
    keys: list[str] = field(default_factory=lambda: ["number"])
    folder: str = ""

    def inside(self) -> "Place":
        return replace(self, depth=self.depth + 1, known=list(self.known), keys=list(self.keys))


@dataclass(frozen=True)
class Wanted:
    """What documents may be like.

    Attributes:
        holds_nodes: Whether there are nodes that hold nodes.
        names_others: Whether there are nodes that are other documents.
        hangs: Whether nodes wait for ever, until they are given up.
        in_line: Whether nodes run in one order only where one runs at a time: then no node runs beside one that holds
            others, and what a node sees may depend on which of several before it was done first.
    """

    holds_nodes: bool = True
    names_others: bool = True
    hangs: bool = True
    in_line: bool = False


class Drawing:
    """Draws the small parts of a document.

    Args:
        draw: Hypothesis's.
        wanted: What the document may be like.
    """

    def __init__(self, draw: Draw, wanted: Wanted) -> None:
        self.draw, self.wanted = draw, wanted
        self.names = 0

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def one_of(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def items(self, place: Place) -> Any:
        """What a map goes over: no item twice, for they tell calls apart."""
        lists = [f"{one.name}{path}" for one in place.known for path in one.lists]
        if lists and self.chance(50):
            return f"${{{self.one_of(lists)} ?? []}}"
        return self.one_of([[0, 1, 2], [4, 0], [], "${inputs.list}"])

    def reference(self, place: Place) -> str:
        store = Known("store", tuple(f".{key}" for key in place.keys), may_miss=True)
        one = self.one_of([INPUTS, store, *place.known])
        text = one.name + self.one_of(one.paths)
        if one.may_miss or (one.is_node and self.chance(40)):
            text += f" ?? {self.one_of(LITERALS)}"
        return f"${{{text}}}"

    def value(self, place: Place) -> Any:
        form = self.draw(st.integers(0, 5))
        if form == 0:
            return self.draw(st.integers(0, 9))
        if form == 1:
            return {"a": self.reference(place), "b": [self.reference(place), True]}
        if form == 2:
            return f"of {self.reference(place)} and {self.reference(place)}"
        return self.reference(place)

    def condition_text(self, place: Place) -> str:
        terms = []
        for _ in range(self.draw(st.integers(1, 2))):
            one = self.one_of([Known("inputs", (".number",)), *place.known])
            path = one.name + self.one_of([path for path in one.paths if "[" not in path])
            if one.may_miss or "." not in path or self.chance(40):
                terms.append(self.one_of([f"exists({path})", f"default({path}, 1) != 4"]))
            else:
                terms.append(f"{path} {self.one_of(['==', '!='])} {self.draw(st.integers(0, 9))}")
        return self.one_of([" and ", " or "]).join(terms)
