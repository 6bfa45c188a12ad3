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
    """A node or an item that can be referred to, and where in it there is something."""

    name: str
    paths: tuple[str, ...]
    lists: tuple[str, ...] = ()

    @property
    def is_node(self) -> bool:
        return ".value" in self.paths or ".total" in self.paths or not self.name.startswith("item_")


@dataclass
class Place:
    """Where a node stands: what it can refer to, and whether only with a default."""

    known: list[Known]
    items: tuple[str, ...] = ()
    depth: int = 1
    by_action: bool = False
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

    # What is said of flows

    def flow(self, place: Place, by_action: bool) -> tuple[dict[str, Any], list[Known]]:
        """What stands under `nodes` and `edges`, and what the flow's end can refer to."""
        place = replace(place, known=list(place.known), by_action=by_action, keys=list(place.keys))
        nodes, edges = self.by_action(place) if by_action else (self.by_data(place), [])
        own = [known for known in place.known if known.name in nodes]
        order = self.draw(st.permutations(list(nodes)))
        if not by_action:
            nodes = {name: nodes[name] for name in order}
        return {"do": nodes} | ({"edges": edges} if edges else {}), own

    def by_data(self, place: Place) -> dict[str, Any]:
        nodes: dict[str, Any] = {}
        scheduled: list[Known] = []
        for _ in range(self.draw(st.integers(1, 5 if place.depth == 1 else 3))):
            before = self.draw(st.lists(st.sampled_from(scheduled), unique=True, max_size=3)) if scheduled else []
            join = self.one_of(["all", "all", "any", "first", 2]) if before else "all"
            if join == 2 and len(before) < 2:
                join = "any"
            seen = [one for one in place.known if join in ("all", "any") or self.timed or one not in before]
            known, spec = self.node(replace(place, known=seen), nodes, only_optional=join != "all" and before)
            if before:
                spec["needs"] = [one.name for one in before]
                if join != "all":
                    spec["join"] = join
            if self.chance(30):
                spec["priority"] = self.draw(st.integers(-2, 2))
            nodes[known.name] = spec
            scheduled.append(known)
            place.known.append(known)
        return nodes

    def by_action(self, place: Place) -> tuple[dict[str, Any], list[dict[str, str]]]:
        count = self.draw(st.integers(1, 4))
        names = [self.name("n") for _ in range(count)]
        routes = {name: self.routes(names) for name in names}
        routes[names[0]] = routes[names[0]] or {"default": self.one_of([*names, "end"])}
        reached = [names[0]]
        for name in reached:
            reached += [to for to in dict.fromkeys(routes[name].values()) if to not in (*reached, "end")]
        outer = list(place.known)
        kinds = {name: self.one_of(["work", "work", "class"]) for name in reached}
        place.known += [described(name, kinds[name]) for name in reached]
        place.keys += [f"key_{name}" for name in reached if kinds[name] == "class"]
        nodes: dict[str, Any] = {}
        edges = []
        for name in reached:
            _, spec = self.node(place, nodes, name=name, kind=kinds[name], actions=list(routes[name]))
            spec["visits"] = self.draw(st.integers(1, 4))
            nodes[name] = spec
            edges += [
                {"from": name, "to": to} | ({"action": action} if action != "default" else {})
                for action, to in routes[name].items()
            ]
            if spec.get("on_error", "continue") != "continue" and self.chance(50):
                edges.append({"from": spec["on_error"], "to": self.one_of([*reached, "end"])})
                nodes[spec["on_error"]]["visits"] = 3
        if self.holds_nodes and place.depth < DEEPEST and self.chance(50):
            self.held(place, nodes, reached, outer)
        return nodes, edges

    def routes(self, names: list[str]) -> dict[str, str]:
        actions = self.draw(st.lists(st.sampled_from(["default", "go", "back"]), unique=True, max_size=2))
        return {action: self.one_of([*names, "end"]) for action in actions}

    def held(self, place: Place, nodes: dict[str, Any], reached: list[str], outer: list[Known]) -> None:
        """Puts a node that holds nodes in the place of one of a flow by action."""
        name = self.one_of(reached)
        choosing = nodes[name]
        _, spec = self.holder(replace(place, known=outer, depth=place.depth), name)
        spec["visits"] = choosing["visits"]
        nodes[name] = spec

    # What is said of nodes

    def node(
        self,
        place: Place,
        nodes: dict[str, Any],
        *,
        only_optional: Any = False,
        name: str | None = None,
        kind: str | None = None,
        actions: list[str] | None = None,
    ) -> tuple[Known, dict[str, Any]]:
        optional = bool(only_optional) or place.by_action
        name = name or self.name("n")
        deep = self.holds_nodes and place.depth < DEEPEST and not place.by_action
        kind = kind or self.one_of(["work", "work", "class", *(["holder"] if deep else [])])
        if kind == "holder":
            if only_optional:
                place = replace(place, by_action=True)
            known, spec = self.holder(place, name)
        else:
            spec = self.leaf(place, name, kind, optional, actions)
            known = described(name, kind)
        if self.chance(25) and place.known:
            spec["when"] = self.condition(place, optional)
        self.failing(place, spec, nodes, kind)
        if self.chance(35):
            undo = self.name("u")
            spec["undo"] = undo
            given = {"name": undo, "at": list(place.items), "gave": "${output}", "fails": self.one_of([0, 0, 1])}
            nodes[undo] = {"type": f"{HERE}:take_back", "with": given}
        return known, spec

    def leaf(self, place: Place, name: str, kind: str, optional: bool, actions: list[str] | None) -> dict[str, Any]:
        given: dict[str, Any] = {"name": name, "at": list(place.items)}
        if self.chance(25):
            given["fails"] = self.one_of([1, 2, *place.items])
        spec: dict[str, Any] = {"with": given}
        if kind == "class":
            spec["type"] = f"{HERE}:{self.one_of(['Adds', 'AddsAsync'])}"
            given["run"] = "${run.id}"
            given |= self.draw(st.sampled_from([{}, {"max_retries": 2}]))
            if actions and "default" not in actions:
                given["action"] = self.one_of(actions)
            key = self.one_of(place.keys) if place.by_action else "number"
            spec["reads"] = {"number": self.one_of([key, self.reference(place, optional)])}
            spec["writes"] = {"total": f"key_{name}"}
            return spec
        spec["type"] = f"{HERE}:{self.one_of(['work', 'work_async'])}"
        given["value"] = self.value(place, optional)
        if self.chance(40):
            given["pause"] = self.one_of([0.001, 0.002])
        if actions:
            given["seen"] = f"${{{name}.seen ?? 0}}"
            given["actions"] = self.draw(st.lists(st.sampled_from(actions), min_size=1, max_size=3))
        return spec

    def failing(self, place: Place, spec: dict[str, Any], nodes: dict[str, Any], kind: str) -> None:
        if kind != "holder" and self.chance(40):
            spec["retry"] = {"tries": self.draw(st.integers(1, 3))}
            if self.chance(30):
                spec["retry"]["on"] = [self.one_of(["PlannedFailure", "ValueError", "KeyError"])]
        if self.chance(20):
            spec["on_error"] = "continue"
            spec["fallback"] = self.one_of([None, 5, {"value": 4, "items": [1], "total": 2}, [8]])
        elif self.chance(20):
            handler = self.name("h")
            spec["on_error"] = handler
            nodes[handler] = self.leaf(replace(place, known=[]), handler, "work", False, None)
            if kind != "holder":
                nodes[handler]["with"]["value"] = "${error.type}"

    def holder(self, place: Place, name: str) -> tuple[Known, dict[str, Any]]:
        kind = self.one_of(["map", "parallel", "workflow"])
        inside = replace(place, depth=place.depth + 1)
        config: dict[str, Any] = {}
        if kind == "map":
            item = f"item_{name}"
            config["over"] = self.items(place)
            config["as"] = item
            config["parallel"] = self.one_of([1, 2, 4])
            config["on_error"] = self.one_of(["stop", "continue"])
            known = [*place.known, Known(item, ("",)), Known("index", ("",))]
            inside = replace(inside, items=(*place.items, f"${{{item}}}"), known=known)
        flow, own = self.flow(inside, kind != "parallel" and self.chance(40))
        config |= flow
        if kind == "map" or flow.get("edges") or self.chance(50):
            one = self.one_of(own)
            config["output"] = f"${{{one.name}{self.one_of(one.paths)} ?? {self.one_of(LITERALS)}}}"
        paths = ("", "[0]") if kind == "map" else ("",)
        return Known(name, paths, ("",) if kind == "map" else ()), {"type": kind, "with": config}

    # What is said in them

    def items(self, place: Place) -> Any:
        lists = [f"{one.name}{path}" for one in place.known for path in one.lists]
        if lists and self.chance(50):
            return f"${{{self.one_of(lists)} ?? []}}"
        return self.one_of([[0, 1, 2], [4, 0], [], "${inputs.list}"])

    def reference(self, place: Place, optional: bool) -> str:
        one = self.one_of([Known("inputs", (".number", ".list[1]")), *place.known])
        text = one.name + self.one_of(one.paths)
        if one.name not in ("inputs", "index") and (optional or self.chance(40)):
            text += f" ?? {self.one_of(LITERALS)}"
        return f"${{{text}}}"

    def value(self, place: Place, optional: bool) -> Any:
        form = self.draw(st.integers(0, 4))
        if form == 0:
            return self.draw(st.integers(0, 9))
        if form == 1:
            return {"a": self.reference(place, optional), "b": [self.reference(place, optional), True]}
        if form == 2:
            return f"of {self.reference(place, optional)} and $${{{self.reference(place, optional)[2:]}"
        return self.reference(place, optional)

    def condition(self, place: Place, optional: bool) -> str:
        terms = []
        for _ in range(self.draw(st.integers(1, 2))):
            one = self.one_of([one for one in place.known if one.paths])
            path = one.name + self.one_of([path for path in one.paths if "[" not in path])
            if optional or "." not in path or self.chance(40):
                terms.append(self.one_of([f"exists({path})", f"default({path}, 1) != 4"]))
            else:
                terms.append(f"{path} {self.one_of(['==', '!='])} {self.draw(st.integers(0, 9))}")
        return self.one_of([" and ", " or "]).join(terms)


def described(name: str, kind: str) -> Known:
    if kind == "class":
        return Known(name, ("", ".total"))
    return Known(name, ("", ".value", ".seen", ".items[0]"), (".items",))


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
    if writer.chance(30):
        document["defaults"] = {"retry": {"tries": 2}}
    if writer.chance(60) or "edges" in document:
        document["outputs"] = {
            f"out{number}": f"${{{one.name}{writer.one_of(one.paths)} ?? {writer.one_of(LITERALS)}}}"
            for number, one in enumerate(own)
        }
    return document
