"""Random documents, as dicts: all that the interpreter knows, in any combination that is valid."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

HERE = "runtime.reference.nodes_for_documents"
DEEPEST = 3
LITERALS = ("0", "7", '"x"', "null", "[1,2]")
INPUTS = {"number": {"type": "integer", "default": 3}, "list": {"type": "list", "default": [2, 5, 9]}}

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Known:
    """A node or an item that can be referred to, where in it there is something, and whether it may be missing."""

    name: str
    paths: tuple[str, ...]
    lists: tuple[str, ...] = ()
    may_miss: bool = False
    kind: str = "item"

    @property
    def is_node(self) -> bool:
        return self.kind != "item"


@dataclass
class Place:
    """Where a node stands: what it can refer to there, the items around it, and the store's keys in sight."""

    known: list[Known]
    items: tuple[str, ...] = ()
    depth: int = 1
    keys: list[str] = field(default_factory=lambda: ["number"])


@dataclass
class Writer:
    """Writes documents.

    Args:
        draw: Hypothesis's.
        holds_nodes: Whether there are maps, groups and workflows in place.
        timed: Whether what a node sees may depend on which of several nodes is done first.
    """

    draw: Draw
    holds_nodes: bool
    timed: bool
    names: int = 0

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def one_of(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def flow(self, place: Place, by_action: bool) -> tuple[dict[str, Any], list[Known]]:
        """What stands under `do` and `edges`, and what the flow's end can refer to."""
        place = replace(place, known=list(place.known), keys=list(place.keys))
        nodes, edges = self.by_action(place) if by_action else (self.by_data(place), [])
        own = [known for known in place.known if known.name in nodes]
        if edges:
            return {"do": nodes, "edges": edges}, own
        return {"do": {name: nodes[name] for name in self.draw(st.permutations(list(nodes)))}}, own

    def by_data(self, place: Place) -> dict[str, Any]:
        nodes: dict[str, Any] = {}
        scheduled: list[Known] = []
        for _ in range(self.draw(st.integers(2, 6) if place.depth == 1 else st.integers(1, 3))):
            before = self.draw(st.lists(st.sampled_from(scheduled), unique=True, max_size=3)) if scheduled else []
            join = self.one_of(["all", "all", "any", "first", 2]) if before else "all"
            if join == 2 and len(before) < 2:
                join = "any"
            name = self.name("n")
            known = self.known(name, self.kind(place, ["work", "work", "class", "set", "template"]))
            spec = self.node(replace(place, known=self.in_sight(place, before, join)), known, nodes)
            if before:
                spec["needs"] = [one.name for one in before]
            if join != "all":
                spec["join"] = join
            if self.chance(30):
                spec["priority"] = self.draw(st.integers(-2, 2))
            nodes[name] = spec
            scheduled.append(known)
            place.known.append(known)
        return nodes

    def in_sight(self, place: Place, before: list[Known], join: Any) -> list[Known]:
        """What a node can refer to that waits for some of those before it."""
        if join == "all":
            return place.known
        seen = [one for one in place.known if join == "any" or self.timed or one not in before]
        return [replace(one, may_miss=one.may_miss or one.is_node) for one in seen]

    def by_action(self, place: Place) -> tuple[dict[str, Any], list[dict[str, str]]]:
        names = [self.name("n") for _ in range(self.draw(st.integers(2, 4)))]
        routes = {name: self.routes(names) for name in names}
        routes[names[0]] = routes[names[0]] or {"default": self.one_of([*names, "end"])}
        reached = [names[0]]
        for name in reached:
            reached += [to for to in dict.fromkeys(routes[name].values()) if to not in (*reached, "end")]
        kinds = ["work", "work", "class", "condition", "set"]
        own = [self.known(name, self.kind(place, kinds), may_miss=True) for name in reached]
        place.known += own
        place.keys += [f"key_{one.name}" for one in own if one.kind in ("class", "set")]
        nodes: dict[str, Any] = {}
        edges = []
        for one in own:
            name = one.name
            seen = [other for other in place.known if one.kind != "holder" or other is not one]
            spec = self.node(replace(place, known=seen), one, nodes, list(routes[name]))
            spec["visits"] = self.one_of([2, 4, 6, 1])
            nodes[name] = spec
            edges += [
                {"from": name, "to": to} | ({"action": action} if action != "default" else {})
                for action, to in routes[name].items()
            ]
            handler = spec.get("on_error", "continue")
            if handler != "continue" and self.chance(50):
                edges.append({"from": handler, "to": self.one_of([*reached, "end"])})
                nodes[handler]["visits"] = 3
        return {name: nodes[name] for name in (*reached, *nodes)}, edges

    def routes(self, names: list[str]) -> dict[str, str]:
        actions = self.draw(st.lists(st.sampled_from(["default", "go", "back"]), unique=True, max_size=2))
        return {action: self.one_of([*names, "end", "end"]) for action in actions}

    def kind(self, place: Place, kinds: list[str]) -> str:
        return self.one_of([*kinds, "holder"] if self.holds_nodes and place.depth < DEEPEST else kinds)

    def known(self, name: str, kind: str, may_miss: bool = False) -> Known:
        if kind == "holder":
            kind = self.one_of(["map", "parallel", "workflow"])
        return Known(name, PATHS[kind](name), LISTS.get(kind, ()), may_miss, kind)

    def node(
        self, place: Place, known: Known, nodes: dict[str, Any], actions: list[str] | None = None
    ) -> dict[str, Any]:
        """What is said of a node; its handler and its undo node are put beside it."""
        spec = getattr(self, WRITERS.get(known.kind, known.kind))(place, known.name, actions)
        if actions and known.kind in (*HOLDERS, "set") and self.chance(70):
            action = self.one_of(actions)
            spec["action"] = self.one_of([action, f'${{output.none ?? "{action}"}}'])
        if self.chance(25) and place.known:
            spec["when"] = self.condition_text(place)
        self.failing(place, spec, nodes, known.kind)
        if self.chance(35):
            undo = self.name("u")
            spec["undo"] = undo
            given = {"name": undo, "at": list(place.items), "gave": "${output}", "fails": self.one_of([0, 0, 1])}
            nodes[undo] = {"type": f"{HERE}:take_back", "with": given}
        return spec

    def called(self, place: Place, name: str) -> dict[str, Any]:
        """What all nodes with code of ours are given."""
        given: dict[str, Any] = {"name": name, "at": list(place.items)}
        if self.chance(25):
            given["fails"] = self.one_of([1, 2, *place.items])
        return given

    def work(self, place: Place, name: str, actions: list[str] | None) -> dict[str, Any]:
        given = self.called(place, name) | {"value": self.value(place)}
        if self.chance(40):
            given["pause"] = self.one_of([0.001, 0.002])
        if actions:
            given["seen"] = f"${{{name}.seen ?? 0}}"
            given["actions"] = self.draw(st.lists(st.sampled_from(actions), min_size=1, max_size=3))
        return {"type": f"{HERE}:{self.one_of(['work', 'work_async'])}", "with": given}

    def class_(self, place: Place, name: str, actions: list[str] | None) -> dict[str, Any]:
        given = self.called(place, name) | {"run": "${run.id}"} | self.one_of([{}, {"max_retries": 2}])
        if actions and "default" not in actions:
            given["action"] = self.one_of(actions)
        source = self.one_of([self.one_of(place.keys), self.reference(place)])
        reads, writes = {"number": source}, {"total": f"key_{name}"}
        return {"type": f"{HERE}:{self.one_of(['Adds', 'AddsAsync'])}", "with": given, "reads": reads, "writes": writes}

    def set(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return {"type": "set", "with": {"values": {f"key_{name}": self.value(place)}}}

    def template(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return {"type": "template", "with": {"text": self.value(place)}}

    def condition(self, place: Place, name: str, actions: list[str] | None) -> dict[str, Any]:
        config: dict[str, Any] = {
            "cases": [{"when": self.condition_text(place), "action": self.one_of(actions or ["x"])}]
        }
        if actions and "default" not in actions:
            config["otherwise"] = self.one_of(actions)
        return {"type": "condition", "with": config}

    def failing(self, place: Place, spec: dict[str, Any], nodes: dict[str, Any], kind: str) -> None:
        if kind not in HOLDERS and self.chance(40):
            spec["retry"] = {"tries": self.draw(st.integers(1, 3))}
            if self.chance(30):
                spec["retry"]["on"] = [self.one_of(["PlannedFailure", "ValueError", "KeyError"])]
        if self.chance(20):
            spec["on_error"] = "continue"
            spec["fallback"] = self.one_of([None, 5, {"value": 4, "items": [1], "total": 2}, [8]])
        elif self.chance(20):
            handler = self.name("h")
            spec["on_error"] = handler
            nodes[handler] = self.work(replace(place, known=[]), handler, None)
            if kind not in HOLDERS:
                nodes[handler]["with"]["value"] = "${error.node}"

    def map(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        item = f"item_{name}"
        known = [*place.known, Known(item, ("",)), Known("index", ("",))]
        inside = replace(place, items=(*place.items, f"${{{item}}}"), known=known)
        config = {"over": self.items(place), "as": item, "parallel": self.one_of([1, 2, 4])}
        body = self.body(inside, "map")
        return {"type": "map", "with": config | {"on_error": self.one_of(["stop", "continue"])} | body}

    def parallel(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return {"type": "parallel", "with": self.body(place, "parallel")}

    def workflow(self, place: Place, name: str, _: list[str] | None) -> dict[str, Any]:
        return {"type": "workflow", "with": self.body(place, "workflow")}

    def body(self, place: Place, kind: str) -> dict[str, Any]:
        flow, own = self.flow(replace(place, depth=place.depth + 1), kind != "parallel" and self.chance(40))
        if kind == "map" or flow.get("edges") or self.chance(50):
            one = self.one_of(own)
            flow["output"] = f"${{{one.name}{self.one_of(one.paths)} ?? {self.one_of(LITERALS)}}}"
        return flow

    def items(self, place: Place) -> Any:
        lists = [f"{one.name}{path}" for one in place.known for path in one.lists]
        if lists and self.chance(50):
            return f"${{{self.one_of(lists)} ?? []}}"
        return self.one_of([[0, 1, 2], [4, 0], [], "${inputs.list}"])

    def reference(self, place: Place) -> str:
        one = self.one_of([Known("inputs", (".number", ".list[1]")), *place.known])
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


HOLDERS = ("map", "parallel", "workflow")
PATHS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "work": lambda _: ("", ".value", ".seen", ".items[0]"),
    "class": lambda _: ("", ".total"),
    "set": lambda name: ("", f".key_{name}"),
    "template": lambda _: ("",),
    "condition": lambda _: ("", ".action"),
    "map": lambda _: ("", "[0]"),
    "parallel": lambda _: ("",),
    "workflow": lambda _: ("",),
}
WRITERS = {"class": "class_"}
LISTS = {"work": (".items",)}


@st.composite
def documents(draw: Draw, *, holds_nodes: bool = True, timed: bool = False) -> dict[str, Any]:
    """A valid document.

    Args:
        draw: Hypothesis's.
        holds_nodes: As of `Writer`.
        timed: As of `Writer`.
    """
    writer = Writer(draw, holds_nodes, timed)
    flow, own = writer.flow(Place(known=[]), by_action=writer.chance(40))
    document = {"workflow": "random", "inputs": INPUTS, "nodes": flow.pop("do"), **flow}
    if writer.chance(30) and "edges" in document:
        document["start"] = next(iter(document["nodes"]))
    if "edges" in document and not holds_nodes and writer.chance(30):
        document["limits"] = {"visits": draw(st.integers(1, 8))}
    if writer.chance(30):
        document["defaults"] = {"retry": {"tries": 2}}
    if writer.chance(60) or "edges" in document:
        document["outputs"] = {
            f"out{number}": f"${{{one.name}{writer.one_of(one.paths)} ?? {writer.one_of(LITERALS)}}}"
            for number, one in enumerate(own)
        }
    return document
